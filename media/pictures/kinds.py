"""Which kind of picture a file is, and the library that opens it: Pillow, libheif for HEIC, libjxl for JPEG XL."""

import warnings
from contextlib import contextmanager

from common.errors import InputError
from common.pipes import readable

MAX_PIXELS = 1 << 26
_PILLOW = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF", "AVIF", "JPEG2000")
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"mif1"}  # brands of pictures; msf1 and hevc are image sequences, read as videos
_STILL_BRANDS = _HEIC | {b"avif", b"avis"}
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
BY_FFMPEG = {"PNG": "apng", "GIF": "gif"}  # animations of these are read as videos: Pillow's name -> FFmpeg's
FAULTS = (OSError, ValueError, SyntaxError, RuntimeError, EOFError)


@contextmanager
def open_picture(path):
    """Yield a PIL image, not yet decoded, of a still picture or of an animation that Pillow reads; None for anything else.

    Raises:
        InputError: more than 2**26 pixels (8192 x 8192), a damaged picture, or a kind whose package is not installed.
    """
    with open(readable(path), "rb") as file:
        head = file.read(32)
        file.seek(0)
        image = _jxl(file, path) if head.startswith(_JXL) else _identified(file, head, path)
        if image is not None and _is_for_ffmpeg(image):
            image = None
        yield image


def is_animation(image):
    """An open picture has frames in time, not pages or views."""
    return image.format in ("WEBP", "AVIF") and getattr(image, "is_animated", False)


def check_pixels(path, width, height):
    """Raise InputError for a picture or video of no pixels, or of more than 2**26."""
    if width < 1 or height < 1:
        raise InputError(f"{path}: states a size of {width}x{height} pixels; it is damaged or cut short")
    if width * height > MAX_PIXELS:
        raise InputError(f"{path}: {width}x{height} is too large; at most {MAX_PIXELS} pixels (8192x8192) are read")


def damaged(path, error):
    """The InputError for a picture that a library refuses."""
    return InputError(f"{path}: the picture is damaged or cut short ({error})")


def _missing(path, kind, package):
    """The InputError for a picture whose library is not installed."""
    way = f"needs the package {package} (pip install {package}); or convert the picture to png"
    return InputError(f"{path}: reading {kind} {way}")


def _is_for_ffmpeg(image):
    return image.format in BY_FFMPEG and getattr(image, "is_animated", False)


def _identified(file, head, path):
    from PIL import Image, UnidentifiedImageError

    brand = head[8:12] if head[4:8] == b"ftyp" else None
    formats = _PILLOW
    if brand in _HEIC and not (brand == b"mif1" and b"avif" in head[16:]):
        _register_heif(path)
        formats = ("HEIF",)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        try:
            image = Image.open(file, formats=formats)
        except Image.DecompressionBombError as error:
            raise InputError(f"{path}: the picture is too large; at most {MAX_PIXELS} pixels are read") from error
        except UnidentifiedImageError as error:
            if brand in _STILL_BRANDS:
                raise damaged(path, "its index cannot be read") from error
            return None
        except FAULTS:
            return None
    check_pixels(path, *image.size)
    return _main_page(image)


def _main_page(image):
    """The same image at its first page that is not a reduced copy of another one (TIFF 6.0, NewSubfileType)."""
    if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
        for page in range(image.n_frames):
            image.seek(page)
            if not image.tag_v2.get(254, 0) & 1:
                return image
        image.seek(0)
    return image


def _register_heif(path):
    try:
        import pi_heif
    except ImportError as error:
        raise _missing(path, "HEIC", "pi-heif") from error
    pi_heif.register_heif_opener()


def _jxl(file, path):
    """A decoded JPEG XL picture; libjxl has turned it upright."""
    import numpy as np
    from PIL import Image

    try:
        import pylibjxl
    except ImportError as error:
        raise _missing(path, "JPEG XL", "pylibjxl") from error
    data = file.read()
    try:
        header = pylibjxl.probe(data)
        check_pixels(path, header["width"], header["height"])
        if header["have_animation"]:
            raise InputError(f"{path}: animated JPEG XL cannot be read; convert it to mp4, or give one picture")
        pixels, about = pylibjxl.decode(data, metadata=True)
    except InputError:
        raise
    except FAULTS as error:
        raise damaged(path, error) from error
    if pixels.dtype != np.uint8:
        most = 1.0 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
        pixels = np.rint(np.clip(pixels / most, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    if "icc" in about:
        image.info["icc_profile"] = bytes(about["icc"])
    image.format = "JXL"
    return image
