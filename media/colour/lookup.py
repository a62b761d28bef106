"""Colour mappings of whole pictures: the formulas of `media.colour.light` as tables of one variable each."""

import struct

import numpy as np
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from media.colour.light import BT709, HLG, HLG_GAMMA, HLG_PEAK, WHITE, conversion, hlg_scene, luma, mapping_for, tone_map

DEPTH = 12  # bits of a signal that is looked up
_MOST = (1 << DEPTH) - 1
_STEPS = 4096  # of tables over light; they are spaced evenly in its square root, as the eye is about
_BLOCK = 1 << 14  # pixels that are worked on at a time, so that they stay in the processor's cache
_TINY = np.float32(1e-9)
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def mapping_of(frame):
    """media.colour.light.Mapping that a decoded frame's tags and HDR metadata ask for, or None."""
    return mapping_for(int(frame.color_primaries), int(frame.color_trc), _stated_peak(frame))


def _stated_peak(frame):
    """cd/m2 of the brightest pixel by the stream's metadata (MaxCLL, else the mastering display), or None."""
    try:
        level, display = (frame.side_data.get(name) for name in ("CONTENT_LIGHT_LEVEL", "MASTERING_DISPLAY_METADATA"))
    except ValueError:
        return None
    if level is not None and (peak := struct.unpack_from("I", bytes(level))[0]):
        return float(peak)
    if display is not None:
        numerator, denominator = struct.unpack_from("ii", bytes(display), 72)
        if numerator > 0 and denominator > 0:
            return numerator / denominator
    return None


class Lookup:
    """A mapping as tables. Its results are within one level of the formulas.

    Args:
        mapping: media.colour.light.Mapping.
    """

    def __init__(self, mapping):
        signal = np.linspace(0, 1, _MOST + 1)
        light = np.linspace(0, 1, _STEPS) ** 2
        self._matrix = conversion(mapping.primaries).astype(np.float32)
        self._grey = luma(BT709).astype(np.float32)
        self._encode = np.rint(mapping.encode(light) * 255).astype(np.uint8)
        self._top = self._ootf = self._gain = None
        if mapping.transfer == HLG:
            self._light = hlg_scene(signal).astype(np.float32)
            self._weights = luma(mapping.primaries).astype(np.float32)
            self._top = HLG_PEAK / WHITE
            self._ootf = (self._top * light ** (HLG_GAMMA - 1)).astype(np.float32)
        else:
            self._light = mapping.light(signal).astype(np.float32)
            self._top = None if mapping.peak is None else float(self._light[-1])
        if mapping.peak is not None:
            largest = light[1:, None] * self._top
            gain = tone_map(np.repeat(largest, 3, 1), mapping.peak)[:, 0] / largest[:, 0]
            self._gain = np.concatenate([gain[:1], gain]).astype(np.float32)

    def __call__(self, red, green, blue, out):
        """Map one picture.

        Args:
            red, green, blue: (H, W) integers in [0, 4095], the signal in full range.
            out: (H, W, 3) uint8 to write RGB to.
        """
        width = red.shape[1]
        rows = max(1, _BLOCK // width)
        for start in range(0, len(red), rows):
            block = slice(start, start + rows)
            codes = np.stack([plane[block] for plane in (red, green, blue)]).reshape(3, -1).astype(np.intp)
            out[block] = self._mapped(np.take(self._light, codes)).reshape(3, -1, width).transpose(1, 2, 0)

    def _mapped(self, light):
        """(3, n) uint8 of (3, n) float32 light, which is overwritten."""
        if self._ootf is not None:
            light *= np.take(self._ootf, _root(self._weights @ light))
        if self._gain is not None:
            light *= np.take(self._gain, _root(light.max(0) * np.float32(1 / self._top)))
        light = self._matrix @ light
        least, most = light.min(0), light.max(0)
        outside = np.flatnonzero((least < 0) | (most > 1))
        if len(outside):
            light[:, outside] = self._inside(light[:, outside], least[outside], most[outside])
        return np.take(self._encode, _root(light))

    def _inside(self, light, least, most):
        """What `media.colour.light.into_gamut` does, for (3, n) light whose least and largest channels are known."""
        grey = np.clip(self._grey @ light, 0, 1)
        below = grey / np.maximum(grey - np.minimum(least, 0), _TINY)
        above = (1 - grey) / np.maximum(np.maximum(most, 1) - grey, _TINY)
        return grey + np.minimum(below, above) * (light - grey)


def _root(light):
    """Places of light in [0, 1] in a table; light beyond is clipped."""
    light = np.clip(light, 0, 1)
    np.sqrt(light, out=light)
    light *= np.float32(_STEPS - 1)
    light += np.float32(0.5)
    return light.astype(np.intp)


class FrameMapper:
    """Turns decoded frames into RGB with a mapping.

    Args:
        mapping: media.colour.light.Mapping.
    """

    def __init__(self, mapping):
        self._lookup, self._reformatter = Lookup(mapping), VideoReformatter()

    def __call__(self, frame, *, width, height, matrix, full_range, alpha):
        """(H, W, 3) or, with `alpha`, (H, W, 4) uint8 RGB.

        Args:
            frame: of any pixel format.
            width, height: of the result.
            matrix: Colorspace by which its YUV becomes RGB.
            full_range: it is stored in full range.
            alpha: it has transparency.
        """
        planar = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="gbrap12le" if alpha else "gbrp12le",
            src_colorspace=matrix,
            src_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_EXACT,
            threads=1,
        )
        green, blue, red, *rest = (_plane(plane, width, height) for plane in planar.planes)
        out = np.empty((height, width, 4 if alpha else 3), np.uint8)
        self._lookup(red, green, blue, out)
        if alpha:
            out[..., 3] = (rest[0].astype(np.uint32) * 255 + _MOST // 2) // _MOST
        return out


def _plane(plane, width, height):
    return np.frombuffer(plane, np.uint16).reshape(height, -1)[:, :width]


def map_picture(mapping, rgb):
    """A picture of 8 bits with a mapping.

    Args:
        mapping: media.colour.light.Mapping.
        rgb: (H, W, 3) uint8.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    codes = (np.arange(256) * _MOST + 127) // 255
    out = np.empty_like(rgb)
    Lookup(mapping)(*(codes.astype(np.uint16)[rgb[..., channel]] for channel in range(3)), out)
    return out
