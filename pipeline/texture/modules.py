"""Texture blocks, distances, modules and their statistics of one picture, and pictures of them (docs/methods.md, section 8)."""

from dataclasses import dataclass

import numpy as np

from faces.texture import block_size, grid_modules, module_centres, module_deviations, module_means, texture_modules

LINE = (255, 230, 0)


@dataclass(frozen=True)
class Texture:
    """Spatial modules of one picture.

    Attributes:
        picture: (H, W, 3) uint8 RGB.
        blocks: (H, W) int32, the texture blocks: the regular grid on which the search begins.
        labels: (H, W) int32, the modules.
        distance: (H, W) float32, D of each pixel to the centre of its module.
        size: S, side of a block in pixels.
    """

    picture: np.ndarray
    blocks: np.ndarray
    labels: np.ndarray
    distance: np.ndarray
    size: float

    @property
    def count(self):
        """K, modules found."""
        return int(self.labels.max()) + 1

    @property
    def pixels(self):
        """(K,) int, pixels of each module."""
        return np.bincount(self.labels.ravel())


def find_texture(picture, spec):
    """Texture of a (H, W, 3) uint8 RGB picture.

    Args:
        spec: faces.texture.TextureSpec.

    Raises:
        InputError: more clusters than pixels.
    """
    height, width = picture.shape[:2]
    labels = texture_modules(picture, spec.clusters, spec.compactness, spec.iterations)
    size = block_size(height, width, spec.clusters)
    distance = centre_distances(picture, labels, size, spec.compactness)
    return Texture(picture, grid_modules(height, width, spec.clusters), labels, distance, size)


def centre_distances(picture, labels, size, compactness):
    """D = sqrt(d_C^2 + (d_P / S)^2 m^2) of each pixel to the mean colour and place of its module (docs/methods.md, eq. (35)).

    Args:
        picture: (H, W, 3) uint8 RGB.
        labels: (H, W) int32.
        size: S in pixels.
        compactness: m.

    Returns:
        (H, W) float32; CIELAB units, as D has them.
    """
    from skimage.color import rgb2lab

    lab = rgb2lab(picture)
    rows, columns = np.indices(labels.shape)
    colour = ((lab - module_means(lab, labels)[labels]) ** 2).sum(-1)
    place = ((np.stack([columns, rows], -1) - module_centres(labels)[labels]) ** 2).sum(-1)
    return np.sqrt(colour + place * (compactness / size) ** 2).astype(np.float32)


def gradient(picture):
    """(H, W) float64: size of the gradient of brightness of (H, W, 3) uint8 RGB, in grey levels a pixel."""
    grey = picture.astype(np.float64) @ (0.299, 0.587, 0.114)
    across, down = np.diff(grey, axis=1, append=grey[:, -1:]), np.diff(grey, axis=0, append=grey[-1:])
    return np.hypot(across, down)


def statistics(texture):
    """List of one dict for each module: pixels, centre (x, y), mean and deviation of colour and of gradient, mean distance."""
    picture, labels, slope = texture.picture, texture.labels, gradient(texture.picture)
    columns = {
        "pixels": texture.pixels,
        "centre": module_centres(labels),
        "colour_mean": module_means(picture, labels),
        "colour_deviation": module_deviations(picture, labels),
        "gradient_mean": module_means(slope, labels),
        "gradient_deviation": module_deviations(slope, labels),
        "distance_mean": module_means(texture.distance, labels),
    }
    values = {name: np.round(np.asarray(column, np.float64), 3).tolist() for name, column in columns.items()}
    values["pixels"] = columns["pixels"].tolist()
    return [{"module": number, **{name: column[number] for name, column in values.items()}} for number in range(texture.count)]


def differences(real, generated, labels):
    """How far the texture of each module is from the real one: the terms of the spatial loss, spread over the modules.

    Args:
        real, generated: (H, W, 3) uint8 RGB.
        labels: (H, W) int32.

    Returns:
        (H, W) float64: difference of the means and of the deviations of colour and gradient, added up, in grey levels.
    """
    total, both = np.zeros(int(labels.max()) + 1), (generated, real)
    for statistic in (module_means, module_deviations):
        ours, theirs = (np.column_stack([statistic(one, labels), statistic(gradient(one), labels)]) for one in both)
        total += np.abs(ours - theirs).sum(1)
    return total[labels]


def picture_loss(generated, real, labels):
    """Spatial loss of one picture, by the very function of `losses.spatial`.

    Args:
        generated, real: (H, W, 3) uint8 RGB.
        labels: (H, W) int32.
    """
    import torch

    from losses.spatial import spatial_texture_loss

    both = [torch.from_numpy(np.ascontiguousarray(one)).permute(2, 0, 1)[None] / 255 for one in (generated, real)]
    return float(spatial_texture_loss(*both, torch.from_numpy(labels.astype(np.int64))[None]))


def borders(labels):
    """(H, W) bool: pixels whose right or lower neighbour belongs to another module; thicker in large pictures."""
    import cv2

    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    thick = max(1, round(min(labels.shape) / 400))
    return edge if thick == 1 else cv2.dilate(edge.astype(np.uint8), np.ones((thick, thick), np.uint8)).astype(bool)


def with_borders(picture, labels):
    """Copy of (H, W, 3) uint8 RGB with the borders of the modules drawn in."""
    out = picture.copy()
    out[borders(labels)] = LINE
    return out


def block_picture(texture):
    """(H, W, 3) uint8: each texture block in its mean colour, borders between them."""
    return with_borders(mean_picture(texture.picture, texture.blocks), texture.blocks)


def mean_picture(picture, labels):
    """(H, W, 3) uint8: each module in its mean colour."""
    return np.rint(module_means(picture, labels)).astype(np.uint8)[labels]


def heat_picture(distance, most):
    """(H, W) distances -> (H, W, 3) uint8, dark for 0, bright for `most` and beyond."""
    from matplotlib import colormaps

    return np.rint(colormaps["inferno"](np.clip(distance / max(most, 1e-6), 0, 1))[..., :3] * 255).astype(np.uint8)
