"""What is put over pictures of lower faces while the network of covered mouths learns: shapes, beards, turns, lights."""

import torch
from torch.nn import functional

from faces.tracking.covering import SIDE

HALF = SIDE / 2
ROWS, COLUMNS = torch.meshgrid(torch.arange(SIDE).float(), torch.arange(SIDE).float(), indexing="ij")
UNTOUCHED = 0.02  # share of the lips below which a picture counts as free


def changed(planes, shares, others):
    """Pictures with changes, and how much of their lips is covered then.

    Args:
        planes: (B, 5, SIDE, SIDE) float, 0 to 255, see `faces.tracking.covering.lower_face`.
        shares: (B,) float, of the lips that are covered.
        others: (N, 5, SIDE, SIDE) uint8, from which textures are taken.

    Returns:
        (B, 5, SIDE, SIDE) float; (B,) float.
    """
    free = shares < UNTOUCHED
    planes = _bearded(planes.clone(), free & (torch.rand(len(planes)) < 0.45))
    draw = torch.rand(len(planes))
    planes, shares = _covered(planes, shares.clone(), free & (draw < 0.28), free & (draw > 0.28) & (draw < 0.38), others)
    planes = _moved(planes)
    return torch.cat([_lit(planes[:, :3]), planes[:, 3:]], 1), shares


def _uniform(count, low=0.0, high=1.0):
    """(count, 1, 1) numbers."""
    return low + (high - low) * torch.rand(count, 1, 1)


def _mouth(lips):
    """Middle of the lips: columns and rows, (B, 1, 1) each, and their area (B,)."""
    area = lips.sum((1, 2)).clamp(min=1e-3)
    return (lips * COLUMNS).sum((1, 2))[:, None, None] / area[:, None, None], \
        (lips * ROWS).sum((1, 2))[:, None, None] / area[:, None, None], area  # fmt: skip


def _bearded(planes, who):
    """Beards of the whole chin and moustaches about the mouth, in any colour; lips stay."""
    count, lips = len(planes), planes[:, 3] / 255
    x, y, _ = _mouth(lips)
    chin = torch.sigmoid((ROWS - _uniform(count, 20, 27)) / 1.2)
    chin = chin * torch.sigmoid((_uniform(count, 7, 19) - (COLUMNS - HALF).abs()) / 1.5)
    chin = chin * torch.sigmoid((_uniform(count, 28, 53) - ROWS) / 1.2)
    below = ROWS - y
    ring = torch.hypot((COLUMNS - x) / _uniform(count, 8, 13), below / _uniform(count, 5, 9))
    around = torch.sigmoid((_uniform(count, 0.35, 0.55) - (ring - 1).abs()) / 0.08)
    around = around * torch.sigmoid(_uniform(count, 3, 17) - below)
    shape = torch.where(_uniform(count) < 0.5, around, chin)
    grain = 0.6 * functional.interpolate(torch.rand(count, 1, 24, 24), (SIDE, SIDE), mode="bilinear") + 0.4 * torch.rand(
        count, 1, SIDE, SIDE
    )
    colour = (torch.rand(count, 1, 1, 1) ** 2 * 170 + 10) * (1 + 0.12 * torch.randn(count, 3, 1, 1))
    alpha = shape * (1 - 0.9 * (lips > 0)) * who[:, None, None] * _uniform(count, 0.25, 0.9)
    alpha = alpha[:, None] * (0.5 + 0.7 * grain).clamp(0, 1)
    planes[:, :3] = planes[:, :3] * (1 - alpha) + colour * (0.6 + 0.8 * grain) * alpha
    return planes


