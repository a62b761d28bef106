"""Spatial consistency: the texture loss over texture modules (docs/methods.md, eq. (38); inferred).

A spatial module is a region of even texture. In each the generated face should have the texture of the real one:

    L_sp = (1 / k) sum_k |mu_k(G) - mu_k(I)|_1 + |sigma_k(G) - sigma_k(I)|_1,

mean and deviation of the three colours and of the gradient inside module k of the *real* frame, which only the loss sees. All
modules of all frames are summed by one scatter; none is looped over.
"""

import torch

from common.errors import InputError
from common.schema import REQUIRED, Number
from common.suggest import refuse_unknown
from faces.texture import CLUSTERS, COMPACTNESS, TextureSpec, block_grid, most_modules
from faces.texture_torch import batch_texture_modules
from losses.masking import frame_mean
from losses.term import Term
from models.precision import outside_autocast

DISTRIBUTIONS = ("moments", "sliced")
MODULES = ("slic", "grid")
LABELS = ("stored", "computed")
_LUMA = (0.299, 0.587, 0.114)
_SMOOTH = 1 / 255  # one grey level: below it roots are quadratic, so that their gradient exists at 0
_VALIDATED = 16  # directions in validation
_APART = 4.0  # more than projected colours can differ: sets modules apart in one sort


def spatial_texture_loss(fake, real, labels, distribution="moments", directions=None, most=None):
    """How far the texture of two faces is apart, module by module.

    Args:
        fake, real: (N, 3, H, W) float in [0, 1] RGB; half precision is raised to float32, also under autocast.
        labels: (N, H, W) int64, 0 or more; a label counts within its own picture, and its number means nothing.
        distribution: "moments": as above, over R, G, B and gradient. "sliced": the Wasserstein distance of the colours inside
            each module, mean over `directions` (ours).
        directions: (P, 3) unit vectors in colour space, for "sliced".
        most: all labels are below it; None looks for the greatest, which waits for the device.

    Returns:
        (N,) mean over the modules of each picture, 0 or more, exactly 0 where the pictures are equal; in units of full scale,
        "moments" summed over four channels, "sliced" for one direction.
    """
    with outside_autocast(fake.device):
        return _texture_apart(fake, real, labels, distribution, directions, most)


def _texture_apart(fake, real, labels, distribution, directions, most):
    """`spatial_texture_loss`, once autocast is off."""
    dtype = torch.promote_types(torch.promote_types(fake.dtype, real.dtype), torch.float32)
    fake, real, labels = fake.to(dtype), real.detach().to(dtype), labels.flatten(1)
    counts = module_sums(torch.ones_like(real[:, :1]).flatten(2), labels, most).squeeze(1)
    present = (counts > 0).to(dtype)
    if distribution == "moments":
        values = _moments_apart(_channels(fake), _channels(real), labels, counts.clamp_min(1))
    else:
        values = _colours_apart(fake.flatten(2), real.flatten(2), labels, counts.clamp_min(1), directions.to(dtype))
    return (values * present).sum(1) / present.sum(1)


def module_sums(values, labels, most=None):
    """Sums over the modules of each picture: (N, C, P) values, (N, P) int64 labels -> (N, C, K).

    K is `most`, which all labels are below, or the greatest label + 1, for which the host waits.
    """
    count, channels, _ = values.shape
    sums = values.new_zeros(count, channels, int(labels.max()) + 1 if most is None else most)
    return sums.scatter_add(2, labels[:, None].expand(-1, channels, -1), values)


def random_directions(count, generator=None, device=None):
    """(count, 3) float32 unit vectors, evenly drawn."""
    vectors = torch.randn(count, 3, generator=generator, device=device)
    return vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-6)


