"""Our PC-AVS beside the public one: the weights of one loaded in the other, and the outputs compared.

    python -m benchmarks.peers.pcavs --pcavs PATH

PATH is a checkout of github.com/Hangz-nju-cuhk/Talking-Face_PC-AVS. A process of its own runs its networks with seeded random
weights, in eval mode, and saves them as published files. Those are loaded by `load_checkpoint`, and each output is compared:
the largest difference over the largest size. Exit code 1 where it is above 1e-4. The public code needs torchvision, which may
lie anywhere on PYTHONPATH.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

from benchmarks.peers.davs import MOST, ROOT, difference
from benchmarks.peers.pcavs_parts import outputs
from benchmarks.process import measure_process
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError
from models.motion import TwoScaleDiscriminator
from training.checkpoint import load_checkpoint

RUNNER = Path(__file__).resolve().with_name("pcavs_runner.py")
NEEDED = ("models/networks/encoder.py", "models/networks/generator.py", "models/networks/discriminator.py")


def run_peer(checkout, folder):
    """The peer's networks with random weights.

    Args:
        checkout: folder of the public code; folder: an empty one, which gets the weights in the published form.

    Returns:
        dict of the outputs.

    Raises:
        InputError: files are missing in `checkout`, or the peer fails.
    """
    if missing := [name for name in NEEDED if not (Path(checkout) / name).is_file()]:
        raise InputError(f"--pcavs {checkout}: no {missing[0]} in it; give a checkout of Talking-Face_PC-AVS")
    made = Path(folder) / "outputs.safetensors"
    command = [sys.executable, "-P", RUNNER, "--pcavs", Path(checkout).resolve(), "--weights", folder, "--outputs", made]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    measure_process(command, environment={**os.environ, "PYTHONPATH": path}, what="the peer")
    return load_file(made)


def our_outputs(folder):
    """All outputs of ours with the weights of published files."""
    discriminator = TwoScaleDiscriminator()
    discriminator.load_state_dict(torch.load(Path(folder) / "latest_net_D.pth", weights_only=True))
    return outputs(load_checkpoint(folder, expect="pcavs").model, discriminator.eval())


def main(argv):
    """Compare, print a line for each output; exit code 1 where one is too far away."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.pcavs", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pcavs", required=True, type=Path, metavar="PATH", help="folder of a checkout; it is not changed")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="peer") as folder:
        theirs = run_peer(args.pcavs, folder)
        ours = our_outputs(folder)
    worst = 0.0
    for name, value in theirs.items():
        away = difference(ours[name], value)
        worst = max(worst, away)
        print(f"{name:16} {tuple(value.shape)!s:24} spread {float(value.std()):8.1e}  relative difference {away:.1e}")
    return None if worst <= MOST and ours.keys() == theirs.keys() else EXIT_FAILED_JOB


if __name__ == "__main__":
    sys.exit(run(main))
