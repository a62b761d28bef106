"""A small DAVS network and a batch for it; the public network's weights and files of its form, made from their names."""

import pickle
from types import SimpleNamespace

import torch

from benchmarks.peers.davs_parts import tiled_state
from models import build_model
from models.davs import Davs

SMALL = {"name": "davs", "face_size": 64, "width": 0.125, "words": 5, "people": 3, "speech_frames": 4, "drawn_frames": 2,
         "identity_frames": 3}  # fmt: skip
FRAMES = 9


def davs(**options):
    """A small network in training mode."""
    torch.manual_seed(0)
    return build_model({**SMALL, **options})


def batch_of(face_size=64, items=2, frames=FRAMES, seed=0):
    """A batch of random fields."""
    generator = torch.Generator().manual_seed(seed)
    return {"face": torch.rand(items, frames, 3, face_size, face_size, generator=generator),
            "mfcc": 10 * torch.randn(items, frames, 20, 12, generator=generator),
            "identity_face": torch.rand(items, 3, face_size, face_size, generator=generator)}  # fmt: skip


def published_network():
    """The network at the published layout, each part with the recipe's weights, in eval mode."""
    with torch.device("meta"):
        model = build_model({"name": "davs"})
    model.to_empty(device="cpu")
    for part in Davs.bundle.values():
        getattr(model, part).load_state_dict(tiled_state(getattr(model, part)))
    return model.eval()


def published_form(model, before="module."):
    """State of a network as the public code saves it: dict of dicts, with what is beside them."""
    parts = {name: {before + key: value for key, value in getattr(model, part).state_dict().items()}
             for name, part in Davs.bundle.items()}  # fmt: skip
    group = {"lr": 2e-4, "betas": (0.9, 0.999), "params": [0]}
    return {**parts, "optimizer_G": {"state": {}, "param_groups": [group]}, "step": 7, "epoch": 101}


def hollow_form(words=500, frames=12, before="module."):
    """As `published_form`, at full shapes, of tensors that take no memory: number n of a part holds n everywhere."""
    with torch.device("meta"):
        model = build_model({"name": "davs", "words": words, "speech_frames": frames})
    content = published_form(model, before)
    for part in Davs.bundle:
        for number, (key, value) in enumerate(content[part].items()):
            content[part][key] = torch.full((), number, dtype=value.dtype).expand(value.shape)
    return content


class _Python2Pickler(pickle._Pickler):
    """Writes strings as Python 2 did, whose `str` were bytes."""

    dispatch = dict(pickle._Pickler.dispatch)

    def save_str(self, text):
        data = text.encode("ascii")
        self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        self.memoize(text)

    dispatch[str] = save_str


def _dump(value, file, protocol):
    _Python2Pickler(file, protocol).dump(value)


def save_as_python_2(content, path):
    """Write a torch file as torch 0.2 under Python 2.7 did: the old format, strings of bytes."""
    module = SimpleNamespace(__name__="pickle", Pickler=_Python2Pickler, dump=_dump)
    torch.save(content, path, pickle_module=module, _use_new_zipfile_serialization=False)
