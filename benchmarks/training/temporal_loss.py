"""What the temporal lip loss costs: the time of a training step with it and without it, and the share that it takes.

    python -m benchmarks.training.temporal_loss [--width 1.0 0.25] [--device cuda] [--rounds 7]

A step is forward, losses, backward and the optimiser's update of a Wav2Lip generator with L1 and, in the other form, the lip
loss beside it, on random faces in windows of ragged runs. The two forms take turns, so that other load meets both. On a CPU
the time is that of the processor, all threads together; on a GPU it is that of the wall clock.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

from common.cli import run
from losses.criterion import build_criterion
from losses.term import Setting
from models import build_model
from speech.arpabet import PHONES
from training.checkpoint import Checkpoint

BAR = 0.10


def main(argv):
    """Measure and print; exit code 1 where the share misses the bar at the published width."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training.temporal_loss", description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=float, nargs="+", default=[1.0, 0.25], help="widths of the generator (1.0 0.25)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    add_step(parser)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    shares = {width: measure(width, args) for width in args.width}
    return 0 if shares.get(1.0, 0.0) <= BAR else 1


def add_step(parser):
    """Add the flags that say how large a timed step is and how often it is timed."""
    parser.add_argument("--batch", type=int, default=2, help="windows a step (2)")
    parser.add_argument("--window", type=int, default=5, help="frames a window (5)")
    parser.add_argument("--rounds", type=int, default=7, help="timed steps of each form (7)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads")


def measure(width, args):
    """Share of the step that the lip loss takes, printed."""
    batch = random_batch(args.batch, args.window, args.device)
    steps = {name: Step(width, losses, args.device) for name, losses in FORMS.items()}
    times = {name: [] for name in steps}
    for _ in range(args.rounds + 1):
        for name, step in steps.items():
            times[name].append(step(batch))
    times = {name: values[1:] for name, values in times.items()}  # the first step allocates
    medians = {name: statistics.median(values) for name, values in times.items()}
    shares = sorted(1 - bare / full for bare, full in zip(times["without"], times["with"], strict=True))
    share = 1 - medians["without"] / medians["with"]
    print(f"width {width:g}: {1000 * medians['with']:.0f} ms a step with lip loss, {1000 * medians['without']:.0f} without: "
          f"{share:.1%} of it (quartiles {shares[len(shares) // 4]:.1%} to {shares[-1 - len(shares) // 4]:.1%}); "
          f"bar {BAR:.0%}: {'reached' if share <= BAR else 'not reached'}")  # fmt: skip
    return share


FORMS = {
    "without": {"l1": {"weight": 0.9}},
    "with": {"l1": {"weight": 0.9}, "temporal_lip": {"weight": 0.1}},
}


class Step:
    """One training step of a generator under the given losses; returns its seconds."""

    def __init__(self, width, losses, device):
        torch.manual_seed(0)
        self.device = torch.device(device)
        self.model = build_model({"name": "wav2lip", "width": width}).to(self.device, memory_format=torch.channels_last)
        lips = Checkpoint(build_model({"name": "lip_landmarks"}).to(self.device), {}, "", "own", Path())
        self.criterion = build_criterion(losses, Setting(lambda *_: lips, str, self.model)).to(self.device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5)

    def __call__(self, batch):
        self._wait()
        clock = time.perf_counter if self.device.type == "cuda" else time.process_time
        begun = clock()
        total, _ = self.criterion(self.model(batch), batch)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.optimizer.step()
        self._wait()
        return clock() - begun

    def _wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def random_batch(items, frames, device):
    """Fields of windows whose runs hold one to three frames."""
    generator = torch.Generator().manual_seed(1)
    run = (torch.rand(items, frames, generator=generator) < 0.5).long().cumsum(1)
    run = run - run[:, :1]
    by_run = torch.randint(len(PHONES), (items, frames), generator=generator)
    face = torch.rand(items, frames, 3, 96, 96, generator=generator)
    batch = {"face": face, "masked_face": face, "reference_face": face.flip(1), "run": run, "phoneme": by_run.gather(1, run),
             "mel": torch.rand(items, frames, 1, 80, 16, generator=generator) * 8 - 4,
             "landmarks": torch.rand(items, frames, 68, 2, generator=generator) * 96}  # fmt: skip
    return {name: tensor.to(device) for name, tensor in batch.items()}


if __name__ == "__main__":
    sys.exit(run(main))
