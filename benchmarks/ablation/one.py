"""Measure one generator for benchmarks.ablation, in a process of its own.

    python -m benchmarks.ablation.one runs/NAME/last.safetensors OUT.json --judge runs/expert_b/best.safetensors
"""

import argparse
import sys

from benchmarks.ablation.measure import Examiner, store
from common.cli import run
from training.checkpoint import load_checkpoint


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation.one", description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint")
    parser.add_argument("out")
    parser.add_argument("--judge", required=True)
    parser.add_argument("--corpus", help="prepared corpus; that of the checkpoint's training where it is left out")
    parser.add_argument("--references", action="store_true", help="the real clips, and those in which the mouth stands still")
    args = parser.parse_args(argv)
    corpus = args.corpus or load_checkpoint(args.checkpoint).config["training"]["config"]["data"]["corpus"]
    examiner = Examiner(corpus, args.checkpoint, args.judge)
    if args.references:
        store(args.out, {"real": examiner.real(), "no motion": examiner.no_motion(args.checkpoint)})
    else:
        store(args.out, examiner.measure(args.checkpoint))


if __name__ == "__main__":
    sys.exit(run(main))
