"""What is done to codes over time and by a known movement of the picture; all of it inferred from the words on CRA and STAC."""

import torch
from torch import nn

from models.precision import outside_autocast

VIEW = 4  # numbers of a similarity: dx, dy, log scale, roll
UNIT = 0.1  # of each: what is read as 1, so that the generators are about as large as the codes that they move
LINEAR = 0.1  # the weight of a generator's linear part, whose errors the numbers of a code multiply
FARTHEST = 3  # frames between two moments that are mixed
SHARE = 0.2  # both parameters of the Beta distribution of the share
RATES = (1.0, 0.8, 1.25, -1.0)  # of the pose in time; -1: reversed


def sample_in_time(codes, places):
    """Codes at fractional frames, by linear interpolation; places outside the window take its first or last code.

    Args:
        codes: (B, T, C) float; places: (B, N) float, in frames from the first.

    Returns:
        (B, N, C) float.
    """
    last = codes.shape[1] - 1
    places = places.clamp(0, last)
    before = places.floor()
    share = (places - before)[..., None].to(codes.dtype)
    rows = before.long()[..., None].expand(-1, -1, codes.shape[2])
    return codes.gather(1, rows) * (1 - share) + codes.gather(1, (rows + 1).clamp_max(last)) * share


def change_in_time(codes, offset, rate):
    """Codes of the frames of a window that is seen again, later by `offset` frames and `rate` times as quick.

    Args:
        codes: (B, T, C) float; offset, rate: (B,) float.

    Returns:
        (B, T, C) float: that of frame t is taken at offset + rate t, see `sample_in_time`.
    """
    frames = torch.arange(codes.shape[1], device=codes.device, dtype=torch.float32)
    return sample_in_time(codes, offset.float()[:, None] + rate.float()[:, None] * frames)


class PoseAction(nn.Module):
    """How a similarity of the picture changes a pose code: a learned representation of the group of similarities (inferred).

    A pose code p is moved by the affine map exp((dx G1 + dy G2 + s G3 + roll G4) / 0.1), with learned generators G. So no
    movement changes nothing, a movement and its inverse cancel, and a movement done twice is the map applied twice. The
    generators start at 0: at first every movement is expected to change nothing. What they add to a code must become a few
    times as large as the codes are widely spread, so they learn at a rate of their own, see configs/motion.yaml; their linear
    part counts a tenth, so that it learns more slowly (ours).

    Args:
        pose: P, numbers of a pose code.
    """

    def __init__(self, pose):
        super().__init__()
        self.generators = nn.Parameter(torch.zeros(VIEW, pose, pose + 1))

    def forward(self, codes, view):
        """Move pose codes.

        Args:
            codes: (B, T, P) float; view: (B, 4) float, dx and dy in half a crop, log scale, roll in radians.

        Returns:
            (B, T, P) float32.
        """
        with outside_autocast(codes.device):
            generators = torch.cat([LINEAR * self.generators[..., :-1], self.generators[..., -1:]], -1).float()
            rows = torch.einsum("bi,ipq->bpq", view.float() / UNIT, generators)
            moved = torch.matrix_exp(nn.functional.pad(rows, (0, 0, 0, 1)))  # the last row of an affine map's generator is 0
            return codes.float() @ moved[:, :-1, :-1].transpose(1, 2) + moved[:, None, :-1, -1]


def drawn_shares(count, device):
    """(count,) float32 in [0, 1], drawn from Beta(0.2, 0.2): most are near 0 or 1."""
    concentration = torch.full((2, count), SHARE, device=device)
    one, other = torch.distributions.Gamma(concentration, torch.ones_like(concentration), validate_args=False).sample()
    return one / (one + other)


def mixed_in_time(codes, frames, drawn, pose):
    """Codes of some frames, mixed with those of near moments of the same window (cross-time mixing of CRA; inferred).

    m_t becomes l m_t + (1 - l) m_{t + d} with l ~ Beta(0.2, 0.2) and 0 < |d| <= 3. Pose codes are first taken at the rate 1,
    0.8, 1.25 or -1 (reversed) about the middle of the window. All numbers are drawn once a window, so that codes stay smooth
    in time. Moments outside the window count as its first or last one.

    Args:
        codes: (B, T, C) float; frames: (K,) int64, which frames are wanted; pose: these are pose codes.
        drawn: numbers are drawn (training); otherwise l = 0.5, d = 1, rate 1.

    Returns:
        (B, K, C) float.
    """
    count, device = len(codes), codes.device
    middle, rate, share, step = (codes.shape[1] - 1) / 2, 1.0, 0.5, 1.0
    if drawn:
        share = drawn_shares(count, device)[:, None, None].to(codes.dtype)
        step = torch.randint(1, FARTHEST + 1, (count, 1), device=device) * (2 * torch.randint(2, (count, 1), device=device) - 1)
        chosen = torch.randint(len(RATES) if pose else 1, (count, 1), device=device)
        rate = sum(one * (chosen == place) for place, one in enumerate(RATES))
    places = frames[None].expand(count, -1).float()
    here, there = (sample_in_time(codes, middle + rate * (one - middle)) for one in (places, places + step))
    return share * here + (1 - share) * there


def partners(count, frames, crossed, drawn, device):
    """Which row of a batch gives the mouth to each frame of each row: (count, frames) int64.

    "swap": the next row, at all frames. "random" (a control): another row at every frame. A batch of one row has no other.

    Args:
        count: B; frames: K; crossed: "swap" or "random"; drawn: random rows are drawn (training), otherwise they go round.
    """
    rows = torch.arange(count, device=device)[:, None]
    if crossed == "swap" or count == 1:
        steps = torch.ones(count, frames, dtype=torch.long, device=device)
    elif drawn:
        steps = torch.randint(1, count, (count, frames), device=device)
    else:
        steps = 1 + torch.arange(frames, device=device)[None] % (count - 1)
    return (rows + steps) % count
