"""Checkpoints: our own safetensors with the config inside, and foreign files, read without running anything in them."""

import copy
import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from common.action_units import SOURCES
from common.errors import InputError
from common.files import atomic_output, content_hash
from models import MODELS, build_model
from training.weights.bundles import find_bundle
from training.weights.file_kinds import SAFETENSORS, kind_of
from training.weights.folders import files_of, read_files
from training.weights.foreign import read_foreign
from training.weights.wrappings import find_network

FORMAT, VERSION = "talking-face-checkpoint", 1
STORAGE_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_NAMED = 3


@dataclass(frozen=True)
class Checkpoint:
    """A network that is ready to use, and where it came from.

    Attributes:
        model: in eval mode, float32, on the device that was asked for.
        config: {"model": ..., "data": ..., "training": ...}; of a foreign file, what the published code does.
        sha256: of the file's bytes, 64 hexadecimal digits; of several files, that of theirs.
        origin: "own" or "foreign".
        path: the file.
    """

    model: nn.Module
    config: dict
    sha256: str
    origin: str
    path: Path

    @property
    def run(self):
        """Name of the training run, as its config gives it; None where the file does not tell."""
        config = self.config.get("training", {}).get("config")
        name = config.get("name") if isinstance(config, dict) else None
        return name if isinstance(name, str) and name else None

    @property
    def judges(self):
        """The networks that taught this one, and those that taught what it began from: list of {"judge": name, "judge_sha256"}.
        They are frozen networks in losses, and checkpoints with a judge in them from which a training began."""
        facts = self.config.get("training", {}).get("facts", {})
        return [one for one in facts.values() if "judge_sha256" in one]

    @property
    def taught_with(self):
        """What the network learned with that a judge may share: list of "hears KIND" (of speech feature) and "judge NAME SHA"
        (one of `judges`, the first 16 digits of its SHA-256)."""
        hears = self.model.field_options().get("speech", {}).get("features")
        judges = {f"judge {one['judge']} {one['judge_sha256'][:16]}" for one in self.judges}
        return [*([f"hears {hears}"] if hears else []), *sorted(judges)]

    @property
    def unit_sources(self):
        """Whose action units the network learned: sorted names of common.action_units.SOURCES; [] where no loss told it."""
        facts = self.config.get("training", {}).get("facts", {})
        return [name for name in sorted(SOURCES) if any(name in one.get("labels", ()) for one in facts.values())]


