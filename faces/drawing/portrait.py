"""One picture of a person made ready to speak: where the mouth rests, what its teeth look like, and lips without what is
between them, so that they can close (ours)."""

from dataclasses import dataclass, replace

import numpy as np

from faces.drawing.inner_mouth import MILLIMETRE, Look
from faces.landmarks import CANONICAL_STABLE, STABLE, apply_affine, fit_similarity
from faces.lip_space import Person, lip_space, placed
from faces.mouth import mouth_opening

OPEN = 0.012  # of the outer eye distance: lips nearer than that are closed
MARGIN = 0.018  # eye distances around the inner lips that count as the inside: their edges are drawn over teeth
SEAM, SEAM_DEPTH = 0.45, 0.02  # where lips meet they lose this share of their light, over this depth in eye distances
WIDE, LIFTED = 1.08, 1.30  # width of a mouth over the mean one at rest: from the first on it smiles, at the second fully
OWN_SHOW = 3.5  # millimetres that teeth which a smile shows hang below the line of the lips at rest
MOST_LOWERED = 0.10  # eye distances that a smile may have lifted the lips
RELAXED = 0.35  # of what is left of a full smile, towards the mean shape at rest
LOWERED = 0.7  # of the way down to the mean position, for a full smile without teeth


@dataclass(frozen=True)
class Portrait:
    """A picture ready to speak.

    Attributes:
        picture: (H, W, 3) uint8 RGB, the inside of the mouth filled with lip; landmarks: (68, 2) its landmarks, pixels.
        person: Person; look: Look.
    """

    picture: np.ndarray
    landmarks: np.ndarray
    person: Person
    look: Look


def portrait_of(picture, landmarks, inner, person=None):
    """Make a picture ready.

    Args:
        picture: (H, W, 3) uint8 RGB. landmarks: (68, 2) pixels. inner: InnerMouth.
        person: Person, where more frames of the same held face tell more; None: of this picture.

    Returns:
        Portrait. The lips come to rest as `Person.of` has them; where the picture smiles, they come down too: so far that the
        teeth that it shows hang OWN_SHOW below the lips' line, or, if it shows none, towards the mean position.
    """
    landmarks = np.asarray(landmarks, np.float64)
    person = person or Person.of(landmarks[None])
    rest = placed(np.zeros((1, 20, 2)), person, landmarks[None])[0]
    look = inner.look(picture, landmarks, rest)
    smile = smile_of(landmarks)
    if look.own is not None:
        lowered = look.own.edge - OWN_SHOW * MILLIMETRE
    else:
        lowered = LOWERED * smile * float((lip_space().rest - person.rest)[[14, 18], 1].mean())
    mean = lip_space().rest + (person.rest - lip_space().rest)[[3, 14]].mean(0)
    relaxed = person.rest + RELAXED * smile * (mean - person.rest)
    person = replace(person, rest=relaxed + (0, np.clip(lowered, 0, MOST_LOWERED)))
    rest = placed(np.zeros((1, 20, 2)), person, landmarks[None])[0]
    return Portrait(without_inside(picture, landmarks), landmarks, person, inner.look(picture, landmarks, rest))


def smile_of(landmarks):
    """How much a mouth is pulled wide: (68, 2) -> 0 to 1."""
    matrix = fit_similarity(np.asarray(landmarks)[list(STABLE)], CANONICAL_STABLE)
    points = apply_affine(matrix, landmarks)
    mean = lip_space().rest
    width = np.linalg.norm(points[54] - points[48]) / np.linalg.norm(mean[6] - mean[0])
    return float(np.clip((width - WIDE) / (LIFTED - WIDE), 0, 1))


def without_inside(picture, landmarks):
    """A copy whose inner mouth shows lip: each column goes on as the lips' edges are, darker where they will meet.

    Args:
        picture: (H, W, 3) uint8 RGB. landmarks: (68, 2) pixels.

    Returns:
        (H, W, 3) uint8; `picture` itself where the lips are closed.
    """
    import cv2

    landmarks = np.asarray(landmarks, np.float64)
    if not mouth_opening(landmarks) > OPEN:
        return picture
    matrix = fit_similarity(landmarks[list(STABLE)], CANONICAL_STABLE)
    unit = 1 / float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    upper, lower = landmarks[[60, 61, 62, 63, 64]], landmarks[[60, 67, 66, 65, 64]]
    margin = max(MARGIN * unit, 1.0)
    x1, y1 = np.maximum(np.floor(landmarks[60:68].min(0) - 3 * margin).astype(int), 0)
    x2, y2 = np.minimum(np.ceil(landmarks[60:68].max(0) + 3 * margin).astype(int) + 1, picture.shape[1::-1])
    if x2 - x1 < 3 or y2 - y1 < 3:
        return picture
    # In a frame along the mouth: columns run across it.
    along = (landmarks[64] - landmarks[60]) / max(float(np.linalg.norm(landmarks[64] - landmarks[60])), 1e-6)
    across = np.array([-along[1], along[0]])
    y, x = np.mgrid[y1:y2, x1:x2].astype(np.float64)
    places = np.stack([x, y], -1)
    at, down = (places - landmarks[60]) @ along, (places - landmarks[60]) @ across
    curves = []
    for lip in (upper, lower):
        lip = (lip - landmarks[60]) @ np.stack([along, across], 1)
        curves.append(np.interp(at, np.maximum.accumulate(lip[:, 0] + np.arange(5) * 1e-6), lip[:, 1]))
    top, bottom = curves[0], np.maximum(curves[0], curves[1])
    beyond = np.clip(np.maximum(-at, at - float((landmarks[64] - landmarks[60]) @ along)) / margin, 0, 1)
    grown = margin * (1 - beyond)
    top, bottom = top - grown, bottom + grown
    middle = (top + bottom) / 2
    inside = (down > top) & (down < bottom)
    edge = np.where(down < middle, top, bottom)
    source = places + (edge - down)[..., None] * across * inside[..., None]
    filled = cv2.remap(picture, source.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    filled = filled.astype(np.float32)
    smooth = cv2.GaussianBlur(filled, (0, 0), max(0.02 * unit, 0.8))
    depth = np.where(inside, np.abs(down - edge), 0)
    share = np.clip(depth / margin, 0, 1)[..., None]
    filled += (smooth - filled) * share
    filled *= (1 - SEAM * np.clip((depth - margin * 0.6) / (SEAM_DEPTH * unit), 0, 1))[..., None]
    out = picture.copy()
    out[y1:y2, x1:x2] = np.clip(np.rint(filled), 0, 255)
    return out
