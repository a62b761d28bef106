"""LPIPS: perceptual distance of two pictures, by the `lpips` package, which is an optional extra."""

import warnings
from pathlib import Path

import numpy as np
import torch

from common.errors import InputError
from common.files import content_hash, require_file
from metrics.networks.precision import precision_of

BACKBONES = {  # the files of torchvision's ImageNet weights; the part behind the dash begins their SHA-256
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
_BATCH = 32


class Lpips:
    """Learned perceptual image patch similarity, version 0.1 (Zhang et al. 2018, arXiv 1801.03924); 0 for equal pictures.

    Attributes:
        name: the backbone: "alex", "vgg" or "squeeze".
        sha256: of the backbone's weights file.
        precision: what it computes in, see `metrics.networks.precision`.
    """

    def __init__(self, network, name, sha256, device="cpu"):
        self.name, self.sha256 = name, sha256
        self._device = torch.device(device)
        self._network = network.to(self._device).eval()
        self.precision = precision_of(next(self._network.parameters()))

    @staticmethod
    def load(backbone="alex", device="cpu"):
        """Build the network from installed packages and local files; nothing is downloaded.

        Args:
            backbone: "alex" (what most papers report), "vgg" or "squeeze".
            device: where it runs.

        Raises:
            InputError: an unknown backbone, lpips or torchvision that cannot be imported, or the backbone's weights are not in
                torch's cache or not the published ones.
        """
        if backbone not in BACKBONES:
            raise InputError(f"LPIPS backbone {backbone!r} is not known; known are {', '.join(BACKBONES)}")
        lpips = _import_lpips()
        path = Path(torch.hub.get_dir()) / "checkpoints" / BACKBONES[backbone]
        if not path.exists():
            raise InputError(
                f"{path}: no such file; LPIPS ({backbone}) needs it there ($TORCH_HOME/hub/checkpoints), "
                f"get {path.name}, torchvision's ImageNet weights"
            )
        sha256 = content_hash(require_file(path, "backbone of LPIPS"))
        if not sha256.startswith(path.stem.rpartition("-")[2]):
            raise InputError(f"{path}: damaged, or not the published weights (SHA-256 {sha256[:8]}...); download it again")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lpips calls torchvision by names that it calls outdated
            network = lpips.LPIPS(net=backbone, verbose=False)
        return Lpips(network, backbone, sha256, device)

    @torch.inference_mode()
    def __call__(self, first, second):
        """Distance of each pair of pictures.

        Args:
            first, second: (N, H, W, 3) uint8 RGB of one shape.

        Returns:
            (N,) float64, not negative.

        Raises:
            ValueError: other shapes or types.
        """
        if first.shape != second.shape or first.ndim != 4 or first.shape[3] != 3:
            raise ValueError(f"pictures must both be (N, H, W, 3), not {first.shape} and {second.shape}")
        if first.dtype != np.uint8 or second.dtype != np.uint8:
            raise ValueError(f"pictures must be uint8, not {first.dtype} and {second.dtype}")
        distances = np.empty(len(first))
        for start in range(0, len(first), _BATCH):
            part = slice(start, start + _BATCH)
            distances[part] = self._network(self._scaled(first[part]), self._scaled(second[part])).flatten().cpu().numpy()
        return distances

    def _scaled(self, pictures):
        """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [-1, 1]."""
        tensor = torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device)
        return tensor.permute(0, 3, 1, 2).float() / 127.5 - 1


def _import_lpips():
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError, AttributeError) as error:  # as it fails beside a CPU torch
        raise InputError(
            f"LPIPS needs torchvision, which cannot be imported ({_line(error)}): install the CUDA builds of torch 2.13.0 and "
            "torchvision 0.28.0 (pip install '.[gpu]'), or leave LPIPS out"
        ) from error
    try:
        import lpips
    except ImportError as error:
        raise InputError(
            f"LPIPS needs the package lpips ({_line(error)}): pip install lpips==0.1.4, or leave LPIPS out"
        ) from error
    return lpips


def _line(error):
    return str(error).partition("\n")[0] or type(error).__name__
