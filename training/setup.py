"""From a config to the parts of a run: data, network, losses."""

import signal
from pathlib import Path

import torch

from common.errors import InputError
from datasets.av_offset import CONFIDENT
from datasets.negatives import Negatives
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset, collate
from faces.texture import TextureSpec
from losses.criterion import build_criterion
from models import build_model
from models.interface import INTERFACES
from training.checkpoint import load_checkpoint

LIP_LANDMARKS = Path(__file__).resolve().parents[1] / "checkpoints" / "lip_landmarks.safetensors"


def build_network(config, device):
    """The network to train, fresh or from `train.init`."""
    name = config["model"].get("name")
    if name is not None and name not in INTERFACES:
        raise InputError(f"model.name: {name!r} cannot be trained by itself; choose one of {', '.join(INTERFACES)}")
    torch.manual_seed(config["train"]["seed"])
    model = build_model(config["model"])
    if init := config["train"]["init"]:
        start = load_checkpoint(init, expect=name)
        state = start.model.state_dict()
        for part in ("audio_gate", "spatial_input"):  # these may be added; fresh ones change nothing
            if (added := getattr(model, part, None)) is not None:
                state = {**{f"{part}.{key}": value for key, value in added.state_dict().items()}, **state}
        try:
            model.load_state_dict(state)
        except RuntimeError as error:
            raise InputError(f"train.init: {init} holds a network of another size than the section model") from error
    return model.to(device, memory_format=torch.channels_last)  # faster, on CPUs too


def build_losses(config, device, model):
    """Criterion on `device`; the frozen networks that losses name are loaded here, because losses open no file.

    Args:
        config: of the run.
        device: torch.device.
        model: the network that is trained; the lip loss keeps the table of its audio gate, where it has one.
    """
    losses = {name: dict(options or {}) for name, options in (config["losses"] or {}).items()}
    resources = {}
    if "sync" in losses:
        resources["sync"] = _sync_expert(losses["sync"], config, device)
    if "adversarial" in losses:
        resources["adversarial"] = {"face_size": config["model"].get("face_size", 96)}
        losses["adversarial"].setdefault("width", config["model"].get("width", 1.0))
    if "temporal_lip" in losses:
        lips = load_checkpoint(losses["temporal_lip"].pop("landmarks", LIP_LANDMARKS), device, expect="lip_landmarks")
        gate = getattr(model, "audio_gate", None)
        resources["temporal_lip"] = {"landmarks": lips.model, "table": gate and gate.table}
    criterion = build_criterion(losses, resources)
    name = config["model"]["name"]
    for loss, term in criterion.terms.items():
        if missing := set(term.reads) - set(INTERFACES[name].gives):
            raise InputError(f"losses.{loss}: looks at {', '.join(sorted(missing))}, which {name} does not give")
    return criterion.to(device, memory_format=torch.channels_last)


def _sync_expert(options, config, device):
    """The lip-sync expert that the options name, as arguments of the loss."""
    if "expert" not in options:
        raise InputError("losses.sync.expert: name the checkpoint of a lip-sync expert")
    expert = load_checkpoint(str(options.pop("expert")), device, expect="syncnet_color")
    if expert.model.face_size != config["model"].get("face_size", 96):
        raise InputError(f"losses.sync.expert: made for faces of {expert.model.face_size} pixels, the model makes others")
    if expert.model.frames > window_frames(config["data"]):
        raise InputError(f"losses.sync.expert: judges {expert.model.frames} frames at once; data.window must not be shorter")
    return {"expert": expert.model, "channel_order": expert.config["data"].get("channel_order", "rgb")}


def window_frames(data):
    """T, frames of an item, from the section `data` of a config."""
    return data["longest"] if data["window"] == "phoneme" else data["window"]


