"""Time and floating-point work of a training step, method by method, with the very step of train.py.

    python -m benchmarks.training.step [--width 1.0 0.25] [--device cuda] [--precision bf16] [--compile] [--rounds 7]

Each form is a config of configs/ on the same number of faces: --batch windows of --window frames, from a small corpus of noise,
with an expert of random weights at the same width and the sync loss switched on. A step is `training.run.Run.learn`: forward,
losses with their frozen networks, backward, optimiser, the adversary's own step, the running average; loading is left out. Work
is counted by torch (FlopCounterMode: convolutions and matrix products, forward and backward, a multiplication and an addition
being two). Forms take turns. On a CPU, times are processor time of all threads of this process; on a GPU wall time, with the
device waited for.

The device's rate is the greater one of torch.matmul, at the best of a few sizes, and of a plain 5x5 convolution, which some
CPUs' libraries do faster than the product; both in the same process, precision and threads, in each round.

Writes OUT.json and OUT.md; exit code 1 where `sto` costs more than 25 % over `wav2lip_gan` at width 1.0.
"""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.material import busy_note, machine
from benchmarks.outputs import write_outputs
from benchmarks.training.step_report import summary
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
GAN = "wav2lip_gan"
CONDITIONAL = ("losses.adversarial.discriminator=conditional",)
FORMS = {  # name -> (config, overrides)
    "wav2lip": ("wav2lip", ()),
    GAN: (GAN, ()),
    "wav2lip_gan, conditional discriminator": (GAN, CONDITIONAL),
    "sto": ("sto", ()),
    "sto_quality": ("sto_quality", ()),
    "sto_no_tc": ("sto_no_tc", ()),
    "sto_no_sc": ("sto_no_sc", ()),
}
CONTIGUOUS, COMPILED = "wav2lip_gan, contiguous", "wav2lip_gan, compiled"
SIZES = {"cpu": (512, 1024, 2048), "cuda": (2048, 4096, 8192)}
MAPS = {"cpu": (10, 256, 24), "cuda": (64, 512, 48)}  # of the convolution: pictures, channels, side
STORED_BATCHES = 4


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training.step", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--width", type=float, nargs="+", default=[1.0, 0.25], help="widths of all networks (1.0 0.25)")
    add("--device", default="cpu", help="cpu or cuda (%(default)s)")
    add("--precision", default="fp32", choices=("fp32", "bf16"), help="(%(default)s)")
    add("--batch", type=int, default=2, help="windows a step (%(default)s)")
    add("--window", type=int, default=5, help="frames a window (%(default)s)")
    add("--rounds", type=int, default=7, help="timed steps of each form, after one that is not counted (%(default)s)")
    add("--threads", type=int, default=torch.get_num_threads(), help="CPU threads (%(default)s)")
    add("--compile", action="store_true", help="also wav2lip_gan with train.compile, which may take minutes to begin")
    add("--layout", action="store_true", help="also wav2lip_gan with contiguous maps in place of channels last")
    add("--forms", nargs="+", default=list(FORMS), choices=list(FORMS), metavar="FORM", help="only these; wav2lip_gan always")
    add("--out", type=Path, default=Path("results/train_step"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if min(args.batch, args.rounds, args.threads) < 1 or args.window < 5:
        raise InputError("--batch, --rounds and --threads must be 1 or more, --window 5 or more")
    args.forms = [name for name in FORMS if name in args.forms or name == GAN]
    return args


def main(argv):
    """Measure, print and write the tables; exit code 1 when the bar is missed."""
    args = parse(argv)
    torch.set_num_threads(args.threads)
    facts, clock = machine(), Clock(args.device)
    widths, lines, missed = {}, [], []
    for width in args.width:
        with tempfile.TemporaryDirectory() as folder:
            widths[width] = measure(build(width, args, Path(folder)), args, clock)
        table, short = summary(width, widths[width])
        lines, missed = [*lines, *table, ""], [*missed, *short]
        print(*table, "", sep="\n", flush=True)
    device = torch.cuda.get_device_name() if clock.cuda else facts["cpu"]
    lines.append(f"{device}, {args.precision}, {args.threads} threads, {args.batch} windows of {args.window} frames, "
                 f"{args.rounds} rounds: median (range) of {clock.what}. {busy_note(facts)}".rstrip())  # fmt: skip
    result = {"machine": facts, "device": device, "arguments": {**vars(args), "out": str(args.out)}, "widths": widths}
    write_outputs(args.out, result, "\n".join(lines))
    print(lines[-1], *missed, sep="\n")
    return EXIT_FAILED_JOB if missed else None


class Clock:
    """Seconds: of the processor on a CPU, of the wall on a GPU, once it has done all that it was given."""

    def __init__(self, device):
        self.cuda = torch.device(device).type == "cuda"
        self.what = "wall time" if self.cuda else "processor time"

    def __call__(self):
        import time

        if not self.cuda:
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


class Step:
    """Training steps of one run on batches that lie ready."""

    def __init__(self, job):
        from datasets.windows import collate

        count = job.config["train"]["batch_size"]
        job.criterion.update_gates(dict.fromkeys((metric for metric, _ in job.criterion.gates.values()), float("-inf")))
        self.job, self._done = job, 0
        self._batches = [
            collate(job.training.__getitems__(range(number * count, (number + 1) * count))) for number in range(STORED_BATCHES)
        ]

    def __call__(self):
        """Do a step; returns its losses."""
        values, _ = self.job.learn([self._batches[self._done % STORED_BATCHES]])
        self._done += 1
        return values


def build(width, args, folder):
    """dict of name -> Step of every form that is asked for, on a corpus and an expert made in `folder`."""
    from models import build_model
    from tests.prepared_kit import make_corpus
    from training.checkpoint import save_checkpoint

    corpus, expert = make_corpus(folder / "corpus"), folder / "expert.safetensors"
    network = {"name": "syncnet_color", "face_size": 96, "width": width}
    torch.manual_seed(0)
    save_checkpoint(expert, build_model(network), {"model": network, "data": {"crop": "aligned"}})
    given = (f"data.corpus={corpus}", f"losses.sync.expert={expert}", f"model.width={width}", f"data.window={args.window}",
             f"train.batch_size={args.batch}", f"train.device={args.device}", f"train.precision={args.precision}",
             f"train.threads={args.threads}", f"train.runs={folder}", "data.workers=0")  # fmt: skip
    steps = {name: _step(*FORMS[name], given) for name in args.forms}
    if args.layout:
        steps[CONTIGUOUS] = _step(GAN, (), given)
        job = steps[CONTIGUOUS].job
        job.model.to(memory_format=torch.contiguous_format)
        job.criterion.to(memory_format=torch.contiguous_format)
    if args.compile:
        steps[COMPILED] = _step(GAN, ("train.compile=true",), given)
    return steps


def _step(name, changes, given):
    from training.config import load_config
    from training.run import Run

    return Step(Run(load_config(CONFIGS / f"{name}.yaml", (*given, *changes))))


def measure(steps, args, clock):
    """One dict: `seconds` and `flops` of each form, one number a round and one; `matmul` and `convolution`, FLOP a second."""
    flops = {name: count_flops(step, name == COMPILED) for name, step in steps.items()}
    seconds, rates = {name: [] for name in steps}, {"matmul": [], "convolution": []}
    for _ in range(args.rounds):
        for name, rate in (("matmul", matmul_rate), ("convolution", convolution_rate)):
            rates[name].append(rate(args, clock))
        for name, step in steps.items():
            begun = clock()
            step()
            seconds[name].append(clock() - begun)
    return {"seconds": seconds, "flops": flops, **rates}


def count_flops(step, compiled=False):
    """FLOP of one step, which also warms up; None of a compiled one, whose kernels the counter does not see."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with contextlib.nullcontext() if compiled else counter:
        step()
    return None if compiled else counter.get_total_flops()


def matmul_rate(args, clock):
    """Largest rate of a matrix product over a few sizes, FLOP a second."""
    best, sizes = 0.0, SIZES[torch.device(args.device).type]
    for size in sizes:
        left, right = (_random((size, size), args) for _ in range(2))
        repeats = max(1, (sizes[-1] // size) ** 2 // 2)
        best = max(best, _rate(lambda: left @ right, 2 * size**3, repeats, clock))  # noqa: B023 - called at once
    return best


def convolution_rate(args, clock):
    """Rate of a 5x5 convolution, FLOP a second; no shortcut for its size is known to the libraries, so that the count holds."""
    count, channels, side = MAPS[torch.device(args.device).type]
    maps, weight = _random((count, channels, side, side), args), _random((channels, channels, 5, 5), args)
    maps, weight = (one.contiguous(memory_format=torch.channels_last) for one in (maps, weight))
    flops = 2 * count * channels**2 * 25 * side**2
    return _rate(lambda: torch.nn.functional.conv2d(maps, weight, padding=2), flops, 3, clock)


def _random(shape, args):
    return torch.randn(shape, device=args.device).to({"fp32": torch.float32, "bf16": torch.bfloat16}[args.precision])


def _rate(work, flops, repeats, clock):
    """FLOP a second of `work`, after once to warm up."""
    work()
    begun = clock()
    for _ in range(repeats):
        work()
    return flops * repeats / (clock() - begun)


if __name__ == "__main__":
    sys.exit(run(main))
