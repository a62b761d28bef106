"""How alike two divisions of a picture are, and how well one fits the picture."""

import numpy as np
from scipy.ndimage import maximum_filter

TOLERANCE = 2  # pixels


def borders(labels):
    """(H, W) int -> (H, W) bool: pixels whose right or lower neighbour belongs to another region."""
    found = np.zeros(labels.shape, bool)
    found[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    found[:-1] |= labels[:-1] != labels[1:]
    return found


def boundary_recall(labels, reference, tolerance=TOLERANCE):
    """Share of the reference's border pixels with a border pixel of `labels` at most `tolerance` rows and columns away.

    1 where the reference has no border.
    """
    near = maximum_filter(borders(labels).astype(np.uint8), 2 * tolerance + 1, mode="constant") > 0
    wanted = borders(reference)
    return float(near[wanted].mean()) if wanted.any() else 1.0


def undersegmentation_error(labels, reference):
    """Share of the picture by which the regions of `labels` reach over the reference's.

    The sum, over all pairs that overlap, of the smaller of the region's parts inside and outside the reference's region, over
    the number of pixels; 0 where each region lies inside one of the reference's.
    """
    table = np.zeros((labels.max() + 1, reference.max() + 1), np.int64)
    np.add.at(table, (labels.ravel(), reference.ravel()), 1)
    outside = table.sum(1, keepdims=True) - table
    return float(np.minimum(table, outside).sum() / labels.size)


def explained_variation(image, labels):
    """Share of the colour variance (CIELAB) of a picture, (H, W, 3) uint8 RGB, that the means of its regions hold."""
    from skimage.color import rgb2lab

    from faces.texture import module_means

    lab = rgb2lab(image)
    spread = lab - lab.mean((0, 1))
    means = module_means(spread, labels)[labels]
    return float((means**2).sum() / max(float((spread**2).sum()), 1e-12))
