"""Proves the code on a GPU, in at most six minutes, from material that it makes itself.

    python -m benchmarks.gpu                                   # all parts, on the GPU
    python -m benchmarks.gpu --parts networks training         # some of them
    python -m benchmarks.gpu --corpus prepared/grid            # training on a small prepared corpus of yours
    python -m benchmarks.gpu --device cpu --quick              # the same code with small networks, as the tests run it

Parts:
  networks   every network forward and backward in fp32, bf16, fp16 against the CPU
  waits      how often a training step makes the host wait for the device
  training   30 steps of each family of configs, with a checkpoint and a resumption half way, and in each precision
  speed      steps a second at full width, share of the matrix peak, wait for data, memory
  texture    SLIC against the CPU and against scikit-image
  drawing    the generator's frames a second, and its pixels
  judging    the sync judge and the features of FID
  compiled   torch.compile

Needs torch, numpy, pyyaml, tqdm, safetensors and accelerate; scikit-image for one comparison, which is left out without it.
Prints each figure as it is known, writes OUT.json, and leaves with exit code 1 where something failed, passed its bound, or was
not run for want of time. docs/benchmarks.md says what the bounds are.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.gpu.bench import BAD, FAILED, LATE, OK
from benchmarks.gpu.runner import PARTS, run_parts
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError
from common.files import atomic_output


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("--device", default="cuda", help="cuda, cuda:1 or cpu (%(default)s)")
    add("--parts", nargs="+", default=list(PARTS), choices=list(PARTS), metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    add("--corpus", type=Path, help="a small prepared corpus with phones and texture modules (one is drawn)")
    add("--seconds", type=float, default=330.0, help="for all parts together; they share it (%(default)g)")
    add("--quick", action="store_true", help="small networks and few steps: tries the code, measures nothing of use")
    add("--one_process", action="store_true", help="all parts in this process: a crash of one ends all")
    add("--out", type=Path, default=Path("results/gpu"), help="name of the JSON, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if not 0 < args.seconds < float("inf"):
        raise InputError("--seconds must be a number above 0")
    args.parts = [name for name in PARTS if name in args.parts]
    return args


def main(argv):
    """Measure, print and write; exit code 1 where something is not as it should be."""
    args, begun = parse(argv), time.monotonic()
    from benchmarks.gpu.facts import machine_facts, short
    from benchmarks.gpu.material import make_material
    from models.devices import choose_device

    if args.device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError("--device: this machine or this build of torch has no GPU; --device cpu --quick tries the code")
    args.device = choose_device(args.device)
    facts = machine_facts(args.device)
    print(short(facts), flush=True)
    with tempfile.TemporaryDirectory(prefix="benchmarks-gpu-") as folder:
        widths = (0.25,) if args.quick else (0.25, 1.0)
        material = make_material(Path(folder), args.corpus, frames=40 if args.quick else 75, widths=widths)
        lines = run_parts(args.parts, args, material, Printer())
    taken = time.monotonic() - begun
    states = Counter(line.state for line in lines)
    told = {**vars(args), "device": str(args.device), "corpus": args.corpus and str(args.corpus), "out": str(args.out)}
    result = {"machine": facts, "arguments": told, "seconds": round(taken, 1), "states": states,
              "lines": [asdict(line) for line in lines]}  # fmt: skip
    with atomic_output(args.out.with_name(f"{args.out.name}.json")) as path:
        path.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    bad = [line for line in lines if line.state in BAD]
    print(f"\n{len(lines)} figures in {taken:.0f} s: {', '.join(f'{count} {state}' for state, count in states.items())}")
    for line in bad:
        print(f"{line.state}: {line.part}: {text_of(line)}")
    return EXIT_FAILED_JOB if bad or not lines else None


class Printer:
    """Prints lines as a table, part by part."""

    def __init__(self):
        self._part = None

    def __call__(self, line):
        if line.part != self._part:
            self._part = line.part
            print(f"\n{line.part}", flush=True)
        print(f"  {'' if line.state == OK else line.state + ': '}{text_of(line)}", flush=True)


def text_of(line):
    """A Line as text: name, value, unit and bound."""
    value = f"{line.value:.4g}" if isinstance(line.value, float) else line.value
    bound = f"   ({line.bound})" if line.bound and line.state not in (FAILED, LATE) else ""
    return f"{line.name}: {value} {line.unit}".rstrip() + bound


if __name__ == "__main__":
    sys.exit(run(main))
