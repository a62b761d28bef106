"""Decoded frames to upright RGB arrays with square pixels: colour matrix, range, HDR, alpha, rotation, pixel aspect."""

from fractions import Fraction

import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from media.colour.lookup import FrameMapper, mapping_of
from media.pictures.stills import over_grey

# Codes of ITU-T H.273 table 4 (matrix coefficients), which ffmpeg's AVColorSpace follows.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
BT709_LUMA = (0.2126, 0.0722)
# Weights of red and blue in the luma of each (ITU-R BT.709, BT.601, BT.2020; FCC 73.682; SMPTE 240M).
_LUMA = {
    Colorspace.ITU709: BT709_LUMA,
    Colorspace.ITU601: (0.299, 0.114),
    Colorspace.FCC: (0.30, 0.11),
    Colorspace.SMPTE240M: (0.212, 0.087),
    Colorspace.BT2020: (0.2627, 0.0593),
}
_ASPECT_SLACK = Fraction(2, 100)
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_FAST = Interpolation.BICUBIC
_FAST_FORMATS = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p"}


def colour_matrix(code, width, height):
    """swscale's matrix for an H.273 code.

    An untagged picture (code 0 or 2) is taken as BT.709 when it is wider than 1279 or higher than 576 pixels and as BT.601
    otherwise: the rule that the players mpv and VLC follow, inferred for files that do not say.
    """
    if code in _MATRICES:
        return _MATRICES[code]
    return Colorspace.ITU709 if width >= 1280 or height > 576 else Colorspace.ITU601


def luma_weights(frame):
    """(weight of red, weight of blue) of the matrix with which FrameConverter turns this frame into RGB; None if it is RGB."""
    return None if frame.format.is_rgb else _LUMA[colour_matrix(frame.colorspace, frame.width, frame.height)]


def display_transform(frame):
    """(quarter turns counter-clockwise, mirrored left-right first) that the frame's display matrix asks for.

    An angle that is no multiple of 90 degrees goes to the nearest one. Call it once a stream: PyAV's side data ties the frame
    into a reference cycle, so that its memory is freed late.
    """
    turns = round(frame.rotation / 90) % 4
    try:
        data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        data = None
    if data is None:
        return turns, False
    matrix = np.frombuffer(bytes(data), np.int32).reshape(3, 3).astype(np.float64)
    if matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0] >= 0:
        return turns, False
    unmirrored = matrix[:2, :2] * np.array([[-1.0], [1.0]])
    angle = np.degrees(np.arctan2(-unmirrored[0, 1], unmirrored[0, 0]))
    return round(angle / 90) % 4, True


def square_pixels(width, height, aspect):
    """Size with square pixels for a stored size and a sample aspect ratio (Fraction, or None or 0 when unknown).

    The short side in pixels grows, so that nothing is lost. A ratio within 2 % of 1 is left alone: it comes from rounding in
    some encoders, and resampling would only blur.
    """
    if not aspect or aspect <= 0 or abs(aspect - 1) <= _ASPECT_SLACK or not Fraction(1, 8) <= aspect <= 8:
        return width, height
    return (max(1, round(width * aspect)), height) if aspect > 1 else (width, max(1, round(height / aspect)))


def has_alpha(frame):
    """The format of a decoded frame has transparency, or a palette that may have."""
    return frame.format.has_palette or any(part.is_alpha for part in frame.format.components)


def is_transparent(frame):
    """A decoded frame has a pixel that is not opaque."""
    return has_alpha(frame) and bool(VideoReformatter().reformat(frame, format="rgba").to_ndarray()[..., 3].min() < 255)


class FrameConverter:
    """Turns decoded frames of one stream into (H, W, 3) uint8 RGB, upright, with square pixels.

    Two ways for 8-bit 4:2:0 and 4:2:2. The fast one (0.5 ms at 720p) is ffmpeg's table converter: it repeats chroma samples and
    rounds down, which darkens by one grey level on average and 2.7 at most; for untagged files it gives the very pixels that
    OpenCV's VideoCapture gives. The exact one (3 ms) rounds to nearest and interpolates chroma. All other formats are converted
    exactly.

    Args:
        aspect: sample aspect ratio of the stream, Fraction or None.
        exact: always take the exact way.
    """

    def __init__(self, aspect=None, *, exact=False):
        self._aspect = aspect
        self._exact = exact
        self._reformatter = VideoReformatter()
        self._transform = None
        self._mapper = False  # not known before the first frame

    def size(self, frame):
        """(width, height, clockwise rotation in degrees) of what `__call__` gives for this frame."""
        width, height = square_pixels(frame.width, frame.height, self._aspect)
        turns, _ = self._display_transform(frame)
        return (height, width, 360 - 90 * turns) if turns % 2 else (width, height, 90 * turns)

    def __call__(self, frame):
        """(H, W, 3) uint8 RGB, contiguous; transparency is laid over grey, HDR and wide colours become BT.709."""
        array = self._to_rgb(frame)
        turns, mirrored = self._display_transform(frame)
        if mirrored:
            array = array[:, ::-1]
        if turns:
            array = np.rot90(array, turns)
        return np.ascontiguousarray(array)

    def _display_transform(self, frame):
        """The stream's display transform, taken from its first frame."""
        if self._transform is None:
            self._transform = display_transform(frame)
        return self._transform

    def _to_rgb(self, frame):
        width, height = square_pixels(frame.width, frame.height, self._aspect)
        alpha = has_alpha(frame)
        full = frame.color_range == ColorRange.JPEG or frame.format.is_rgb or frame.format.name.startswith("yuvj")
        if self._mapper is False:
            mapping = mapping_of(frame)
            self._mapper = None if mapping is None else FrameMapper(mapping)
        if self._mapper:
            matrix = colour_matrix(frame.colorspace, frame.width, frame.height)
            how = {"width": width, "height": height, "matrix": matrix, "full_range": full, "alpha": alpha}
            converted = self._mapper(frame, **how)
            return over_grey(converted) if alpha else converted
        same_size = (width, height) == (frame.width, frame.height)
        fast = same_size and frame.format.name in _FAST_FORMATS and not self._exact
        converted = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgba" if alpha else "rgb24" if fast or frame.format.is_rgb else "gbrp",
            src_colorspace=colour_matrix(frame.colorspace, frame.width, frame.height),
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_FAST if fast else _EXACT,
            threads=1,
        ).to_ndarray()
        return over_grey(converted) if alpha else converted
