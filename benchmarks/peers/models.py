"""Our networks beside the public Wav2Lip ones: names, shapes, outputs.

    python -m benchmarks.peers.models --wav2lip PATH [--write_golden tests/golden/wav2lip]

PATH is a checkout of github.com/Rudrabha/Wav2Lip, which is imported from there and stays there. Prints the largest absolute
difference of the outputs for generator, expert and quality discriminator, with the same weights and inputs, in eval and train
mode. `--write_golden` stores samples of the peer's outputs, and its parameter names and shapes, for the offline tests.
"""

import argparse
import importlib.machinery
import importlib.util
import json
import sys
from pathlib import Path
from zlib import crc32

import numpy as np
import torch

from common.cli import run
from common.errors import InputError
from models import build_model

PEERS = {"wav2lip": "Wav2Lip", "syncnet_color": "SyncNet_color", "disc_quality": "Wav2Lip_disc_qual"}
BATCH, FRAMES, SAMPLE = 3, 2, 97


def recipe_state(model):
    """Weights that anyone can make again: a state dict for `model` drawn by numpy, each tensor from a seed of its name.

    Convolutions and linear layers are normal with deviation sqrt(gain / fan-in), gain 1 in networks with batch norms and 2 in
    those without, to keep outputs off their limits; fan-in is the product of all dimensions but the first. Biases, batch-norm
    shifts and means are normal with deviation 0.1, batch-norm scales and variances uniform in [0.5, 1.5].
    """
    state = {}
    gain = 1 if any(name.endswith("running_var") for name in model.state_dict()) else 2
    for name, tensor in model.state_dict().items():
        random, shape = np.random.default_rng(crc32(name.encode())), tuple(tensor.shape)
        if tensor.dim() >= 2:
            value = random.normal(0, np.sqrt(gain / np.prod(shape[1:])), shape)
        elif name.endswith("running_var") or (name.endswith("weight") and tensor.dim() == 1):
            value = random.uniform(0.5, 1.5, shape)
        else:
            value = random.normal(0, 0.1, shape)
        state[name] = torch.from_numpy(value.astype(np.float32)) if tensor.is_floating_point() else torch.zeros_like(tensor)
    return state


def recipe_inputs(name):
    """Inputs of the network `name` at 96 px: tuples of float32 tensors, mel uniform in [-4, 4], faces uniform in [0, 1]."""
    random = np.random.default_rng(crc32(name.encode()))
    mel = torch.from_numpy(random.uniform(-4, 4, (BATCH, FRAMES, 1, 80, 16)).astype(np.float32))
    shape = {"wav2lip": (BATCH, 6, FRAMES, 96, 96), "syncnet_color": (BATCH, 15, 48, 96)}.get(name, (BATCH, 3, FRAMES, 96, 96))
    faces = torch.from_numpy(random.uniform(0, 1, shape).astype(np.float32))
    return {"wav2lip": (mel, faces), "syncnet_color": (mel[:, 0], faces)}.get(name, (faces,))


def call_of(model):
    """The method of a network that takes tensors, as the published networks do; ours take a batch when they are called."""
    return next((getattr(model, name) for name in ("generate", "embed", "find") if hasattr(model, name)), model)


def outputs(model, name, training):
    """All outputs of one forward pass with the recipe's weights and inputs, as one flat float32 array."""
    model.load_state_dict(recipe_state(model))
    model.train(training)
    with torch.no_grad():
        out = call_of(model)(*recipe_inputs(name))
    return torch.cat([part.flatten() for part in (out if isinstance(out, tuple) else (out,))]).numpy()


def sample(array):
    """Every 97th value from the first on: small enough to be stored, and in every frame and channel."""
    return array[::SAMPLE] if array.size > SAMPLE else array


def import_peer(folder):
    """The `models` package of a Wav2Lip checkout, under another name than ours.

    Raises:
        InputError: there is none in `folder`.
    """
    package = Path(folder) / "models"
    if not (package / "wav2lip.py").is_file():
        raise InputError(f"{folder}: no models/wav2lip.py in it; give the folder of a Wav2Lip checkout")
    return import_file(package / "__init__.py", "peer_wav2lip", package)


def import_file(path, name, package=None):
    """A module of a peer, imported under a name that is not ours.

    Args:
        path: its file.
        name: for sys.modules; "a.b" makes `b` of `package` known as `a.b`.
        package: folder in which it may import its neighbours; None where it imports none.
    """
    folders = None if package is None else [str(package)]
    top, _, inner = name.partition(".")
    if inner:
        parent = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(top, None, is_package=True))
        parent.__path__ = folders
        sys.modules[top], folders = parent, None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=folders)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.models", description="Compare our networks with the public Wav2Lip ones."
    )
    parser.add_argument("--wav2lip", required=True, metavar="PATH", help="folder of a Wav2Lip checkout")
    parser.add_argument(
        "--write_golden", metavar="STEM", help="store the peer's outputs in STEM.npz and its names in STEM.json"
    )
    args = parser.parse_args(argv)
    module, arrays, names, worst = import_peer(args.wav2lip), {}, {}, 0.0
    for name, peer_name in PEERS.items():
        ours, peer = build_model({"name": name}), getattr(module, peer_name)()
        names[name] = {key: list(value.shape) for key, value in peer.state_dict().items()}
        same = names[name] == {key: list(value.shape) for key, value in ours.state_dict().items()}
        for training in (False, True):
            theirs = outputs(peer, name, training)
            difference = float(np.abs(theirs - outputs(ours, name, training)).max())
            worst, mode = max(worst, difference), "train" if training else "eval"
            arrays[f"{name}_{mode}"] = sample(theirs)
            print(f"{name:14} {mode:5}  names and shapes {'equal' if same else 'DIFFER'}  max abs difference {difference:.1e}")
    if args.write_golden:
        Path(args.write_golden).parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(f"{args.write_golden}.npz", **arrays)
        Path(f"{args.write_golden}.json").write_text(json.dumps(names, separators=(",", ":")) + "\n")
    return 0 if worst < 1e-5 else 1


if __name__ == "__main__":
    sys.exit(run(main))
