"""Which shots of a video show one person in one light (docs/methods.md, section 14; ours)."""

import numpy as np

from faces.drawing.looks import LIT, nearest_look
from faces.landmarks import CANONICAL_STABLE, STABLE, apply_affine, fit_similarity

# Two shots are one where the nearest of their looks, and the nearest of their faces without the mouth, differ by less than this
# (mean difference over the brightness; eye distances). Of 9,292 pairs of clips of two people, on which they were
# chosen, none comes as near.
ALIKE, SAME_SHAPE = 0.08, 0.02
COMPARED = 8  # frames of each shot that are compared


def same_looks(looks, landmarks, shots):
    """Which shots show one person in one light.

    Args:
        looks: Looks of n frames; landmarks: (n, 68, 2) float, in any pixels; shots: (n,) int, the shot of each.

    Returns:
        {number of a shot: number of the first shot that shows the same person}.
    """
    landmarks = np.asarray(landmarks, np.float64)
    stable = landmarks[:, list(STABLE)]
    faces = apply_affine(fit_similarity(stable, np.broadcast_to(CANONICAL_STABLE, stable.shape)), landmarks)[:, :48]
    merged, firsts = {}, []
    for shot in np.unique(shots):
        own = np.flatnonzero(shots == shot)
        mine = own[np.linspace(0, len(own) - 1, min(COMPARED, len(own))).astype(int)]
        same = next((first for first, theirs in firsts if _same(looks, faces, mine, theirs)), None)
        if same is None:
            firsts.append((int(shot), mine))
        merged[int(shot)] = int(shot) if same is None else same
    return merged


def _same(looks, faces, first, second):
    """Whether frames `first` (k,) and `second` (m,) int show one person in one light; faces: (n, 48, 2) canonical."""
    if abs(np.log(np.median(looks.light[first]) / np.median(looks.light[second]))) >= np.log(LIT):
        return False
    if np.linalg.norm(faces[first][:, None] - faces[second][None], axis=-1).mean(-1).min() >= SAME_SHAPE:
        return False
    return min(nearest_look(looks.small[number], looks.small[second]) for number in first) < ALIKE
