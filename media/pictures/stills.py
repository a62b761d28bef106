"""Pictures as arrays: grey, palette, alpha, CMYK, 16 bits, EXIF orientation, colour profiles."""

import os
from typing import NamedTuple

import numpy as np

from common.errors import InputError
from common.pipes import readable
from media.colour.lookup import map_picture
from media.notes import ALPHA, GREY_LEVEL
from media.pictures.kinds import FAULTS, damaged, open_picture
from media.pictures.profiles import tagged_mapping, to_srgb

_TRANSPARENT = ("LA", "PA", "RGBA", "La", "RGBa")
_kept = {}  # the last still, at most 2**26 pixels: jobs look at one several times, and HEIC takes a second to decode


class Still(NamedTuple):
    """A decoded picture.

    Attributes:
        rgb: (H, W, 3) uint8 sRGB, upright; nobody may write into it.
        notes: tuple of str, what was changed.
        rotation: degrees clockwise by which EXIF turned it.
    """

    rgb: np.ndarray
    notes: tuple
    rotation: int


def read_still(path, image=None):
    """Still of a file; the last one is kept while its file does not change.

    Args:
        path: a picture.
        image: the same, open, from `media.pictures.kinds.open_picture`; None opens it.

    Raises:
        InputError: see `open_picture`; also a picture that is cut short or damaged.
    """
    about = os.stat(readable(path))
    key = (os.path.abspath(path), about.st_ino, about.st_size, about.st_mtime_ns)
    if key not in _kept:
        if image is None:
            with open_picture(path) as opened:
                return read_still(path, opened)
        rotation = still_rotation(image, path)
        still = Still(*still_to_rgb(image, path), rotation)
        _kept.clear()
        _kept[key] = still
    return _kept[key]


def still_rotation(image, path):
    """Degrees clockwise by which EXIF turns an open picture for display.

    Raises:
        InputError: the file is cut short or damaged.
    """
    try:
        orientation = image.getexif().get(0x0112, 1)
    except FAULTS as error:
        raise damaged(path, error) from error
    return {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}.get(orientation, 0)


def still_to_rgb(image, path, mapping=None):
    """Pixels of an open PIL image, turned upright by EXIF, as sRGB, transparency over grey.

    Args:
        image: from `media.pictures.kinds.open_picture`; an animation gives the frame at which it stands.
        path: for messages.
        mapping: media.colour.light.Mapping of all frames of an animation; None finds it out.

    Returns:
        rgb: (H, W, 3) uint8.
        notes: tuple of str, what was changed.

    Raises:
        InputError: the file is cut short or damaged.
    """
    from PIL import ImageOps

    try:
        image.load()
        notes = _pages(image)
        mapping = mapping or tagged_mapping(image, path)
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I") or image.mode == "F":
            return _grey_to_rgb(np.asarray(image), path), notes
        transparent = image.mode in _TRANSPARENT or "transparency" in image.info
        if image.mode not in ("L", "RGB", "CMYK", "LA", "RGBA") or (transparent and image.mode not in ("LA", "RGBA")):
            image = image.convert("RGBA" if transparent else "RGB")
        image, changed = to_srgb(image)
        array = np.array(image.convert("RGBA" if transparent else "RGB"))
    except InputError:
        raise
    except FAULTS as error:
        raise damaged(path, error) from error
    notes += changed
    if mapping:
        notes += (mapping.note,)
        array[..., :3] = map_picture(mapping, array[..., :3])
    if not transparent:
        return array, notes
    return over_grey(array), notes if array[..., 3].min() == 255 else (*notes, ALPHA)


def _pages(image):
    if image.format == "HEIF" and getattr(image, "n_frames", 1) > 1:
        return (f"it holds {image.n_frames} pictures; the main one is read",)
    return ()


def _grey_to_rgb(grey, path):
    """16-bit, 32-bit or float grey to 8 bits: 65535 becomes 255; floats are taken as 0..1."""
    if grey.dtype.kind == "f":
        if not np.isfinite(grey).all():
            raise InputError(f"{path}: the picture has pixels that are not numbers")
        scaled = grey * 255.0
    else:
        scaled = grey.astype(np.float64) / 257.0
    return np.repeat(np.clip(np.rint(scaled), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def over_grey(rgba):
    """(H, W, 4) uint8 straight-alpha RGBA over a grey of 128, as (H, W, 3) uint8."""
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + GREY_LEVEL * (255 - alpha) + 127) // 255).astype(np.uint8)
