"""What the tests of driving with DAVS share: a tiny network with random weights, faces, driving videos and sounds."""

import torch

from models import build_model
from tests.inference_kit import moving_portrait, tone, write_video
from tests.whole_face_kit import write_videos
from training.checkpoint import save_checkpoint

TINY = {"name": "davs", "face_size": 64, "width": 0.125, "words": 5}
DATA = {"crop": "davs", "pads": [0, 0, 0, 0]}


def tiny_davs(stage="generate", seed=0):
    """A Davs with random weights whose batch norms are not trivial and whose faces follow the codes, in eval mode."""
    torch.manual_seed(seed)
    network = build_model({**TINY, "stage": stage}).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.2, 0.2)
            layer.running_var.uniform_(0.5, 1.5)
            layer.bias.data.uniform_(-0.3, 0.3)
    with torch.no_grad():
        for encoder in (network.audio_encoder, network.video_encoder):
            encoder.fc.weight.mul_(8)  # codes that differ from frame to frame
        if network.decoder is not None:
            network.decoder.deconv1_1_new.weight.mul_(2)
            network.decoder.conv7_2.weight.mul_(4)
    return network


def save_davs(path, stage="generate", data=DATA):
    """Write a checkpoint of `tiny_davs`."""
    save_checkpoint(path, tiny_davs(stage), {"model": {**TINY, "stage": stage}, "data": data, "training": {}})
    return path


def write_davs_job(folder):
    """Write what `whole_face_kit.write_videos` does, ntsc.mp4 (6 frames), 50.mp4 (10 frames, 50 a second), early.mp4
    (5 frames with 0.8 s of sound), and the checkpoints davs, words and disentangle, in a folder, which is returned."""
    write_videos(folder)
    write_video(folder / "ntsc.mp4", moving_portrait(6), fps="30000/1001")
    write_video(folder / "50.mp4", moving_portrait(10), fps=50)
    write_video(folder / "early.mp4", moving_portrait(5), audio=tone(0.8))
    for name, stage in (("davs", "generate"), ("words", "words"), ("disentangle", "disentangle")):
        save_davs(folder / f"{name}.safetensors", stage)
    return folder
