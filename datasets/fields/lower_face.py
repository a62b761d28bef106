"""Fields of a refining network: the face, drawn of another frame, and the drawing of its lips.

The source is a frame of the same clip, `gap` frames or more away, so that nothing can be copied: the nearest one
in shape of the mouth and pose, as from a bank of own frames, or one with closed lips, as a portrait gives it.
"""

import numpy as np

from common.errors import InputError
from datasets.fields.registry import register
from faces.drawing.lip_drawing import CHANNELS, lip_drawing
from faces.landmarks import INNER_LIP_BOTTOM, INNER_LIP_TOP, STABLE

CLOSED = 0.2  # share of the frames of a clip, by opening, that count as closed
POSE = 0.5  # weight of the pose's distance beside the mouth's
_INNER = 12  # of the 20 points of the mouth: the first one of the inner lips


def _check(options):
    gap, portrait, loose = options["gap"], options["portrait"], options["loose"]
    if type(gap) is not int or not 0 <= gap <= 10**6:
        raise InputError(f"gap: {gap!r}: must be a whole number of frames, 0 or more")
    for name, share in (("portrait", portrait), ("loose", loose)):
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            raise InputError(f"{name}: {share!r}: must be a number between 0 and 1")


def apart(landmarks, frame):
    """How little each frame of a clip would serve as a source of one of them.

    Args:
        landmarks: (N, 68, 2) float crop pixels; frame: number of the target.

    Returns:
        mouth, pose: (N,) float, root mean squares in crop pixels; inner lips count twice in the mouth's.
    """
    difference = np.square(landmarks - landmarks[frame]).sum(-1)
    mouth = difference[:, 48:]
    weights = np.where(np.arange(mouth.shape[1]) < _INNER, 1.0, 2.0)
    stable = difference[:, list(STABLE)]
    return np.sqrt(mouth @ (weights / weights.sum())), np.sqrt(stable.mean(1))


def choose_source(landmarks, frame, gap, rng=None, *, portrait=False, loose=0.0):
    """Number of the frame that is warped to a target.

    Args:
        landmarks: (N, 68, 2) float crop pixels of a clip; frame: number of the target.
        gap: least distance in frames; where a clip is too short for it, the frame that is farthest away serves.
        rng: numpy Generator, which is asked only where `loose` is above 0.
        portrait: of the fifth with the most closed lips the frame whose pose is nearest.
        loose: probability that any frame serves in place of the nearest one, as where a bank holds no better.

    Returns:
        int.
    """
    away = np.abs(np.arange(len(landmarks)) - frame)
    far = np.flatnonzero(away >= gap)
    if not len(far):
        far = np.array([int(away.argmax())])
    mouth, pose = apart(landmarks, frame)
    if portrait:
        opening = np.linalg.norm(landmarks[far, INNER_LIP_BOTTOM] - landmarks[far, INNER_LIP_TOP], axis=-1)
        closed = far[opening <= np.quantile(opening, CLOSED)]
        return int(closed[pose[closed].argmin()])
    if loose and rng.random() < loose:
        return int(rng.choice(far))
    return int(far[(mouth[far] + POSE * pose[far]).argmin()])


def _ship(window):
    from faces.drawing.lower_face import draw_lower_face

    options, clip = window.data.options["warped_face"], window.clip
    rng, landmarks, faces = window.generator("sources"), np.asarray(clip["landmarks"], np.float64), clip["face"]
    size, portrait = faces.shape[1], bool(rng.random() < options["portrait"])
    pictures, drawings = [], []
    for frame in window.frames:
        source = choose_source(landmarks, frame, options["gap"], rng, portrait=portrait, loose=options["loose"])
        sources = [(faces[source], landmarks[source], 1.0)]
        pictures.append(draw_lower_face(faces[frame], landmarks[frame], landmarks[frame], sources)[0])
        wanted = window.look.points(landmarks[frame, None], size)[0]
        drawings.append(lip_drawing(wanted, size, landmarks[source]))
    pictures = window.look.pixels(np.stack(pictures), np.arange(window.length))
    shipped = {"warped_face": pictures, "lip_drawing": np.stack(drawings)}
    return shipped if window.look.colour is None else {**shipped, "colour": window.look.colour}


@register(
    "warped_face", "(T, 3, S, S)", "float32", "[0, 1]", "face with its lower part drawn of another frame, RGB",
    complete=lambda batch: batch.pictures("warped_face"), options={"gap": 15, "portrait": 0.0, "loose": 0.0}, check=_check,
)  # fmt: skip
def warped_face(window):
    return _ship(window)


@register(
    "lip_drawing", f"(T, {CHANNELS}, S, S)", "float32", "[0, 1]",
    "lips, inner mouth, inner mouth as far as the source is open, lower face (faces.drawing.lip_drawing)",
    complete=lambda batch: batch["lip_drawing"].movedim(-1, -3).float() / 255,
)  # fmt: skip
def drawing(window):
    return _ship(window)
