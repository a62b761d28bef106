"""Colours of pictures: ICC profiles and colour tags to sRGB."""

from io import BytesIO

import numpy as np

from common.errors import InputError
from media.colour.light import mapping_for
from media.container import open_input

_SAME = 2  # grey levels within which a profile counts as sRGB's own
_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def to_srgb(image):
    """A picture by its ICC profile as sRGB.

    Args:
        image: PIL image, decoded, of mode L, LA, RGB, RGBA or CMYK.

    Returns:
        image: the same where it has no profile, one that is sRGB within 2 grey levels, or one that cannot be used; else an RGB
            or RGBA one.
        notes: tuple of str.
    """
    from PIL import Image, ImageCms

    data = image.info.get("icc_profile")
    if not data:
        return image, ()
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    plain = image.convert(image.mode[:-1]) if alpha else image
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(data))
        mode = _MODES.get(profile.profile.xcolor_space.strip())
        if mode != plain.mode:
            if mode != "RGB" or plain.mode != "L":
                return image, ("its colour profile does not fit its pixels; it is taken as sRGB",)
            plain = plain.convert("RGB")
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if mode != "CMYK" and _is_srgb(transform, mode):
            return image, ()
        converted = ImageCms.applyTransform(plain, transform)
        name = ImageCms.getProfileDescription(profile).strip() or "by its profile"
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, ("its colour profile cannot be read; it is taken as sRGB",)
    if alpha:
        converted = Image.merge("RGBA", (*converted.split(), alpha))
    return converted, (f"its colours ({' '.join(name.split())}) are converted to sRGB",)


def _is_srgb(transform, mode):
    """The transform changes no colour by more than `_SAME`."""
    from PIL import Image, ImageCms

    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(27, 27, 3)
    probes = colours if mode == "RGB" else np.arange(256, dtype=np.uint8)[None]
    given = Image.fromarray(probes)
    made = np.asarray(ImageCms.applyTransform(given, transform)).astype(int)
    return np.abs(made - np.asarray(given.convert("RGB"))).max() <= _SAME


def tagged_mapping(image, path):
    """media.colour.light.Mapping of a HEIC or AVIF picture without a profile, by its colour tags (nclx), or None."""
    if image.info.get("icc_profile"):
        return None
    if image.format == "HEIF":
        tags = image.info.get("nclx_profile") or {}
        return mapping_for(int(tags.get("color_primaries", 2)), int(tags.get("transfer_characteristics", 2)))
    return _avif_mapping(path) if image.format == "AVIF" else None


def _avif_mapping(path):
    """Pillow does not tell them, FFmpeg does."""
    try:
        with open_input(path, "picture") as container:
            contexts = [stream.codec_context for stream in container.streams.video if stream.codec_context is not None]
            return mapping_for(int(contexts[0].color_primaries), int(contexts[0].color_trc)) if contexts else None
    except InputError:
        return None
