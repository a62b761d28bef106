"""A small network of DAVS, a batch for it, and its losses with their published weights."""

import torch

from losses.criterion import build_criterion
from losses.term import Setting
from models import build_model

SIZES = {"face_size": 64, "width": 0.125, "words": 5, "people": 3, "speech_frames": 4, "speech_stride": 1, "drawn_frames": 2,
         "identity_frames": 3}  # fmt: skip
PUBLISHED = {
    "drawn_l1": {"weight": 4},
    "drawn_mouth": {"loss": "drawn_l1", "region": "davs_mouth", "weight": 8},
    "drawn_still": {"weight": 5},
    "association": {"weight": 1, "frames": 4},
    "audio_classification": {"loss": "word_classification", "drives": "audio", "weight": 1},
    "video_classification": {"loss": "word_classification", "drives": "video", "weight": 1},
    "identity_words": {"weight": 1e6},
    "modality": {"weight": 5},
    "drawn_adversarial": {"weight": 1},
}
OURS = {
    "person_classification": {"weight": 1},
    "identity_contrast": {"weight": 1},
    "identity_constancy": {"weight": 1},
    "landmark_heatmaps": {"weight": 1},
    "speech_people": {"weight": 1e6},
    "codes_words": {"loss": "identity_words", "reads": "codes", "uniform": "entropy", "weight": 1},
    "drawn_motion": {"weight": 1},
    "drawn_single": {"loss": "drawn_adversarial", "frames": "single", "weight": 1},
}


def network(**options):
    """A Davs with fresh weights, in training mode."""
    torch.manual_seed(0)
    return build_model({"name": "davs", **SIZES, **options})


def criterion_of(model, losses):
    """Criterion of the losses for a network."""
    torch.manual_seed(1)
    return build_criterion(losses, Setting(model=model, face_size=model.face_size, width=model.width))


def batch_of(items=3, frames=5, side=64, seed=0):
    """All fields that the network and its terms need; each window has a word and a known person."""
    generator = torch.Generator().manual_seed(seed)

    def rand(*size):
        return torch.rand(size, generator=generator)

    return {"face": rand(items, frames, 3, side, side), "identity_face": rand(items, 3, side, side),
            "mfcc": rand(items, frames, 20, 12) * 20 - 10, "landmarks": rand(items, frames, 68, 2) * side,
            "spoken_word": torch.arange(items) % 5, "speaker": torch.arange(items) % 3}  # fmt: skip
