"""Our DAVS beside the public one: the weights of one loaded in the other, and the outputs compared.

    python -m benchmarks.peers.davs --davs PATH [--write_golden tests/golden/davs]

PATH is a checkout of github.com/Hangz-nju-cuhk/Talking-Face-Generation-DAVS. A process of its own runs its networks with seeded
random weights, in eval mode, and saves them as a published checkpoint (benchmarks/peers/davs_runner.py says what is changed,
because the code is of Python 2.7 and torch 0.2). That file is loaded by `load_checkpoint`, and each output of each network is
compared: the largest difference over the largest size. Exit code 1 where it is above 1e-4. `--write_golden` stores samples of
the peer's outputs, and names and shapes of its weights, for the offline tests.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from benchmarks.peers.davs_parts import adversaries, judged, outputs
from benchmarks.process import measure_process
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError
from training.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).resolve().with_name("davs_runner.py")
NEEDED = (
    "Options.py",
    "Options_all.py",
    "network/FAN_feature_extractor.py",
    "network/IdentityEncoder.py",
    "network/mfcc_networks.py",
    "network/Decoder_networks.py",
    "network/Discriminator_networks.py",
    "network/networks.py",
)
MOST = 1e-4
SAMPLE = 397  # every so many numbers of an output are stored


def run_peer(checkout, folder):
    """The peer's networks with random weights.

    Args:
        checkout: folder of the public code; folder: an empty one for the results.

    Returns:
        (Path of the weights in the published form, dict of the outputs).

    Raises:
        InputError: files are missing in `checkout`, or the peer fails.
    """
    if missing := [name for name in NEEDED if not (Path(checkout) / name).is_file()]:
        raise InputError(f"--davs {checkout}: no {missing[0]} in it; give a checkout of Talking-Face-Generation-DAVS")
    bundle, made = Path(folder) / "101_DAVS_checkpoint.pth.tar", Path(folder) / "outputs.safetensors"
    command = [sys.executable, "-P", RUNNER, "--davs", Path(checkout).resolve(), "--bundle", bundle, "--outputs", made]
    measure_process(command, environment={**os.environ, "PYTHONPATH": str(ROOT)}, what="the peer")
    return bundle, load_file(made)


def our_outputs(bundle):
    """All outputs of ours with the weights of a published file."""
    made = outputs(load_checkpoint(bundle, expect="davs").model)
    content = torch.load(bundle, weights_only=True, mmap=True)
    for name, adversary in adversaries().items():
        state = {key.removeprefix("module."): value for key, value in content[name].items()}
        adversary.load_state_dict({key: state[key] for key in adversary.state_dict()})
        made |= judged(adversary.eval(), name)
    return made


def difference(ours, theirs):
    """Largest difference over the largest size; both are flattened, for the peer keeps windows apart and ours does not."""
    if ours.numel() != theirs.numel():
        return float("inf")
    return float((ours.flatten() - theirs.flatten()).abs().max() / theirs.abs().max())


def sample(tensor):
    """Every SAMPLE-th number of a large tensor, all of a small one, as a numpy array."""
    return tensor.flatten()[:: SAMPLE if tensor.numel() > 2 * SAMPLE else 1].numpy()


def write_golden(stem, bundle, theirs):
    """Store samples of the outputs, and names and shapes of the weights."""
    content = torch.load(bundle, weights_only=True, mmap=True)
    names = {name: {key.removeprefix("module."): list(value.shape) for key, value in state.items()}
             for name, state in content.items() if isinstance(state, dict)}  # fmt: skip
    np.savez_compressed(f"{stem}.npz", **{name: sample(value) for name, value in theirs.items()})
    Path(f"{stem}.json").write_text(json.dumps(names, separators=(",", ":")) + "\n")


def main(argv):
    """Compare, print a line for each output; exit code 1 where one is too far away."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.davs", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--davs", required=True, type=Path, metavar="PATH", help="folder of a checkout; it is not changed")
    parser.add_argument("--write_golden", metavar="STEM", help="store the peer's outputs in STEM.npz, its names in STEM.json")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="peer") as folder:
        bundle, theirs = run_peer(args.davs, folder)
        ours = our_outputs(bundle)
        if args.write_golden:
            write_golden(args.write_golden, bundle, theirs)
    worst = 0.0
    for name, value in theirs.items():
        away = difference(ours[name], value)
        worst = max(worst, away)
        print(f"{name:16} {tuple(value.shape)!s:24} spread {float(value.std()):8.1e}  relative difference {away:.1e}")
    return None if worst <= MOST else EXIT_FAILED_JOB


if __name__ == "__main__":
    sys.exit(run(main))
