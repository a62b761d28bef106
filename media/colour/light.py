"""From a signal in any of the usual colour spaces to a BT.709 or sRGB signal for a standard display.

Sources: ITU-R BT.2100 (PQ, HLG and its OOTF), BT.2390 (EETF), BT.2408 (reference white of 203 cd/m2), BT.1886, IEC 61966-2-1.
"""

from dataclasses import dataclass

import numpy as np

# Codes of ITU-T H.273, tables 2 (primaries) and 3 (transfer), which FFmpeg follows.
PQ, HLG, SRGB = 16, 18, 13
BT709, BT2020 = 1, 9
WHITE = 203.0  # cd/m2 of diffuse white in HDR, which becomes the white of the result
HLG_PEAK = 1000.0  # cd/m2 of the display for which HLG is rendered
PQ_PEAK = 1000.0  # where a PQ stream does not say how bright it is
HLG_GAMMA = 1.2  # of the OOTF at HLG_PEAK
_D65, _DCI = (0.3127, 0.3290), (0.314, 0.351)
_PRIMARIES = {
    BT709: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
WIDE = {BT2020: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
_GAMMAS = {4: 2.2, 5: 2.8}
_DISPLAY_GAMMA = 2.4  # BT.1886
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True)
class Mapping:
    """What has to be done to the colours of a stream or picture.

    Attributes:
        primaries, transfer: codes of H.273.
        peak: cd/m2 of the brightest pixel that is expected; of HDR alone, else None.
    """

    primaries: int
    transfer: int
    peak: float | None = None

    @property
    def note(self):
        """One sentence for the user."""
        if self.peak is None:
            return f"{WIDE[self.primaries]} colours are converted to BT.709"
        kind = "HLG" if self.transfer == HLG else "PQ"
        return f"HDR ({kind}, up to {self.peak:g} cd/m2) is tone-mapped to BT.709"

    def __call__(self, signal):
        """Map colours.

        Args:
            signal: (..., 3) float in [0, 1], non-linear R'G'B' in full range.

        Returns:
            (..., 3) float64 in [0, 1], non-linear R'G'B' with BT.709 primaries.
        """
        signal = np.clip(np.asarray(signal, np.float64), 0, 1)
        light = self.light(signal)
        if self.peak is not None:
            light = tone_map(light, self.peak)
        return self.encode(into_gamut(light @ conversion(self.primaries).T))

    def light(self, signal):
        """Linear light on the display for which the signal is made; 1 is the white of the result."""
        if self.transfer == PQ:
            return pq_light(signal) / WHITE
        if self.transfer == HLG:
            return hlg_light(signal, luma(self.primaries)) / WHITE
        if self.transfer == SRGB:
            return np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
        return signal ** _GAMMAS.get(self.transfer, _DISPLAY_GAMMA)

    def encode(self, light):
        """Signal of linear light in [0, 1]: the inverse of `light` for what stays in standard range, BT.1886's for HDR."""
        if self.transfer == SRGB:
            return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
        return light ** (1 / _GAMMAS.get(self.transfer, _DISPLAY_GAMMA))


def mapping_for(primaries, transfer, peak=None):
    """Mapping of a stream's or picture's tags, or None where they ask for no change.

    HDR without primaries is taken as BT.2020. BT.601's primaries, and unknown ones, are taken as BT.709's, as players do.

    Args:
        primaries, transfer: codes of H.273.
        peak: cd/m2 of a PQ stream by its metadata, or None.
    """
    if transfer in (PQ, HLG):
        primaries = primaries if primaries in _PRIMARIES else BT2020
        return Mapping(primaries, transfer, HLG_PEAK if transfer == HLG else max(WHITE, min(peak or PQ_PEAK, 10000.0)))
    return Mapping(primaries, transfer) if primaries in WIDE else None


def pq_light(signal):
    """cd/m2 of a PQ signal in [0, 1] (BT.2100 table 4)."""
    root = np.asarray(signal, np.float64) ** (32 / 2523)
    return 10000.0 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (16384 / 2610)


def pq_signal(light):
    """PQ signal in [0, 1] of cd/m2; the inverse of `pq_light`."""
    power = (np.asarray(light, np.float64) / 10000.0) ** (2610 / 16384)
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** (2523 / 32)


def hlg_light(signal, weights):
    """cd/m2 on a display of 1000 cd/m2 for an HLG signal in [0, 1] (BT.2100 table 5: inverse OETF, then OOTF).

    Args:
        signal: (..., 3).
        weights: (3,) of red, green and blue in the luminance.
    """
    scene = hlg_scene(signal)
    return HLG_PEAK * (scene @ weights)[..., None] ** (HLG_GAMMA - 1) * scene


def hlg_scene(signal):
    """Linear light of the scene, in [0, 1], of an HLG signal in [0, 1]: the inverse OETF."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)


def tone_map(light, peak):
    """Bring light of up to `peak` cd/m2 into [0, 1] by the EETF of BT.2390, hue and saturation kept.

    The curve holds for the largest of R, G and B; all three are multiplied by what it does to the largest. Light below the
    knee stays as it is.

    Args:
        light: (..., 3), 1 is WHITE.
        peak: cd/m2, from WHITE up.
    """
    largest = np.minimum(light.max(-1), peak / WHITE)
    top = pq_signal(peak)
    most = pq_signal(WHITE) / top
    knee = 1.5 * most - 0.5
    given = pq_signal(largest * WHITE) / top
    t = np.clip((given - knee) / max(1 - knee, 1e-9), 0, 1)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    wanted = pq_light(np.where(given < knee, given, bent) * top) / WHITE
    return light * (wanted / np.maximum(light.max(-1), 1e-9))[..., None]


def into_gamut(light):
    """Colours that lie outside [0, 1] moved towards the grey of their luminance (BT.709) until they lie inside."""
    grey = np.clip(light @ luma(BT709), 0, 1)[..., None]
    away = light - grey
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(away < 0, grey / -away, np.where(away > 0, (1 - grey) / away, np.inf))
    return np.clip(grey + away * np.minimum(room.min(-1, keepdims=True), 1), 0, 1)


def to_xyz(primaries):
    """(3, 3) matrix from linear RGB with these primaries to XYZ."""
    *corners, white = ((x / y, 1.0, (1 - x - y) / y) for x, y in _PRIMARIES[primaries])
    columns = np.array(corners).T
    return columns * np.linalg.solve(columns, np.array(white))


def luma(primaries):
    """(3,) weights of linear red, green and blue in the luminance."""
    return to_xyz(primaries)[1]


def conversion(primaries):
    """(3, 3) matrix from linear RGB with these primaries to BT.709's; a white that is not D65 is adapted (Bradford)."""
    white, wanted = (_BRADFORD @ to_xyz(code).sum(1) for code in (primaries, BT709))
    adapt = np.linalg.inv(_BRADFORD) @ np.diag(wanted / white) @ _BRADFORD
    return np.linalg.inv(to_xyz(BT709)) @ adapt @ to_xyz(primaries)