def _covered(planes, shares, over, beside, others):
    """Shapes over the mouths of `over` and beside those of `beside`, (B,) bool; landmarks wander under them."""
    chosen = torch.nonzero(over | beside)[:, 0]
    count = len(chosen)
    if not count:
        return planes, shares
    colours, lips = planes[chosen, :3], planes[chosen, 3] / 255
    x, y, area = _mouth(lips)
    on = over[chosen][:, None, None]
    angle, away = _uniform(count, 0, 6.28), torch.where(on, _uniform(count, 0, 7), _uniform(count, 18, 30))
    alpha = _shape(x + away * angle.cos(), y + away * angle.sin(), count)
    tilt = _uniform(count, 0.3, 0.6) * (COLUMNS - HALF).abs() * (_uniform(count) < 0.5)
    mask = torch.sigmoid((ROWS - _uniform(count, 17, 26) - tilt) / 0.5)  # all below a line
    alpha = torch.where(on & (_uniform(count) < 0.3), mask, alpha)[:, None]
    planes[chosen, :3] = colours * (1 - alpha) + _surface(colours, others, count) * alpha
    shares[chosen] = (alpha[:, 0] * lips).sum((1, 2)) / area
    hidden, theta = shares[chosen], torch.zeros(count, 2, 3)
    theta[:, 0, 0] = 1 + 0.15 * torch.randn(count) * hidden
    theta[:, 1, 1] = theta[:, 0, 0] * (1 + 0.2 * torch.randn(count) * hidden)
    theta[:, :, 2] = 0.06 * torch.randn(count, 2) * hidden[:, None]
    grid = functional.affine_grid(theta, (count, 1, SIDE, SIDE), align_corners=False)
    planes[chosen, 3:4] = functional.grid_sample(planes[chosen, 3:4], grid, align_corners=False)
    return planes, shares


def _shape(x, y, count):
    """(count, SIDE, SIDE) weights of turned ellipses with wavy borders, and of turned boxes, about (x, y)."""
    turn, across, down = _uniform(count, 0, 6.28), COLUMNS - x, ROWS - y
    u = (across * turn.cos() + down * turn.sin()) / _uniform(count, 6, 18)
    v = (down * turn.cos() - across * turn.sin()) / _uniform(count, 5, 15)
    waves = torch.randint(2, 6, (count, 1, 1)) * torch.atan2(v, u) + _uniform(count, 0, 6.28)
    round_ = torch.hypot(u, v) / (1 + _uniform(count, 0, 0.25) * waves.cos())
    radius = torch.where(_uniform(count) < 0.35, torch.maximum(u.abs(), v.abs()), round_)
    return ((1 - radius) / _uniform(count, 0.06, 0.16) + 0.5).clamp(0, 1)


def _surface(colours, others, count):
    """(count, 3, SIDE, SIDE): colours, greys, the person's skin, lit from a side, some with dark lines; or other pictures."""
    kind = torch.rand(count, 1, 1, 1)
    skin = colours[:, :, 8:22].flatten(2).median(-1).values[:, :, None, None]
    skin = skin * (0.7 + 0.5 * torch.rand(count, 1, 1, 1)) * (1 + 0.04 * torch.randn(count, 3, 1, 1))
    plain = torch.where(kind < 0.4, torch.rand(count, 1, 1, 1) * 240, skin)
    plain = torch.where(kind < 0.25, torch.rand(count, 3, 1, 1) * 240 + 8, plain)
    slope = 0.22 * ((COLUMNS - HALF) * torch.randn(count, 1, 1) + (ROWS - HALF) * torch.randn(count, 1, 1))[:, None] / HALF
    fine = 0.08 * torch.randn(count, 1, SIDE, SIDE) * torch.rand(count, 1, 1, 1)
    wide = 0.12 * functional.interpolate(torch.randn(count, 1, 8, 8), (SIDE, SIDE), mode="bilinear")
    wide = wide * torch.rand(count, 1, 1, 1)
    turn, period = _uniform(count, 0, 6.28), _uniform(count, 5, 8)
    along = COLUMNS * turn.cos() + ROWS * turn.sin() + 9 * _uniform(count)
    lines = torch.exp(-(((torch.remainder(along, period) - 3) / 0.7) ** 2))[:, None]
    lines = lines * (torch.rand(count, 1, 1, 1) < 0.5) * (kind > 0.4)
    plain = plain * (1 + slope + fine + wide) * (1 - 0.4 * lines)
    angle, zoom, theta = torch.rand(count) * 6.28, 0.3 + 0.7 * torch.rand(count), torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = angle.cos() * zoom, -angle.sin() * zoom
    theta[:, 1, 0], theta[:, 1, 1] = angle.sin() * zoom, angle.cos() * zoom
    theta[:, :, 2] = 0.8 * (torch.rand(count, 2) - 0.5)
    grid = functional.affine_grid(theta, (count, 3, SIDE, SIDE), align_corners=False)
    picture = others[torch.randint(len(others), (count,)), :3].float()
    picture = functional.grid_sample(picture, grid, padding_mode="reflection", align_corners=False)
    return torch.where(kind > 0.72, picture * (0.6 + 0.6 * torch.rand(count, 1, 1, 1)), plain)


