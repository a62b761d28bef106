"""The inside of a mouth that no picture shows: upper teeth that stay with the skull, lower teeth that go with the jaw, a tongue,
the dark behind them, in the light and colours of the person's own picture."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import atomic_output, require_file
from faces.crops import inverse
from faces.landmarks import CANONICAL_STABLE, STABLE, apply_affine, fit_similarity
from faces.mouth import mouth_opening
from faces.mouth_light import LUMINANCE, face_colours
from faces.own_teeth import OwnTeeth, mouth_origin, own_teeth

RELEASED = Path(__file__).resolve().parents[1] / "checkpoints" / "inner_mouth.safetensors"
INNER_UPPER, INNER_LOWER = (60, 61, 62, 63, 64), (60, 67, 66, 65, 64)
FORMAT = "talkingface-inner-mouth-1"
BORDER = 0.03  # eye distances that are drawn beyond the lips, for the softness of the edge
CLOSED, OPEN = 0.006, 0.03  # gap of the inner lips in eye distances: below the first nothing is drawn, from the second on all
DRAWN = 260  # pixels of an eye distance at which smaller faces are drawn, before they are shrunk
LITTLE, ENOUGH = 0.35, 0.65
MILLIMETRE = 1 / 63.0  # eye distances


@dataclass(frozen=True)
class Look:
    """Light and colours of a person's inner mouth, and how sharp the person's picture is.

    Attributes:
        enamel, gum, tongue, dark: (3,) float64 RGB, 0 to 255.
        blur: float, standard deviation of the picture's edges, eye distances.
        own: OwnTeeth, the upper teeth that the picture shows, or None.
    """

    enamel: np.ndarray
    gum: np.ndarray
    tongue: np.ndarray
    dark: np.ndarray
    blur: float
    own: OwnTeeth | None = None


@dataclass
class Anatomy:
    """Learned numbers; lengths in millimetres of a mean adult (MILLIMETRE)."""

    show: float = 1.0  # the upper edge lies below the line where lips meet at rest
    overbite: float = 2.0  # the lower edge lies above the upper one while the teeth are closed
    jaw: float = 0.72  # share of the lower lip's drop that the jaw takes part in
    fall_upper: float = 21.0  # from the midline to where teeth have lost 63 % of their light
    fall_lower: float = 18.0
    dim_lower: float = 0.82
    lip_shadow: float = 0.5  # share of light that teeth lose right under the upper lip
    lip_depth: float = 1.6  # down to where that shadow has lost 63 %
    width: float = 0.74  # of a mean mouth at rest, eye distances
    warm: np.ndarray = (0.88, 1.05, 1.22)  # powers of the share of light: what is shaded is lit by red lips
    skin_share: float = 0.5  # luminance of enamel: whites of the eyes to the power of 1 - skin_share, skin to that of skin_share
    enamel: np.ndarray = (1.28, 1.28, 1.21)  # times that, in the tint of the whites
    dark: np.ndarray = (0.9, 0.65, 0.65)  # of the face's darkest colour
    tongue: np.ndarray = (0.88, 0.86, 0.92)  # of the lips' colour
    gum: np.ndarray = (1.0, 1.05, 1.05)


class InnerMouth:
    """Draws teeth, tongue and dark between opened lips; see `InnerMouth.load`."""

    def __init__(self, upper, lower, lines, density, anatomy=None):
        """upper, lower: (H, W, 4) float32, see `faces.teeth.row_of_teeth`, the lower row upright; lines: rows of the edges."""
        self.layers = {"upper": _pyramid(upper), "lower": _pyramid(lower)}
        self.lines, self.density = lines, density
        self.anatomy = anatomy or Anatomy()

    @staticmethod
    def load(path=RELEASED):
        """Read a file of `tools/learn_inner_mouth.py` (safetensors).

        Raises:
            InputError: there is no such file, or it is something else.
        """
        from safetensors import SafetensorError, safe_open

        require_file(path, "inner mouth")
        try:
            with safe_open(str(path), framework="numpy") as stored:
                if (stored.metadata() or {}).get("format") != FORMAT:
                    raise InputError(f"{path}: not a {FORMAT} file")
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}
            upper, lower = (tensors[row].astype(np.float32) / 200 for row in ("upper", "lower"))
            numbers = {field.name: tensors[field.name].astype(np.float64) for field in fields(Anatomy)}
            lines, density = dict(zip(("upper", "lower"), tensors["lines"].tolist(), strict=True)), float(tensors["density"][0])
        except (SafetensorError, KeyError, OSError) as error:
            raise InputError(f"{path}: not a {FORMAT} file, or damaged ({error})") from error
        anatomy = Anatomy(**{name: value if value.ndim else float(value) for name, value in numbers.items()})
        return InnerMouth(upper, lower, lines, density, anatomy)

    def save(self, path):
        """Write what `load` reads: enamel and gum in steps of 1/200, the numbers as float32."""
        from safetensors.numpy import save_file

        tensors = {row: np.rint(np.clip(self.layers[row][0], 0, 1.275) * 200).astype(np.uint8) for row in ("upper", "lower")}
        tensors |= {field.name: np.asarray(getattr(self.anatomy, field.name), np.float32) for field in fields(Anatomy)}
        tensors["lines"] = np.array([self.lines["upper"], self.lines["lower"]], np.float32)
        tensors["density"] = np.array([self.density], np.float32)
        with atomic_output(path) as temporary:
            save_file(tensors, str(temporary), metadata={"format": FORMAT})

    def look(self, picture, landmarks, rest=None):
        """Fit light and colours to a person.

        Args:
            picture: (H, W, 3) uint8 RGB, a sharp frame of the person.
            landmarks: (68, 2) pixels, the mouth as the picture has it.
            rest: (68, 2) pixels, the same with the mouth at rest; None: upper teeth that the picture shows are not looked for.

        Returns:
            Look.
        """
        colours, numbers = face_colours(picture, landmarks), self.anatomy
        white, skin = colours.white @ LUMINANCE, colours.skin @ LUMINANCE
        bright = white ** (1 - numbers.skin_share) * skin**numbers.skin_share
        enamel = np.minimum(colours.white / white * bright * numbers.enamel, 252.0)
        own = own_teeth(picture, landmarks, rest, colours.white) if rest is not None else None
        if own is not None:
            enamel = own.enamel
        matrix = fit_similarity(np.asarray(landmarks, np.float64)[list(STABLE)], CANONICAL_STABLE)
        return Look(
            enamel=enamel,
            gum=colours.lips * numbers.gum,
            tongue=colours.lips * numbers.tongue,
            dark=colours.shade * numbers.dark,
            blur=colours.blur * float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))),
            own=own,
        )

    def draw(self, picture, landmarks, rest, look, share=1.0):
        """Draw the inner mouth where the inner lips leave a gap.

        Args:
            picture: (S, S, 3) uint8 RGB, or any other size, the lips already where they are wanted.
            landmarks: (68, 2) pixels, the mouth as it is wanted.
            rest: (68, 2) pixels, the same frame with the mouth at rest: `faces.lip_space.placed` with no movement.
            look: Look of the person's picture, see `look`.
            share: float in [0, 1], see `missing`: how much of the drawing lies over what the picture shows.

        Returns:
            (S, S, 3) uint8; `picture` itself where the mouth is closed.
        """
        import cv2

        landmarks, rest = np.asarray(landmarks, np.float64), np.asarray(rest, np.float64)
        matrix = fit_similarity(landmarks[list(STABLE)], CANONICAL_STABLE)
        wanted, still = apply_affine(matrix, landmarks), apply_affine(matrix, rest)
        x, top, bottom = _inner_lips(wanted)
        gap = float((bottom - top).max())
        if not gap > CLOSED or share <= 0:
            return picture
        unit = 1 / np.sqrt(abs(np.linalg.det(matrix[:, :2])))  # picture pixels of an eye distance
        fine = unit * float(np.clip(DRAWN / unit, 1.0, 4.0))
        corner = np.array([x[0] - BORDER, top.min() - BORDER])
        extent = np.array([x[-1] + BORDER, bottom.max() + BORDER]) - corner
        width, height = (int(value) for value in np.ceil(extent * fine))
        columns = ((np.arange(width, dtype=np.float32) + 0.5) / fine + corner[0]).astype(np.float32)
        rows = ((np.arange(height, dtype=np.float32) + 0.5) / fine + corner[1]).astype(np.float32)[:, None]
        lips = np.interp(columns, x, top).astype(np.float32), np.interp(columns, x, bottom).astype(np.float32)
        inside, shade = self._inside(columns, rows, lips, wanted, still, fine, corner, look)
        mask = _outline(x, top, bottom, corner, fine, (width, height)) * (share * min(1.0, (gap - CLOSED) / (OPEN - CLOSED)))
        soft = max(look.blur * fine, 0.4 * fine / unit)
        drawn = cv2.GaussianBlur(np.dstack([inside, mask]), (0, 0), float(soft), borderType=cv2.BORDER_REPLICATE)
        return _laid(picture, drawn, shade, matrix, fine, corner, look.own, mouth_origin(still))

    def _inside(self, columns, rows, lips, wanted, still, fine, corner, look):
        a = self.anatomy
        upper_lip, lower_lip = lips
        grow = float(np.clip((np.linalg.norm(still[54] - still[48]) / a.width) ** 0.5, 0.85, 1.2))
        mm = MILLIMETRE * grow
        middle, line = (float(value) for value in mouth_origin(still))
        upper_edge = line + (a.show * mm if look.own is None else look.own.edge)
        drop = max(0.0, float(wanted[66, 1] - still[66, 1])) * a.jaw
        lower_edge = upper_edge - a.overbite * mm + drop
        off = np.abs(columns - middle) / mm  # millimetres of the head
        below, above = np.maximum(rows - upper_lip, 0), np.maximum(lower_lip - rows, 0)
        gap = np.maximum(lower_lip - upper_lip, 0)
        # The dark takes a little light from below and from the front.
        deep = np.clip(below / max(float(gap.max()), 1e-3), 0, 1) * np.exp(-((off / 22) ** 2))
        inside = (0.55 + 0.75 * deep)[..., None] * look.dark.astype(np.float32)
        self._lay_tongue(inside, rows, off, lower_edge, upper_edge, look)
        under = np.maximum(rows - np.maximum(upper_lip, upper_edge - 0.02), 0)  # the upper row shades the lower one
        shade = (1 - 0.45 * np.exp(above / -mm)) * (1 - 0.5 * np.exp(under / (-3 * mm)))
        for row, edge, fall, light in (
            ("lower", lower_edge, a.fall_lower, a.dim_lower * shade),
            ("upper", upper_edge, a.fall_upper, 1 - a.lip_shadow * np.exp(below / (-a.lip_depth * mm))),
        ):
            layer = self._layer(row, edge, middle, fine, grow, corner, (len(columns), len(rows)))
            light = np.log(np.maximum(light * np.exp(-((off / fall) ** 3)), 1e-3))
            front = np.clip(layer[..., 3] + layer[..., 2], 0, 1)
            inside *= (1 - front)[..., None]
            for channel in range(3):
                lit = np.exp(light * float(a.warm[channel]))
                inside[..., channel] += lit * (layer[..., 0] * float(look.enamel[channel]) + layer[..., 1] * float(look.gum[channel]))
                inside[..., channel] += (layer[..., 2] * 0.8 + front * (1 - lit) * 0.3) * float(look.dark[channel])
        # The lips lie over it all in a soft shadow, and little light falls into a narrow gap.
        shadow = (1 - 0.35 * np.exp(below / -0.012)) * (1 - 0.15 * np.exp(above / -0.01)) * np.clip(0.35 + gap / 0.10, 0.35, 1)
        under_lip = 1 - a.lip_shadow * np.exp(below / (-a.lip_depth * mm))
        return inside * (shadow[..., None] ** np.asarray(a.warm, np.float32)), shadow * under_lip

    def _lay_tongue(self, inside, rows, off, lower_edge, upper_edge, look):
        rise = 0.05 + 0.50 * max(0.0, lower_edge - upper_edge)
        top = lower_edge - rise + 0.10 * (off / 18) ** 2
        height = rows - top
        cover = _smooth(height / (0.05 + 0.25 * rise)) * _smooth((21 - off) / 5)
        swell = _smooth(height / max(0.12, rise))
        light = (0.45 + 0.55 * swell) * (1 - 0.16 * np.exp(-((off / 1.8) ** 2)) * swell) * np.exp(-((off / 21) ** 2))
        inside += cover[..., None] * (look.tongue.astype(np.float32) * light[..., None] - inside)

    def _layer(self, row, edge, middle, fine, grow, corner, size):
        """One row of teeth on the drawing's pixels: (H, W, 4) float32."""
        import cv2

        zoom = self.density / (fine * grow)  # texture pixels a pixel
        level = int(np.clip(np.floor(np.log2(max(zoom, 1.0)) + 0.25), 0, len(self.layers[row]) - 1))
        texture = self.layers[row][level]
        zoom, part = zoom / 2**level, 2.0**-level
        shift = [((corner[0] - middle) * fine + 0.5) * zoom + texture.shape[1] / 2 - 0.5,
                 ((corner[1] - edge) * fine + 0.5) * zoom + self.lines[row] * part - 0.5]  # fmt: skip
        place = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
        return cv2.warpAffine(texture, place, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def missing(source, wanted):
    """How much of a wanted inner mouth a source does not show: its opening against the wanted one.

    Args:
        source, wanted: (68, 2) landmarks in any unit.

    Returns:
        float in [0, 1]: 0 where the source is open at least ENOUGH as far as wanted, 1 where it is open LITTLE as far.
    """
    there, asked = float(mouth_opening(source)), float(mouth_opening(wanted))
    if asked <= 0:
        return 0.0
    return float(np.clip((ENOUGH - there / asked) / (ENOUGH - LITTLE), 0, 1))


def _laid(picture, drawn, shade, matrix, fine, corner, own, origin):
    """`drawn` (h, w, 4), colours and weight, and own teeth in `shade` (h, w), laid over a copy of the picture.

    matrix: picture -> canonical; origin: where own teeth hang.
    """
    import cv2

    to_drawn = matrix * fine
    to_drawn[:, 2] -= corner * fine + 0.5
    height, width = drawn.shape[:2]
    corners = apply_affine(inverse(to_drawn), np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64))
    x1, y1 = (int(value) for value in np.maximum(np.floor(corners.min(0)) - 1, 0))
    x2, y2 = (int(value) for value in np.minimum(np.ceil(corners.max(0)) + 2, picture.shape[1::-1]))
    if x2 <= x1 or y2 <= y1:
        return picture
    to_drawn[:, 2] += to_drawn[:, :2] @ (x1, y1)
    size, back = (x2 - x1, y2 - y1), cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(drawn, to_drawn, size, flags=cv2.INTER_LINEAR | back, borderMode=cv2.BORDER_CONSTANT)
    colours = laid[..., :3]
    if own is not None:
        to_origin = matrix.copy()
        to_origin[:, 2] += to_origin[:, :2] @ (x1, y1) - origin
        to_own = _chain(to_origin, inverse(own.anchor))
        teeth = cv2.warpAffine(own.picture, to_own, size, flags=cv2.INTER_CUBIC | back, borderMode=cv2.BORDER_REPLICATE)
        cover = cv2.warpAffine(own.cover, to_own, size, flags=cv2.INTER_LINEAR | back)[..., None]
        dim = cv2.warpAffine(shade, to_drawn, size, flags=cv2.INTER_LINEAR | back, borderMode=cv2.BORDER_REPLICATE)[..., None]
        colours = colours + (teeth * dim - colours) * cover
    out = picture.copy()
    behind = out[y1:y2, x1:x2].astype(np.float32)
    out[y1:y2, x1:x2] = np.clip(np.rint(behind + (colours - behind) * laid[..., 3:]), 0, 255)
    return out


