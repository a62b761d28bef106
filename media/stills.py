"""Pictures as arrays: png, jpg, webp, bmp, tiff, still gif; grey, palette, alpha, CMYK, 16 bits, EXIF orientation."""

import warnings
from contextlib import contextmanager

import numpy as np

from common.errors import InputError

MAX_PIXELS = 1 << 26
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF")


@contextmanager
def open_still(path):
    """Yield a PIL image, not yet decoded, when the file is a still picture of a known kind; None when it is anything else.

    Raises:
        InputError: more than 2**26 pixels (8192 x 8192), or an animated webp, which ffmpeg cannot decode.
    """
    with open(path, "rb") as file:
        yield _identified(file, path)


def _identified(file, path):
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(file, formats=_FORMATS)
        except Image.DecompressionBombError as error:
            raise InputError(f"{path}: the picture is too large; at most {MAX_PIXELS} pixels are read") from error
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
            return None
    check_pixels(path, *image.size)
    if not getattr(image, "is_animated", False) or image.format not in ("PNG", "WEBP", "GIF"):
        return image
    if image.format == "WEBP":
        raise InputError(f"{path}: animated webp cannot be read; convert it to mp4, or give one picture")
    return None


def check_pixels(path, width, height):
    """Raise InputError for a picture or video of no pixels, or of more than 2**26."""
    if width < 1 or height < 1:
        raise InputError(f"{path}: states a size of {width}x{height} pixels; it is damaged or cut short")
    if width * height > MAX_PIXELS:
        raise InputError(f"{path}: {width}x{height} is too large; at most {MAX_PIXELS} pixels (8192x8192) are read")


def still_size(image, path):
    """(width, height, clockwise rotation in degrees) of the picture as it is shown, after EXIF orientation.

    Raises:
        InputError: the file is cut short or damaged.
    """
    try:
        orientation = image.getexif().get(0x0112, 1)
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: the picture is damaged or cut short ({error})") from error
    width, height = image.size
    rotation = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}.get(orientation, 0)
    return (height, width, rotation) if orientation in (5, 6, 7, 8) else (width, height, rotation)


def still_to_rgb(image, path):
    """(H, W, 3) uint8 RGB of an open PIL image, turned upright by EXIF, transparency over black.

    Raises:
        InputError: the file is cut short or damaged.
    """
    from PIL import ImageOps

    try:
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode.startswith("I") or image.mode == "F":
            return _grey_to_rgb(np.asarray(image), path)
        transparent = image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info
        mode = "RGBA" if transparent else "RGB"
        array = np.array(image if image.mode == mode else image.convert(mode))
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: the picture is damaged or cut short ({error})") from error
    return over_black(array) if transparent else array


def _grey_to_rgb(grey, path):
    """16-bit, 32-bit or float grey to 8 bits: 65535 becomes 255; floats are taken as 0..1."""
    if grey.dtype.kind == "f":
        if not np.isfinite(grey).all():
            raise InputError(f"{path}: the picture has pixels that are not numbers")
        scaled = grey * 255.0
    else:
        scaled = grey.astype(np.float64) / 257.0
    return np.repeat(np.clip(np.rint(scaled), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def over_black(rgba):
    """(H, W, 4) uint8 straight-alpha RGBA over black, as (H, W, 3) uint8."""
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 127) // 255).astype(np.uint8)