def blocks(height, width, clusters, device=None):
    """(H, W) int64: faces.texture.grid_modules, made on the device."""
    rows, columns = block_grid(height, width, clusters)
    down, along = (torch.arange(side, device=device) * count // side for side, count in ((height, rows), (width, columns)))
    return down[:, None] * columns + along


def _channels(faces):
    """(N, 3, H, W) -> (N, 4, HW): R, G, B and the length of the brightness's gradient, by differences of neighbours."""
    weights = torch.stack([faces.new_full((), weight) for weight in _LUMA])  # made on the device: a copy would wait for it
    luma = torch.einsum("c,nchw->nhw", weights, faces)
    along = torch.nn.functional.pad(luma.diff(dim=2), (0, 1))
    down = torch.nn.functional.pad(luma.diff(dim=1), (0, 0, 0, 1))
    gradient = (along.square() + down.square() + _SMOOTH**2).sqrt() - _SMOOTH
    return torch.cat([faces, gradient[:, None]], 1).flatten(2)


def _moments_apart(fake, real, labels, counts):
    """(N, K) |mu^ - mu|_1 + |sigma^ - sigma|_1 of each module.

    Written in the difference of the pictures, which is exactly 0 where they are equal, in whatever order a device sums:
    sigma^2 of the generated face less that of the real one is the mean of e (2 c + e), with c the real pixel less its
    module's mean and e the difference less its own.
    """

    def means(values):
        return module_sums(values, labels, counts.shape[1]) / counts[:, None]

    def spread(means):
        return means.gather(2, labels[:, None].expand(-1, means.shape[1], -1))

    difference = fake - real
    with torch.no_grad():
        centred = real - spread(means(real))
        variance = means(centred.square())
    mean_apart = means(difference)
    uneven = difference - spread(mean_apart)
    variance_apart = means(uneven * (2 * centred + uneven))
    roots = (variance + _SMOOTH**2).sqrt() + ((variance + variance_apart).clamp_min(0) + _SMOOTH**2).sqrt()
    return (mean_apart.abs() + (variance_apart / roots).abs()).sum(1)


def _colours_apart(fake, real, labels, counts, directions):
    """(N, K) sliced Wasserstein distance of each module's colours.

    Equal labels mean equally many pixels, so the distance along a direction is the mean difference of the sorted values. One
    sort does it for all modules of a picture: the module's number, widely spaced, is added to the value.
    """
    offset = labels[:, None].double() * _APART
    fake, real = ((torch.einsum("dc,ncp->ndp", directions, faces).double() + offset).sort(2).values for faces in (fake, real))
    apart = (fake - real).abs().mean(1, keepdim=True).to(directions.dtype)
    return module_sums(apart, labels.sort(1).values, counts.shape[1]).squeeze(1) / counts


class SpatialTextureLoss(Term):
    """Texture loss over the modules of the real frame (docs/methods.md, eq. (38); inferred).

    Args:
        clusters, compactness: of the modules, see faces.texture.TextureSpec.
        modules: "slic", or "grid": regular blocks, a control (docs/methods.md, section 9).
        labels: "stored": field `module`, prepared beforehand. "computed": made in each step from the real faces, quickly on a
            GPU; on a CPU scikit-image makes them, which costs more than the rest of the loss.
        distribution: "moments" or "sliced", see `spatial_texture_loss`.
        projections: directions of "sliced", drawn anew in each training step; validation always has the same 16.

    Raises:
        InputError: an unknown word, or a value out of range.
    """

    ranges = {
        "clusters": Number(REQUIRED, 1, 65536, whole=True),
        "compactness": Number(REQUIRED, 0, 10**6, above=True),
        "projections": Number(REQUIRED, 1, 64, whole=True),
    }

    def __init__(self, clusters=CLUSTERS, compactness=COMPACTNESS, modules="slic", labels="stored", distribution="moments",
                 projections=2):  # fmt: skip
        super().__init__()
        for key, value, known in (("modules", modules, MODULES), ("labels", labels, LABELS),
                                  ("distribution", distribution, DISTRIBUTIONS)):  # fmt: skip
            refuse_unknown([value], known, f"losses.spatial_texture.{key}")
        if modules == "grid" and labels != "stored":
            raise InputError("losses.spatial_texture.labels: belongs to modules: slic; a grid is neither stored nor computed")
        if isinstance(projections, bool) or not isinstance(projections, int) or not 1 <= projections <= 64:
            raise InputError("losses.spatial_texture.projections: must be a whole number between 1 and 64")
        try:
            self.spec = TextureSpec(clusters, compactness)
        except InputError as error:
            raise InputError(f"losses.spatial_texture.{error}") from error
        self.modules, self.labels, self.distribution, self.projections = modules, labels, distribution, projections
        fixed = random_directions(_VALIDATED, torch.Generator().manual_seed(0))
        self.register_buffer("fixed_directions", fixed, persistent=False)

    @property
    def needs(self):
        """Fields that the loss needs."""
        return ("face", "module") if self.modules == "slic" and self.labels == "stored" else ("face",)

    def textures(self):
        """See losses.term.Term: the modules of the real face, where they are stored."""
        return {"module": self.spec} if "module" in self.needs else {}

    def forward(self, outputs, batch):
        """Loss of generated faces.

        Args:
            outputs: `face` (B, T, 3, S, S) generated.
            batch: `face` real; `module` (B, T, S, S) int64 labels of the real faces, where `needs` names it; and, where windows
                are padded, `valid` (B, T).

        Returns:
            scalar.
        """
        fake, real = outputs["face"].flatten(0, 1), batch["face"].flatten(0, 1)
        directions = None
        if self.distribution == "sliced":
            fixed = self.fixed_directions
            directions = random_directions(self.projections, device=fixed.device) if self.training else fixed
        values = spatial_texture_loss(fake, real, self._labels(real, batch), self.distribution, directions,
                                      most_modules(self.spec.clusters))
        return frame_mean(values.view(batch["face"].shape[:2]), batch)

    def _labels(self, real, batch):
        """(N, S, S) int64 labels of the real faces' modules."""
        if self.modules == "grid":
            return blocks(*real.shape[2:], self.spec.clusters, real.device).expand(len(real), -1, -1)
        if self.labels == "computed":
            return batch_texture_modules(real, self.spec.clusters, self.spec.compactness)
        return batch["module"].flatten(0, 1)
