"""How each network is fed from a batch: which fields it needs, and what it gives back by name."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class Interface:
    """Attributes:
    needs: fields (datasets.fields) that the network is fed with.
    gives: names of its outputs.
    predict: (network, batch dict of tensors) -> dict of named outputs.
    options: further fields, by the name of the network's part that needs them.
    """

    needs: tuple[str, ...]
    gives: tuple[str, ...]
    predict: Callable
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def needs_of(self, model):
        """Fields that this very network is fed with."""
        more = [name for part, names in self.options.items() if getattr(model, part, None) is not None for name in names]
        return (*self.needs, *more)


def _generate(model, batch):
    """`face` (B, T, 3, S, S) float32 in [0, 1]: the generated face."""
    faces = torch.cat([batch["masked_face"], batch["reference_face"]], 2).transpose(1, 2)  # (B, 6, T, S, S)
    return {"face": model(batch["mel"], faces, batch.get("phoneme"), batch.get("reference_module")).transpose(1, 2)}


def _compare(model, batch):
    """`audio_embedding` (B, K, D) of `heard_mel`, `face_embedding` (B, D) of the lower half of `face`; float32, unit length."""
    from models.syncnet import lower_halves

    sounds = batch["heard_mel"]  # (B, K, 1, 80, 16)
    audio, face = model(sounds.flatten(0, 1), lower_halves(batch["face"].transpose(1, 2)))
    return {"audio_embedding": audio.unflatten(0, sounds.shape[:2]), "face_embedding": face}


def _find(model, batch):
    """`mouth` (B, T, 20, 2) float32 crop pixels: the mouth landmarks found in `face`."""
    return {"mouth": model(batch["face"])}


INTERFACES = {
    "wav2lip": Interface(
        ("masked_face", "reference_face", "mel"),
        ("face",),
        _generate,
        {"audio_gate": ("phoneme",), "spatial_input": ("reference_module",)},
    ),
    "syncnet_color": Interface(("face", "heard_mel"), ("audio_embedding", "face_embedding"), _compare),
    "lip_landmarks": Interface(("face",), ("mouth",), _find),
}
