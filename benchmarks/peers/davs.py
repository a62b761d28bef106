"""Our DAVS beside the public one: the weights of one loaded in the other, and the outputs compared.

    python -m benchmarks.peers.davs --davs PATH [--layout ROOT] [--write_golden tests/golden/davs]

PATH is a checkout of github.com/Hangz-nju-cuhk/Talking-Face-Generation-DAVS. A process of its own runs its networks with seeded
random weights, in eval mode, and saves them as a published checkpoint (benchmarks/peers/davs_runner.py says what is changed,
because the code is of Python 2.7 and torch 0.2). That file is loaded by `load_checkpoint`, and each output of each network is
compared: the largest difference over the largest size. Exit code 1 where it is above 1e-4. `--write_golden` stores samples of
the peer's outputs, and names and shapes of its weights, for the offline tests.

The peer's data loader reads examples that ours wrote: those of ROOT, a root that `prepare.py --davs_layout` wrote (up to 8, of
`train`), else one of random content. Windows of MFCC and classes must be equal, pictures to 3 of 255, as JPEG decoders differ.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file

from benchmarks.peers.davs_parts import adversaries, judged, outputs
from benchmarks.process import measure_process
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError
from datasets.davs.files import CENTRE, COEFFICIENTS, COLUMNS, FRAMES, HEARD, SIDE, is_whole, read_example, write_example
from training.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).resolve().with_name("davs_runner.py")
NEEDED = (
    "Options.py",
    "Options_all.py",
    "Dataloader/Data_load_sequence.py",
    "network/FAN_feature_extractor.py",
    "network/IdentityEncoder.py",
    "network/mfcc_networks.py",
    "network/Decoder_networks.py",
    "network/Discriminator_networks.py",
    "network/networks.py",
)
MOST = 1e-4
PICTURES = 3 / 255  # two decoders of JPEG
EXAMPLES = 8
SAMPLE = 397  # every so many numbers of an output are stored


def run_peer(checkout, folder, layout):
    """The peer's networks with random weights, and its data loader.

    Args:
        checkout: folder of the public code; folder: an empty one for the results; layout: classes of the published layout.

    Returns:
        (Path of the weights in the published form, dict of the outputs, dict of what its loader has read).

    Raises:
        InputError: files are missing in `checkout`, or the peer fails.
    """
    if missing := [name for name in NEEDED if not (Path(checkout) / name).is_file()]:
        raise InputError(f"--davs {checkout}: no {missing[0]} in it; give a checkout of Talking-Face-Generation-DAVS")
    bundle, made = Path(folder) / "101_DAVS_checkpoint.pth.tar", Path(folder) / "outputs.safetensors"
    read = Path(folder) / "loaded.safetensors"
    command = [sys.executable, "-P", RUNNER, "--davs", Path(checkout).resolve(), "--bundle", bundle, "--outputs", made,
               "--layout", layout, "--loaded", read]  # fmt: skip
    measure_process(command, environment={**os.environ, "PYTHONPATH": str(ROOT)}, what="the peer")
    return bundle, load_file(made), load_file(read)


def layout_of(root, folder):
    """Up to EXAMPLES examples of a root of the published layout, copied, for the peer may delete them; one of ours without.

    Args:
        root: Path, or None; folder: an empty one.

    Returns:
        `folder`, which holds folders of classes.

    Raises:
        InputError: the root has no example in `train`.
    """
    if root is None:
        random = np.random.default_rng(0)
        faces = np.stack([cv2.resize(random.integers(0, 256, (8, 8, 3), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
                          for _ in range(FRAMES)])  # fmt: skip
        write_example(folder / "7" / "0", faces, random.standard_normal((len(HEARD), COLUMNS, COEFFICIENTS)))
        return folder
    examples = sorted(path for path in Path(root, "train").glob("*/*") if is_whole(path))[:EXAMPLES]
    if not examples:
        raise InputError(f"--layout {root}: has no example in train; give a folder that prepare.py --davs_layout wrote")
    for path in examples:
        shutil.copytree(path, folder / path.parent.name / path.name)
    return folder


def our_loaded(layout):
    """What ours reads of the same examples, as the peer's loader gives it, see `davs_runner.loaded`."""
    examples = [path for number in sorted(layout.iterdir(), key=lambda one: int(one.name)) for path in sorted(number.iterdir())]
    found, border = {}, (SIDE - CENTRE) // 2
    for number, path in enumerate(examples):
        faces, windows, _ = read_example(path)
        middle = faces[:, border : border + CENTRE, border : border + CENTRE]
        found[f"{number}/video"] = torch.from_numpy(middle.transpose(0, 3, 1, 2) / 255).float()
        found[f"{number}/mfcc"] = torch.from_numpy(windows[:, None].copy())
        found[f"{number}/class"] = torch.tensor([int(path.parent.name)])
    return found


def compare_loaded(ours, theirs):
    """Print what the two loaders have read; whether it is the same."""
    if ours.keys() != theirs.keys():
        print(f"loader: ours reads {len(ours) // 3} examples, the peer {len(theirs) // 3}")
        return False
    away = {kind: max(float((ours[name] - theirs[name]).abs().max()) for name in ours if name.endswith(kind))
            for kind in ("video", "mfcc", "class")}  # fmt: skip
    print(f"loader: {len(ours) // 3} examples, largest differences: pictures {255 * away['video']:.1f} of 255, windows "
          f"{away['mfcc']:g}, classes {away['class']:g}")  # fmt: skip
    return away["video"] <= PICTURES and away["mfcc"] == away["class"] == 0


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
    parser.add_argument("--layout", type=Path, metavar="ROOT", help="a root of the published layout that is read by both")
    parser.add_argument("--write_golden", metavar="STEM", help="store the peer's outputs in STEM.npz, its names in STEM.json")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="peer") as folder:
        layout = layout_of(args.layout, Path(folder, "layout"))
        bundle, theirs, loaded = run_peer(args.davs, folder, layout)
        same = compare_loaded(our_loaded(layout), loaded)
        ours = our_outputs(bundle)
        if args.write_golden:
            write_golden(args.write_golden, bundle, theirs)
    worst = 0.0
    for name, value in theirs.items():
        away = difference(ours[name], value)
        worst = max(worst, away)
        print(f"{name:16} {tuple(value.shape)!s:24} spread {float(value.std()):8.1e}  relative difference {away:.1e}")
    return None if worst <= MOST and same else EXIT_FAILED_JOB


if __name__ == "__main__":
    sys.exit(run(main))
