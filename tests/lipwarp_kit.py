"""What the tests of lipwarp share: a lip motion network as small as can be, whose weights move lips visibly, and clips."""

from fractions import Fraction

import torch
from PIL import Image

from models import build_model
from tests.inference_kit import OWN, blank, moving_portrait, portrait, save_tiny, tone, write_video, write_wav
from tests.refiner_kit import save_refiner
from training.checkpoint import save_checkpoint

SMALL = {"name": "lip_motion", "features": "mel", "hears": ["all"], "width": 8}


def save_motion(path, **options):
    """A seeded checkpoint that hears the mel, so that no package beside the project's own is needed."""
    torch.manual_seed(0)
    network = {**SMALL, **options}
    model = build_model(network)
    with torch.no_grad():
        for net in model.nets:
            net.leave.weight.mul_(4)
        if model.audio_gate is not None:
            model.audio_gate.table.update(torch.tensor([0, 1]), torch.tensor([0.2, 0.8]), torch.tensor([True, True]))
            model.audio_gate.beta.fill_(1.0)
    save_checkpoint(path, model, {"model": network, "data": {}, "training": {}})
    return path


def write_clips(folder):
    """Write clips and checkpoints into a folder, which is returned.

    face.mp4 (40 frames, 25 a second), ntsc.mp4 (16 at 30000/1001), gap.mp4 (no face in the middle), face.png, a.wav (1 s),
    short.wav (0.2 s); motion, mouth and refiner.safetensors.
    """
    Image.fromarray(portrait()).save(folder / "face.png")
    frames = moving_portrait(40)
    write_video(folder / "face.mp4", frames)
    write_video(folder / "ntsc.mp4", frames[:16], fps=Fraction(30000, 1001))
    write_video(folder / "gap.mp4", [*frames[:8], *[blank()] * 12, *frames[8:16]])
    write_wav(folder / "a.wav", tone(1.0))
    write_wav(folder / "short.wav", tone(0.2))
    save_motion(folder / "motion.safetensors")
    save_tiny(folder / "mouth.safetensors", OWN)
    save_refiner(folder / "refiner.safetensors", heads=0.05)
    return folder
