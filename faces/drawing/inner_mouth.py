"""The inside of a mouth that no picture shows: upper teeth that stay with the skull, lower teeth that go with the jaw, a
tongue, the dark behind them, in the light and colours of the person's own picture."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import atomic_output, require_file
from faces.drawing.mouth_layers import inner_lips, laid, outline, pyramid, smooth
from faces.drawing.mouth_light import LUMINANCE, face_colours
from faces.drawing.own_teeth import OwnTeeth, mouth_origin, own_teeth
from faces.drawing.teeth import MILLIMETRES
from faces.landmarks import CANONICAL_STABLE, STABLE, apply_affine, fit_similarity
from faces.mouth import mouth_opening

RELEASED = Path(__file__).resolve().parents[2] / "checkpoints" / "inner_mouth.safetensors"
FORMAT = "talkingface-inner-mouth-1"
LEAST_WHITE = 0.6  # of the skin's luminance: eyes that are closed or small in the picture show no white
LEAST_GREEN = 0.955  # of the mean of red and blue: teeth are never pink
NARROW, WIDE = 0.35, 0.12  # light in a narrow gap, over that in one of the second width, eye distances
BORDER = 0.03  # eye distances that are drawn beyond the lips, for the softness of the edge
CLOSED, OPEN = 0.006, 0.03  # gap of the inner lips in eye distances: below the first nothing is drawn, from the second on all
DRAWN = 260  # pixels of an eye distance at which smaller faces are drawn, before they are shrunk
LITTLE, ENOUGH = 0.35, 0.65
MILLIMETRE = 1 / MILLIMETRES  # eye distances


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

    show: float = 1.5  # the upper edge lies below the line where lips meet at rest
    overbite: float = 2.0  # the lower edge lies above the upper one while the teeth are closed
    jaw: float = 0.78  # share of the lower lip's drop that the jaw takes part in
    fall_upper: float = 21.0  # from the midline to where teeth have lost 63 % of their light
    fall_lower: float = 18.0
    dim_lower: float = 0.8
    lip_shadow: float = 0.6  # share of light that teeth lose right under the upper lip
    lip_depth: float = 1.6  # down to where that shadow has lost 63 %
    width: float = 0.74  # of a mean mouth at rest, eye distances
    warm: np.ndarray = (0.85, 1.03, 1.24)  # powers of the share of light: what is shaded is lit by red lips
    skin_share: float = 0.4  # luminance of enamel goes with skin's to this power, and with that of the whites of the eyes
    soft: float = 1.1  # edges of what is drawn, over the picture's sharpest
    lip_soft: float = 2.0  # the lips' edge over it, over the same
    enamel: np.ndarray = (1.20, 1.25, 1.30)  # times that, in the tint between the whites' and the skin's
    dark: np.ndarray = (0.9, 0.65, 0.65)  # of the face's darkest colour
    tongue: np.ndarray = (0.88, 0.86, 0.92)  # of the lips' colour
    gum: np.ndarray = (1.0, 1.05, 1.05)


class InnerMouth:
    """Draws teeth, tongue and dark between opened lips; see `InnerMouth.load`."""

    def __init__(self, upper, lower, lines, density, anatomy=None):
        """upper, lower: (H, W, 4) float32, see `teeth.row_of_teeth`, the lower row upright; lines: rows of the edges."""
        self.layers = {"upper": pyramid(upper), "lower": pyramid(lower)}
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
        bright = max(white, LEAST_WHITE * skin) ** (1 - numbers.skin_share) * skin**numbers.skin_share
        tint = np.sqrt(colours.white * colours.skin)  # whites of the eyes may be red or yellow: the skin knows the light, too
        enamel = tint / (tint @ LUMINANCE) * bright * numbers.enamel
        enamel[1] = max(enamel[1], LEAST_GREEN * (enamel[0] + enamel[2]) / 2)
        enamel = np.minimum(enamel, 252.0)
        own = own_teeth(picture, landmarks, rest, colours.white, colours.lips) if rest is not None else None
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
        x, top, bottom = inner_lips(wanted)
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
        mask = outline(x, top, bottom, corner, fine, (width, height)) * (share * min(1.0, (gap - CLOSED) / (OPEN - CLOSED)))
        numbers = self.anatomy
        soft, lip_soft = (max(look.blur * part, 0.4 / unit) * fine for part in (numbers.soft, numbers.lip_soft))
        inside = cv2.GaussianBlur(inside, (0, 0), float(soft), borderType=cv2.BORDER_REPLICATE)
        drawn = np.dstack([inside, cv2.GaussianBlur(mask, (0, 0), float(lip_soft))])
        return laid(picture, drawn, shade, matrix, fine, corner, look.own, mouth_origin(still))

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
        # The lips lie over it all in a soft shadow, and little light falls into a narrow gap; the dark is as dark everywhere.
        shadow = (1 - 0.35 * np.exp(below / -0.012)) * (1 - 0.15 * np.exp(above / -0.01))
        shadow = shadow * (NARROW + (1 - NARROW) * smooth(gap / WIDE))
        deep = np.clip(below / max(float(gap.max()), 1e-3), 0, 1)
        inside = (0.85 + 0.3 * deep)[..., None] * look.dark.astype(np.float32)
        self._lay_tongue(inside, rows, off, lower_edge, upper_edge, shadow, look)
        under = np.maximum(rows - np.maximum(upper_lip, upper_edge - 0.02), 0)  # the upper row shades the lower one
        under_row = (1 - 0.3 * np.exp(above / -mm)) * (1 - 0.3 * np.exp(under / (-3 * mm)))
        under_lip = 1 - a.lip_shadow * np.exp(below / (-a.lip_depth * mm))
        for row, edge, fall, light in (
            ("lower", lower_edge, a.fall_lower, a.dim_lower * under_row),
            ("upper", upper_edge, a.fall_upper, under_lip),
        ):
            layer = self._layer(row, edge, middle, fine, grow, corner, (len(columns), len(rows)))
            light = np.log(np.maximum(light * shadow * np.exp(-((off / fall) ** 3)), 1e-3))
            front = np.clip(layer[..., 3] + layer[..., 2], 0, 1)
            for channel in range(3):
                lit = np.exp(light * float(a.warm[channel]))
                colour = layer[..., 0] * float(look.enamel[channel]) + layer[..., 1] * float(look.gum[channel])
                dark = (layer[..., 2] + front * (1 - lit)) * (0.7 * float(look.dark[channel]))
                inside[..., channel] += lit * colour + dark - front * inside[..., channel]
        return inside, (shadow * under_lip)[..., None] ** np.asarray(a.warm, np.float32)

    def _lay_tongue(self, inside, rows, off, lower_edge, upper_edge, shadow, look):
        """A soft mound behind the lower teeth; writes into `inside`."""
        rise = 0.05 + 0.50 * max(0.0, lower_edge - upper_edge)
        height = rows - (lower_edge - rise + 0.10 * (off / 18) ** 2)
        cover = smooth(height / (0.05 + 0.25 * rise)) * smooth((21 - off) / 5)
        swell = smooth(height / max(0.12, rise))
        light = (0.45 + 0.55 * swell) * (1 - 0.16 * np.exp(-((off / 1.8) ** 2)) * swell) * np.exp(-((off / 21) ** 2))
        light = np.log(np.maximum(light * shadow, 1e-3))
        for channel in range(3):
            colour = np.exp(light * float(self.anatomy.warm[channel])) * float(look.tongue[channel])
            inside[..., channel] += cover * (colour - inside[..., channel])

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
