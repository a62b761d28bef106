"""Texture modules: connected regions of even texture in a face, by SLIC (METHODS 1.6; inferred throughout).

The picture is cut into texture blocks on a grid of step S = sqrt(HW / k). Each block has a centre of colour and place; a pixel
belongs to the centre near it with the least

    D = sqrt(d_C^2 + (d_P / S)^2 m^2),

d_C the distance in CIELAB, d_P that in pixels, and the centres move to the means of their pixels, ten times. Here it runs
through scikit-image, on one picture; `faces.texture_torch` does the same for batches on a GPU.
"""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError

CLUSTERS, COMPACTNESS, ITERATIONS = 64, 10.0, 10
SMALLEST = 0.5  # of a block's pixels: a smaller piece joins a neighbour


@dataclass(frozen=True)
class TextureSpec:
    """What decides the texture modules of a picture.

    Attributes:
        clusters: k, blocks that the picture is cut into; the modules found are about as many.
        compactness: m, how much place counts beside colour.
        iterations: times that the centres move.

    Raises:
        InputError: a value out of range.
    """

    clusters: int = CLUSTERS
    compactness: float = COMPACTNESS
    iterations: int = ITERATIONS

    def __post_init__(self):
        for name, low, kinds in (("clusters", 1, (int,)), ("compactness", None, (int, float)), ("iterations", 1, (int,))):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kinds):
                raise InputError(f"{name}: {value!r} must be a {'number' if float in kinds else 'whole number'}")
            if low is not None and value < low:
                raise InputError(f"{name}: {value} must be {low} or more")
        if not 0 < self.compactness < float("inf"):
            raise InputError(f"compactness: {self.compactness} must be above 0 and finite")
        object.__setattr__(self, "compactness", float(self.compactness))  # 10 and 10.0 are one

    @property
    def name(self):
        """Short and without spaces, such as "64-10"; the iterations are named where they are not the usual ones."""
        more = "" if self.iterations == ITERATIONS else f"-{self.iterations}"
        return f"{self.clusters}-{self.compactness:g}{more}"


def most_modules(clusters=CLUSTERS):
    """A number above all labels of texture modules that are made with so many clusters.

    A module has at least `SMALLEST` of a block's pixels, so that there are about 2 k of them at most; where blocks are rounded
    to whole pixels there can be a few more. Stored labels of fewer than 256 modules are bytes, hence the least.
    """
    return max(256, 4 * clusters)


def block_size(height, width, clusters=CLUSTERS):
    """S = sqrt(HW / k), the step of the grid of texture blocks in pixels.

    Raises:
        InputError: more clusters than pixels, or none.
    """
    if not 1 <= clusters <= height * width:
        raise InputError(f"clusters: {clusters} must lie between 1 and the {height * width} pixels of the picture")
    return (height * width / clusters) ** 0.5


def block_grid(height, width, clusters=CLUSTERS):
    """(rows, columns) of texture blocks: the picture's height and width in steps of S, rounded, at least 1."""
    size = block_size(height, width, clusters)
    return tuple(min(max(1, round(side / size)), side) for side in (height, width))


def grid_modules(height, width, clusters=CLUSTERS):
    """The texture blocks themselves, where SLIC begins: the control without any texture.

    Returns:
        (H, W) int32 labels 0 ... rows * columns - 1 in reading order; sides of the blocks differ by a pixel at most.
    """
    rows, columns = block_grid(height, width, clusters)
    down, along = (np.arange(side) * count // side for side, count in ((height, rows), (width, columns)))
    return (down[:, None] * columns + along[None]).astype(np.int32)


def texture_modules(image, clusters=CLUSTERS, compactness=COMPACTNESS, iterations=ITERATIONS):
    """Texture modules of a picture.

    scikit-image takes S in whole pixels, and searches 4S x 4S around a centre where METHODS, and the version in torch, have
    2S x 2S.

    Args:
        image: (H, W, 3) uint8 RGB.
        clusters, compactness, iterations: see TextureSpec.

    Returns:
        (H, W) int32 labels 0 ... K - 1 in reading order of their first pixels, each in use, each region 4-connected; K is about
        `clusters`.

    Raises:
        InputError: a value out of range, or more clusters than pixels.
    """
    from skimage.color import rgb2lab
    from skimage.measure import label
    from skimage.segmentation import slic

    TextureSpec(clusters, compactness, iterations)
    block_size(*image.shape[:2], clusters)
    lab = rgb2lab(image)
    # slic stretches its input to 0 ... 1; taking the same factor out of m leaves D as it stands above
    compactness = compactness / (float(np.ptp(lab)) or 1.0)
    # the first of slic's passes is by place alone: it makes the blocks
    found = slic(lab, clusters, compactness, iterations + 1, convert2lab=False, start_label=0, channel_axis=-1,
                 min_size_factor=SMALLEST, max_size_factor=float(clusters))  # fmt: skip
    return (label(found, background=-1, connectivity=1) - 1).astype(np.int32)


def module_means(values, labels):
    """Mean of each module.

    Args:
        values: (H, W) or (H, W, C) numbers.
        labels: (H, W) int, 0 ... K - 1, each in use.

    Returns:
        (K,) or (K, C) float64.
    """
    flat, values = labels.ravel(), np.asarray(values, np.float64)
    count = np.bincount(flat)
    columns = values.reshape(len(flat), -1).T
    sums = np.stack([np.bincount(flat, column) for column in columns], -1)
    return (sums / count[:, None]).reshape(len(count), *values.shape[2:])


def module_deviations(values, labels):
    """Standard deviation inside each module; arguments and shape as of `module_means`."""
    values = np.asarray(values, np.float64)
    return np.sqrt(module_means((values - module_means(values, labels)[labels]) ** 2, labels))


def module_centres(labels):
    """(K, 2) float64 mean x, y of each module's pixels."""
    rows, columns = np.indices(labels.shape)
    return module_means(np.stack([columns, rows], -1), labels)
