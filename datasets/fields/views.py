"""The window's faces seen in another way: what is drawn of a view, and what is made of it on the device.

Coordinates are those of half crops, from -1 at the left and upper edge to 1 at the right and lower one. A `warp` is a (3, 3)
homography from a place in the view to the place in the stored face whose pixel is shown there; outside, the border is repeated.
"""

import numpy as np

from common.errors import InputError

OF = ("both", "space", "time")


def draw_colour(rng, strength):
    """(2, 3) float32: gain and offset of R, G and B for values in [0, 1]; spreads as of data.augment.colour."""
    gain = 1 + strength * (0.5 * rng.standard_normal(3) + rng.standard_normal())
    return np.stack([np.clip(gain, 0.3, 2), 0.3 * strength * rng.standard_normal(3)]).astype(np.float32)


def perspective(top, bottom):
    """Homography, place in the view -> place in the face, whose four corners have moved along x, the same on both sides.

    Args:
        top, bottom: half crops by which the upper and the lower corners of the face move inwards; both below 1.

    Returns:
        (3, 3) float64; it carries the corners (+-(1 - top), -1), (+-(1 - bottom), 1) to (+-1, -1), (+-1, 1).
    """
    upper, lower = 1 - top, 1 - bottom
    # x / (p + q y) with p - q = upper and p + q = lower; the same denominator bends y, which keeps -1, 1 and the order between
    p, q = (lower + upper) / 2, (lower - upper) / 2
    return np.array([[1.0, 0, 0], [0, p, q], [0, q, p]])


def similarity(change):
    """Homography, place in the view -> place in the face, of a face that is turned and zoomed about the middle, then moved.

    Args:
        change: dx, dy in half crops, right and down; log scale; roll in radians, clockwise as it is seen.

    Returns:
        (3, 3) float64: the inverse of  p -> exp(log scale) R(roll) p + (dx, dy).
    """
    dx, dy, scale, roll = (float(value) for value in change[:4])
    cos, sin, size = np.cos(roll), np.sin(roll), np.exp(scale)
    return np.linalg.inv(np.array([[size * cos, -size * sin, dx], [size * sin, size * cos, dy], [0, 0, 1]]))


def centred_crop(share):
    """(3, 3) float64: the middle of a face is shown, `share` of its side, as large as the whole."""
    return np.diag([share, share, 1.0])


def draw_change(rng, length, options):
    """How a second view differs from the window, drawn once for an item.

    Args:
        rng: numpy Generator; length: T, frames of the window.
        options: `of`: both, or space or time alone; `shift`: largest dx and dy in half crops; `scale`: of the log scale;
            `roll`: in radians; `offset`: frames; `rate`: the largest, its inverse is the smallest.

    Returns:
        (6,) float32: dx, dy, log scale, roll, o and r. Frame t of the view shows the moment o + r t of the window. All is drawn
        evenly, the rate evenly in its logarithm. o is such that the view lies in the window where it is slower, and covers it
        where it is quicker, but for `offset` frames; moments outside the window show its first or last frame.
    """
    most = [options[name] for name in ("shift", "shift", "scale", "roll")]
    space, (late, quick, place) = rng.uniform(-1, 1, 4) * most, rng.uniform(-1, 1, 3)
    rate = float(options["rate"]) ** quick
    room = (length - 1) * (1 - rate)
    offset = room * (place + 1) / 2 + options["offset"] * late
    if options["of"] == "time":
        space = np.zeros(4)
    if options["of"] == "space":
        offset, rate = 0.0, 1.0
    return np.array([*space, offset, rate], np.float32)


def check_range(options, name, low, high):
    """InputError where an option of a field is no number from `low` to `high`."""
    value = options[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"{name}: {value!r}: must be a number from {low:g} to {high:g}")


def warped(faces, warps):
    """Faces seen through homographies.

    Args:
        faces: (B, T, 3, S, S) float32; warps: (B, 3, 3) float32, the same for all frames of an item.

    Returns:
        (B, T, 3, S, S) float32, interpolated between pixels.
    """
    import torch

    size = faces.shape[-1]
    at = (torch.arange(size, device=faces.device, dtype=torch.float32) * 2 + 1) / size - 1
    places = torch.stack([at.expand(size, size), at[:, None].expand(size, size), torch.ones_like(at).expand(size, size)], -1)
    seen = (warps[:, None, None] * places[None, :, :, None]).sum(-1)  # no matrix product, which a GPU may round to TF32
    grid = seen[..., :2] / seen[..., 2:]
    how = {"mode": "bilinear", "padding_mode": "border", "align_corners": False}
    return torch.nn.functional.grid_sample(faces.flatten(1, 2), grid, **how).view_as(faces)


def coloured(faces, colour):
    """(B, T, 3, S, S) float32 in [0, 1] under gain and offset (B, 2, 3): the same, clipped to [0, 1]."""
    gain, offset = colour[:, :, None, :, None, None].unbind(1)
    return (faces * gain + offset).clamp(0, 1)


def retimed(faces, change):
    """Frames at o + r t of a window: linear blends of neighbours; moments outside show the first or the last frame.

    Args:
        faces: (B, T, 3, S, S) float32; change: (B, 6) float32, see `draw_change`.

    Returns:
        (B, T, 3, S, S) float32.
    """
    import torch

    count = faces.shape[1]
    moments = change[:, 4:5] + change[:, 5:6] * torch.arange(count, device=faces.device, dtype=torch.float32)
    moments = moments.clamp(0, count - 1)
    before = moments.floor()
    share = (moments - before)[..., None, None, None]
    rows = torch.arange(len(faces), device=faces.device)[:, None]
    low = before.long()
    return torch.lerp(faces[rows, low], faces[rows, (low + 1).clamp_max(count - 1)], share)