def build_datasets(config, fields, sync_frames, textures=None):
    """(training windows, dict of split -> validation windows) of the corpus that the config names.

    Args:
        config: of the run.
        fields: names of the fields of a batch.
        sync_frames: frames that `sync_mel` belongs to.
        textures: see `textures_of`.
    """
    data, train = config["data"], config["train"]
    if not data["corpus"]:
        raise InputError("data.corpus: name the folder that prepare.py made")
    corpus = PreparedCorpus.open_folder(data["corpus"])
    size = config["model"].get("face_size", 96)
    if corpus.settings["size"] != size:
        raise InputError(
            f"data.corpus: {data['corpus']} holds faces of {corpus.settings['size']} pixels, the model takes {size}"
        )
    window, cut = window_frames(data), "phoneme" if data["window"] == "phoneme" else "frames"
    common = {key: data[key] for key in ("audio_window", "mask_top", "phonemes")}
    common |= {"exclude": data["exclude"] or (), "cut": cut, "sync_frames": sync_frames}
    common |= {"textures": textures, "negatives": Negatives(**data["negatives"])}
    common["min_av_confidence"] = CONFIDENT if data["min_av_confidence"] == "sure" else data["min_av_confidence"]
    own = {"balance": data["balance"], "augment": data["augment"], "part": tuple(data["part"])}
    training = WindowDataset(corpus, "train", window, fields, seed=train["seed"], **own, **common)
    length = train["batch_size"] * train["validate_batches"]
    validation = {
        split: WindowDataset(corpus, split, window, fields, seed=12345, length=length, **common)
        for split in ("val", "unseen")
        if corpus.split(split)
    }
    return training, validation


def batches(dataset, batch_size, numbers, workers, device):
    """Loader of batches by number: batch n holds the `batch_size` items from n * batch_size on."""
    return torch.utils.data.DataLoader(
        dataset,
        batch_sampler=(range(number * batch_size, (number + 1) * batch_size) for number in numbers),
        num_workers=workers,
        collate_fn=collate,
        pin_memory=device.type == "cuda",
        worker_init_fn=_leave_signals_to_the_run,
        prefetch_factor=4 if workers else None,
    )


def _leave_signals_to_the_run(_worker):
    """A loader process goes on when Ctrl-C reaches it: the run ends its step, and ends the loader."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def needed_fields(config, model, criterion):
    """Fields that a batch must hold for this network and these losses."""
    needed = {*INTERFACES[config["model"]["name"]].needs_of(model), *criterion.needs, "clip", "frame"}
    if config["data"]["window"] == "phoneme":
        needed.add("valid")
    return tuple(sorted(needed))


def textures_of(config, criterion):
    """dict of field -> TextureSpec: what makes the modules: the target's as the loss asks, the reference's by data.texture.

    Raises:
        InputError: a value out of range.
    """
    try:
        textures = {"reference_module": TextureSpec(**config["data"]["texture"])}
    except InputError as error:
        raise InputError(f"data.texture.{error}") from error
    if "spatial_texture" in criterion.terms:
        textures["module"] = criterion.terms["spatial_texture"].spec
    return textures


def sync_frames_of(config, model, criterion):
    """Frames that the mel window of the expert belongs to: the expert's own number, or the whole window where none listens."""
    if "sync" in criterion.terms:
        return criterion.terms["sync"].expert.frames
    return getattr(model, "frames", window_frames(config["data"]))


def checkpoint_config(config, corpus_settings, step, facts):
    """What a checkpoint stores beside its weights, so that inference needs no second file; `facts` are the losses' own."""
    return {
        "model": config["model"],
        "data": {
            "crop": corpus_settings["crop"],
            "pads": list(corpus_settings["pads"]),
            "audio_window": config["data"]["audio_window"],
            "channel_order": "rgb",
            "reference": "fixed",
            "mask_top": config["data"]["mask_top"],
            **({"texture": config["data"]["texture"]} if config["model"].get("spatial_input") else {}),
        },
        "training": {"step": step, "config": config, **({"facts": facts} if facts else {})},
    }
