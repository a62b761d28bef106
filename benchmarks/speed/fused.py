"""The generator as trained beside its inference form, on this machine's CPU: milliseconds per frame, and their ratio.

    python -m benchmarks.speed.fused [--threads 2] [--batch 16] [--rounds 5] [--face_size 96] [--width 1.0]

The forms take turns, so that other load meets both; the ratio is that of the medians.
"""

import argparse
import statistics
import sys
import time

import torch

from benchmarks.peers.models import recipe_state
from common.cli import run
from models import build_model, fuse_for_inference


def main(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.fused", description="Time the generator, plain and fused."
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--face_size", type=int, default=96)
    parser.add_argument("--width", type=float, default=1.0)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = build_model({"name": "wav2lip", "face_size": args.face_size, "width": args.width}).eval()
    model.load_state_dict(recipe_state(model))
    mel, faces = torch.rand(args.batch, 1, 80, 16) * 8 - 4, torch.rand(args.batch, 6, args.face_size, args.face_size)
    forms = {"plain": model, "fused": fuse_for_inference(model)}
    times = {name: [] for name in forms}
    with torch.inference_mode():
        difference = (forms["plain"](mel, faces) - forms["fused"](mel, faces)).abs().max()
        for _ in range(args.rounds):
            for name, form in forms.items():
                start = time.perf_counter()
                form(mel, faces)
                times[name].append(1000 * (time.perf_counter() - start) / args.batch)
    for name, values in times.items():
        print(f"{name:6} {statistics.median(values):7.1f} ms per frame (best {min(values):.1f})")
    ratio = statistics.median(times["plain"]) / statistics.median(times["fused"])
    print(f"ratio {ratio:.2f}, largest difference of the outputs {float(difference):.1e}")


if __name__ == "__main__":
    sys.exit(run(main))