def save_checkpoint(path, model, config, *, dtype=None):
    """Write `model` and `config` to one safetensors file, which appears only when it is whole.

    Args:
        path: the file to write or replace.
        model: one of `models.MODELS`, not fused; any device, any memory format.
        config: {"model": as for `build_model`, "data": ..., "training": ...}; what JSON can hold, stored in the metadata.
        dtype: stored type of floating-point tensors: torch.float16, torch.bfloat16, their names, or None to keep theirs.

    Raises:
        InputError: the path cannot be written, or the weights hold NaN or infinity, also after rounding to `dtype`.
        ValueError: `config` does not describe `model`.
    """
    state = model.state_dict()
    expected = _empty_model(config["model"]).state_dict()
    if difference := difference_of(expected, state):
        raise ValueError(f"config['model'] does not describe this network: {difference}")
    dtype = STORAGE_DTYPES[dtype] if isinstance(dtype, str) else dtype
    tensors = {}
    for name, tensor in state.items():
        stored = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
        tensors[name] = tensor.detach().to("cpu", stored, memory_format=torch.contiguous_format, copy=True)
    _require_finite(tensors, path, "the weights to be saved")
    metadata = {"format": FORMAT, "version": str(VERSION), "config": json.dumps(config, sort_keys=True, allow_nan=False)}
    with atomic_output(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def load_checkpoint(path, device="cpu", *, expect=None):
    """Read a checkpoint of ours or a published one; which of the two is seen from the content, not from the name.

    A foreign file (Wav2Lip's `.pth`, DAVS' `.pth.tar`: old or new torch format, TorchScript archive, or safetensors; a state
    dict, bare or wrapped as `training.weights.wrappings` says, or one for each part as `training.weights.bundles` says) is
    read without running code. Which network it holds is seen from its keys.

    Args:
        path: the file; of weights that are published as several files, one of them, or their folder
            (`training.weights.folders`).
        device: where the network goes.
        expect: name of the network that is wanted, a key of `models.MODELS`; None takes any.

    Returns:
        Checkpoint.

    Raises:
        InputError: no such file, not a checkpoint, the checkpoint.pt of a run (the message names the weights beside it),
            truncated, would run code, another network than `expect`, tensors that are missing, unknown or of another shape,
            or NaN or infinity in the weights.
    """
    path = Path(path)
    files = files_of(path)
    own = _read_safetensors(path) if files is None and kind_of(path) == SAFETENSORS else None
    sha256 = None
    if own is not None and own[0] is not None:
        config, state, origin = *own, "own"
    elif files is not None:
        name, origin = files[0], "foreign"
        state, sha256 = read_files(*files)
        config = _published_config(name, state)
    else:
        origin = "foreign"
        content = own[1] if own else read_foreign(path)
        name, state = find_bundle(content, path) or find_network(content, path, expect)
        config = _published_config(name, state)
    name = config["model"].get("name")
    if expect is not None and name != expect:
        found = MODELS[name].role if name in MODELS else repr(name)
        wanted = MODELS[expect].role if expect in MODELS else expect
        raise InputError(f"{path}: holds {found} ({name}); {wanted} ({expect}) is needed here")
    model = _fill(config["model"], state, path, origin).to(device).eval()
    model.configure(config["data"])
    return Checkpoint(model, config, sha256 or content_hash(path), origin, path)


def _published_config(name, state):
    """What the published code of a network does, as a config says it."""
    network = MODELS[name]
    section = {"name": name, **network.published_section(state)}
    return {"model": section, "data": copy.deepcopy(network.published_data), "training": {}}


@contextmanager
def _opened(path):
    """A safetensors file that `kind_of` has checked, open."""
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: damaged or not whole ({error}); copy or download it again") from error


def _read_safetensors(path):
    """(config, state dict) of a safetensors file that `kind_of` has checked; config is None where it is not of our format."""
    with _opened(path) as file:
        metadata = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}
    if metadata.get("format") != FORMAT:
        return None, state
    return _own_config(metadata, path), state


def _own_config(metadata, path):
    """The config in the metadata of a file of ours."""
    try:
        version, config = int(metadata["version"]), json.loads(metadata["config"])
        if version > VERSION:
            raise InputError(f"{path}: format version {version} is newer than this code ({VERSION}); update the code")
        if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
            raise ValueError("no model section")
    except (KeyError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: its stored config cannot be read ({error}); take another checkpoint") from error
    return {"data": {}, "training": {}, **config}


def _empty_model(model_config):
    """The network without memory for its weights."""
    with torch.device("meta"):
        return build_model(model_config)


def _fill(model_config, state, path, origin):
    """Build the network and give it the tensors of the file, as float32, once they are seen to fit."""
    try:
        model = _empty_model(model_config)
    except InputError as error:
        raise InputError(f"{path}: its stored config is not usable: {error}") from error
    expected = model.state_dict()
    if origin == "foreign":
        counters = {name: torch.zeros((), dtype=torch.long) for name in expected if name.endswith("num_batches_tracked")}
        state = {**counters, **state}
    if difference := difference_of(expected, state):
        hint = "only networks of the published layout can be loaded" if origin == "foreign" else "the file is not consistent"
        raise InputError(f"{path}: does not fit {model_config['name']}: {difference}; {hint}")
    copied = origin == "foreign"  # a mapped file may be replaced while its weights are in use
    state = {name: tensor.to(expected[name].dtype, copy=copied).contiguous() for name, tensor in state.items()}
    _require_finite(state, path, "the file")
    model.load_state_dict(state, assign=True)
    return model


def difference_of(expected, state):
    """What is missing, unknown, or of another shape: one line, naming the first few of each; "" when all fits."""
    missing = [name for name in expected if name not in state]
    unknown = [name for name in state if name not in expected]
    shapes = [
        f"{name} is {tuple(state[name].shape)} in place of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in state and state[name].shape != tensor.shape
    ]
    parts = [("missing", missing), ("unknown", unknown), ("other shape", shapes)]
    return "; ".join(f"{what}: {_first(names)}" for what, names in parts if names)


def _first(names):
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _require_finite(state, path, what):
    bad = [name for name, tensor in state.items() if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())]
    if bad:
        raise InputError(f"{path}: NaN or infinity in {what} ({_first(bad)}); take a checkpoint from before training diverged")
