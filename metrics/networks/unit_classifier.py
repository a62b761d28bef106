"""A classifier of action units ready to read faces."""

from itertools import islice

import torch

from common.action_units import SOURCES
from common.errors import InputError
from faces.crops import CropSpec
from metrics.networks.precision import precision_of
from models.devices import choose_device
from training.checkpoint import load_checkpoint

_CHUNK = 64  # faces that go through the network together


class UnitJudge:
    """The part unit_classifier of a network of action units (arXiv 2110.09951).

    Attributes:
        name: of the training run, else of the file without suffix; sha256: of the file.
        labels: whose action units it learned, in words; "" where the file does not tell.
        crop_spec: CropSpec of the crops that it learned from; raw_crops: each was laid by its own frame alone.
        precision: what its network computes in, see `metrics.networks.precision`.
    """

    def __init__(self, checkpoint):
        data = checkpoint.config["data"]
        if "crop" not in data:
            raise InputError(f"{checkpoint.path}: does not say which crops it saw; take a checkpoint of train.py")
        weight = next(checkpoint.model.parameters())
        self.name, self.sha256 = checkpoint.run or checkpoint.path.stem, checkpoint.sha256
        self.labels = " and ".join(SOURCES[one] for one in checkpoint.unit_sources)
        self.crop_spec = CropSpec(data["crop"], checkpoint.model.face_size)
        self.raw_crops = bool(data.get("raw_crops", False))
        self.precision, self._device, self._network = precision_of(weight), weight.device, checkpoint.model.unit_classifier

    @classmethod
    def load(cls, path, device="cpu"):
        """Of a checkpoint of configs/au_classifier.yaml.

        Args:
            path: of the file; device: "auto", "cpu", "cuda", ...

        Raises:
            InputError: cannot be read, or holds no classifier of action units, or does not say which crops it saw.
        """
        checkpoint = load_checkpoint(path, choose_device(device), expect="action_units")
        if checkpoint.model.unit_classifier is None:
            raise InputError(f"{path}: is of stage {checkpoint.model.stage} and has no classifier of action units; give one of "
                             "configs/au_classifier.yaml")  # fmt: skip
        return cls(checkpoint)

    @torch.inference_mode()
    def read(self, crops):
        """Units of faces.

        Args:
            crops: iterable of (S, S, 3) uint8 RGB, S of `crop_spec`, read once.

        Returns:
            (N, 5) bool in the order of common.action_units.UNITS: those whose probability is above 1/2.
        """
        crops, parts = iter(crops), [torch.zeros(0, 5, dtype=torch.bool)]
        while chunk := list(islice(crops, _CHUNK)):
            faces = torch.stack([torch.from_numpy(one) for one in chunk]).to(self._device)
            parts.append((self._network(faces.permute(0, 3, 1, 2).float() / 255) > 0).cpu())
        return torch.cat(parts).numpy()