def _moved(planes):
    """Mirrored, turned, shifted a little; one side of the face widened, as where a head turns; mouths stretched or squeezed."""
    count, theta = len(planes), torch.zeros(len(planes), 2, 3)
    turn, size = 0.04 * torch.randn(count), 1 + 0.05 * torch.randn(count)
    mirror = torch.where(torch.rand(count) < 0.5, 1.0, -1.0)
    theta[:, 0, 0], theta[:, 0, 1] = turn.cos() * size * mirror, -turn.sin() * size
    theta[:, 1, 0], theta[:, 1, 1] = turn.sin() * size * mirror, turn.cos() * size
    theta[:, :, 2] = 0.03 * torch.randn(count, 2)
    x, y = functional.affine_grid(theta, (count, 1, SIDE, SIDE), align_corners=False).unbind(-1)
    side = 0.35 * torch.randn(count, 1, 1) * (_uniform(count) < 0.5)
    x = x * (1 + side.clamp(-0.8, 0.8) * torch.tanh(3 * x)) + 0.08 * side
    open_ = (1.2 * _uniform(count) - 0.3) * (_uniform(count) < 0.35)
    near = torch.exp(-(((y - 0.22) / 0.35) ** 2)) * torch.exp(-((x / 0.5) ** 2))  # the mouth lies there
    y = y - (y - 0.22) * (1 - 1 / (1 + open_)) * near
    return functional.grid_sample(planes, torch.stack([x, y], -1), padding_mode="border", align_corners=False)


def _lit(colours):
    """Other cameras: gamma, exposure, casts, grey films, light from a side, soft pictures, noise."""
    count = len(colours)

    def each(scale, channels=1):
        return scale * torch.randn(count, channels, 1, 1)

    colours = 255 * (colours.clamp(1, 255) / 255) ** torch.exp(each(0.35))
    colours = colours * torch.exp(each(0.3)) * torch.exp(each(0.24, 3))
    grey = colours.mean(1, keepdim=True)
    vivid = torch.where(torch.rand(count, 1, 1, 1) < 0.12, torch.zeros(1), 0.3 + 1.1 * torch.rand(count, 1, 1, 1))
    colours = grey + (colours - grey) * vivid
    colours = colours * (1 + 0.2 * ((COLUMNS - HALF) * each(1.0) + (ROWS - HALF) * each(1.0)) / HALF)
    soft = torch.rand(count) < 0.35
    if soft.any():
        small = functional.interpolate(colours[soft], (int(torch.randint(16, 36, (1,))),) * 2, mode="area")
        colours[soft] = functional.interpolate(small, (SIDE, SIDE), mode="bilinear")
    return (colours + torch.randn(count, 1, SIDE, SIDE) * 6 * torch.rand(count, 1, 1, 1)).clamp(0, 255)
