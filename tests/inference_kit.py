"""What the tests of inference.py share: a tiny checkpoint, a portrait, short videos of it, and sounds."""

import wave
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from common.cli import run
from media import VideoReader, VideoWriter
from models import build_model
from pipeline.driving import Driving
from pipeline.options import DriveOptions, FaceOptions
from pipeline.plan import make_plan
from pipeline.playback.source import FaceSource
from pipeline.sound import Sound
from pipeline.tracking import TrackStore, prepare
from training.checkpoint import save_checkpoint

OWN = {"crop": "aligned", "pads": [0, 0, 0, 0], "audio_window": "centred", "channel_order": "rgb", "reference": "fixed"}
PUBLIC = {"crop": "box", "pads": [0, 10, 0, 0], "audio_window": "wav2lip_train", "channel_order": "bgr", "reference": "same"}
TINY = {"name": "wav2lip", "face_size": 96, "width": 0.25}


def enliven(model):
    """Give a fresh generator weights with which its output is neither flat nor saturated, and norms that are not trivial."""
    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            up = layer.stride[0] if isinstance(layer, torch.nn.ConvTranspose2d) else 1
            torch.nn.init.normal_(layer.weight, std=(2 * up**2 / (layer.in_channels * layer.weight[0, 0].numel())) ** 0.5)
        elif isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.2, 0.2)
            layer.bias.data.uniform_(-0.5, 0.5)
    model.eval()
    with torch.no_grad():
        logits = []
        hook = model.output_block[1].register_forward_hook(lambda _, __, out: logits.append(out))
        model.generate(torch.randn(4, 1, 80, 16), torch.rand(4, 6, model.face_size, model.face_size))
        hook.remove()
        model.output_block[1].weight.div_(logits[0].std())
        model.output_block[1].bias.zero_()
    return model


def save_tiny(path, data=OWN):
    """A seeded generator of the smallest width."""
    torch.manual_seed(3)
    model = enliven(build_model(TINY))
    save_checkpoint(path, model, {"model": TINY, "data": data, "training": {}})
    return path


def portrait():
    """(256, 256, 3) uint8: the public-domain portrait that scikit-image carries; the face is about 110 pixels high."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[0:256, 96:352])


def moving_portrait(count):
    """`count` frames of the portrait, shifted to and fro by a few pixels."""
    face = portrait()
    return [np.roll(face, round(6 * np.sin(t / 3)), axis=1) for t in range(count)]


def blank():
    """A frame without a face."""
    return np.tile(np.linspace(40, 200, 256).astype(np.uint8)[:, None, None], (1, 256, 3))


def write_video(path, frames, fps=25, audio=None, rate=16000):
    """H.264 through our own writer, nearly lossless."""
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width=width, height=height, fps=Fraction(fps), audio=audio, sample_rate=rate, crf=4) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def read_video(path):
    """All frames as one (N, H, W, 3) array."""
    with VideoReader(path) as reader:
        return np.stack(list(reader))


def tone(seconds, rate=16000, channels=1):
    """(channels, n) float32: bursts of a buzz, four a second."""
    at = np.arange(round(seconds * rate)) / rate
    buzz = 0.3 * np.sign(np.sin(2 * np.pi * 140 * at)) * (np.sin(2 * np.pi * 4 * at) > 0)
    return np.tile(buzz.astype(np.float32), (channels, 1))


def write_wav(path, samples, rate=16000, width=2):
    """PCM wav from (channels, n) floats; values beyond 1 clip."""
    data = np.clip(np.rint(samples.T * 32767), -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(samples))
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data.tobytes())
    return path


def write_float_wav(path, samples, rate=16000):
    """IEEE float wav, which can hold NaN and values beyond 1."""
    import soundfile

    soundfile.write(path, samples.T, rate, subtype="FLOAT")
    return path


def shown(pictures):
    """A scene that holds nothing but (R, S, S, 3) crops for `Driver.look`."""
    return SimpleNamespace(references=tuple(range(len(pictures))), pictures=lambda numbers: pictures[list(numbers)])


def planned(folder, driver, face, sound="a.wav", **options):
    """Plan of a job on files of a folder, in whose `cache` the track is kept; options as of DriveOptions."""
    source, driving = FaceSource(folder / face, FaceOptions()), Driving(Sound.read(folder / sound))
    frames = driver.frames(driving, source.fps)
    track = prepare(source, FaceOptions(), store=TrackStore(folder / "cache"), frames=frames)
    return make_plan(source, track, driving, frames, driver, DriveOptions(**options))


def write_small_job(folder):
    """own.safetensors, face.mp4 (6 frames, with sound), face.png, a.wav (0.4 s) in a folder, which is returned."""
    save_tiny(folder / "own.safetensors", OWN)
    write_video(folder / "face.mp4", moving_portrait(6), audio=tone(0.24))
    Image.fromarray(portrait()).save(folder / "face.png")
    write_wav(folder / "a.wav", tone(0.4))
    return folder


def job_on(folder, outfile):
    """Function that runs inference.py with face.mp4, a.wav and own.safetensors of a folder, and returns the exit code.

    Flags given by name replace these; None leaves a flag out.
    """

    def run_it(*flags, **named):
        named = {"face": folder / "face.mp4", "audio": folder / "a.wav", "outfile": outfile, **named}
        named = {"checkpoint_path": folder / "own.safetensors", "cache_dir": folder / "cache", **named}
        return infer(*(f"--{name}={value}" for name, value in named.items() if value is not None), *flags)

    return run_it


def infer(*arguments):
    """Exit code of inference.py, run inside this process."""
    import inference

    return run(inference.main, [str(argument) for argument in arguments])