def _chain(first, second):
    """Affine matrices (2, 3): first, then second."""
    return np.concatenate([second[:, :2] @ first[:, :2], (second[:, :2] @ first[:, 2] + second[:, 2])[:, None]], 1)


def _inner_lips(points):
    """Canonical points (68, 2) -> x (K,) rising, upper and lower inner lip (K,) there: smooth curves."""
    from scipy.interpolate import PchipInterpolator

    upper, lower = points[list(INNER_UPPER)], points[list(INNER_LOWER)]
    x = np.linspace(upper[0, 0], max(upper[-1, 0], upper[0, 0] + 1e-3), 49)
    curves = []
    for lip in (upper, lower):
        across = np.maximum.accumulate(lip[:, 0] + np.arange(5) * 1e-6)
        curves.append(PchipInterpolator(across, lip[:, 1])(np.clip(x, across[0], across[-1])))
    return x, curves[0], np.maximum(curves[0], curves[1])


def _outline(x, top, bottom, corner, fine, size):
    """(H, W) float32 in [0, 1]: between the lips, fading where they meet."""
    import cv2

    mask = np.zeros(size[::-1], np.uint8)
    outline = np.concatenate([np.stack([x, top], 1), np.stack([x, bottom], 1)[::-1]])
    cv2.fillPoly(mask, [np.round(((outline - corner) * fine - 0.5) * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    columns = (np.arange(size[0]) + 0.5) / fine + corner[0]
    fade = _smooth(np.interp(columns, x, bottom - top) / 0.035)
    return mask * (fade / 255)


def _pyramid(layer):
    import cv2

    levels = [np.ascontiguousarray(layer, np.float32)]
    while min(levels[-1].shape[:2]) > 24:
        height, width = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    return levels


def _smooth(value):
    value = np.clip(value, 0, 1)
    return (value * value * (3 - 2 * value)).astype(np.float32)
