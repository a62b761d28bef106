"""How fast is a face driven, end to end, by one checkpoint beside another?

    python -m benchmarks.lipwarp.speed checkpoints/lipwarp.safetensors checkpoints/demo.safetensors [--face FILE ...]

Each run is a process of `inference.py`. Without --face a portrait that sways is driven at 1280x720 and at 512x512, and a
picture. The sound is `samples/speech.wav`, repeated. `track` counts the search for the face, `cached` begins with the stored
track. The start of the program (imports, weights) is measured apart, with a sound of one frame, and taken off. CPU is the
processor time of all threads for a frame: on a busy machine it says more than frames per second. Memory is the largest
resident size of the process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.faces.stage import write_moving_portrait
from benchmarks.lipwarp.clips import write_wav
from common.cli import run
from media import VideoReader, VideoWriter, probe
from speech.waveform import SAMPLE_RATE, load_waveform

ROOT = Path(__file__).resolve().parents[2]


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lipwarp.speed", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("checkpoints", nargs="+", type=Path)
    add("--face", type=Path, action="append", help="videos or pictures; the default are made on the spot")
    add("--seconds", type=float, default=20, help="of sound (%(default)s)")
    add("--repeats", type=int, default=1, help="runs of each kind, whose median is told (%(default)s)")
    add("--inference", type=Path, default=ROOT / "inference.py", help="another checkout's, to compare with")
    return parser.parse_args(argv)


def write_sound(path, seconds):
    """The sample's speech, repeated, as a wav file."""
    speech = load_waveform(ROOT / "samples" / "speech.wav")
    write_wav(path, np.resize(speech, int(seconds * SAMPLE_RATE)))
    return path


def make_faces(folder, seconds):
    """Paths of the faces that are driven where none is given."""
    from skimage import data, io

    wide, square, picture = folder / "720p.mp4", folder / "512.mp4", folder / "picture.png"
    write_moving_portrait(wide, int(seconds * 25))
    with VideoReader(wide) as reader, VideoWriter(square, width=512, height=512, fps=25) as writer:
        for t, frame in enumerate(reader):
            left = int(np.clip(1280 / 2 + 160 * np.sin(t / 31) - 256, 0, 768))  # it sways; the window goes along
            writer.write(np.ascontiguousarray(frame[80:592, left : left + 512]))
    io.imsave(picture, data.astronaut())
    return [wide, square, picture]


def drive(inference, checkpoint, face, sound, cache, outfile):
    """(seconds, CPU seconds, MiB) of one process."""
    command = [sys.executable, inference, "--face", face, "--audio", sound, "--checkpoint_path", checkpoint,
               "--cache_dir", cache, "--outfile", outfile]  # fmt: skip
    began = time.perf_counter()
    child = subprocess.Popen([str(part) for part in command], cwd=Path(inference).parent, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{inference} failed on {face}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main(argv):
    """Print the table."""
    options = parse(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        long, short = write_sound(folder / "long.wav", options.seconds), write_sound(folder / "short.wav", 0.04)
        faces = options.face or make_faces(folder, options.seconds)
        print(f"{'face':14s}{'checkpoint':22s}{'':8s}{'frames/s':>9s}{'CPU ms':>8s}{'start s':>9s}{'MiB':>6s}")
        for face in faces:
            drive(options.inference, options.checkpoints[0], face, short, folder / "start", folder / "s.mp4")
            for kind in ("track", "cached"):
                for checkpoint in options.checkpoints:
                    runs = []
                    for again in range(options.repeats):
                        how = (options.inference, checkpoint.resolve(), face.resolve())
                        start = drive(*how, short, folder / "start", folder / "s.mp4")
                        whole = drive(*how, long, folder / f"{face.stem}-{checkpoint.stem}-{again}", folder / "r.mp4")
                        frames = probe(folder / "r.mp4").frames - 1
                        taken, cpu = whole[0] - start[0], (whole[1] - start[1]) / frames * 1000
                        runs.append((frames / max(taken, 1e-6), cpu, start[0], whole[2]))
                    fps, cpu, start, memory = np.median(runs, axis=0)
                    line = f"{face.stem:14s}{checkpoint.stem:22s}{kind:8s}{fps:9.1f}{cpu:8.1f}{start:9.2f}{memory:6.0f}"
                    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(run(main))
