"""From a config to the parts of a run: data, network, losses."""

import torch

from common.errors import InputError
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset, collate
from losses.criterion import build_criterion
from models import build_model
from models.interface import INTERFACES
from training.checkpoint import load_checkpoint


def build_network(config, device):
    """The network to train, fresh or from `train.init`."""
    name = config["model"].get("name")
    if name is not None and name not in INTERFACES:
        raise InputError(f"model.name: {name!r} cannot be trained by itself; choose one of {', '.join(INTERFACES)}")
    torch.manual_seed(config["train"]["seed"])
    model = build_model(config["model"])
    if init := config["train"]["init"]:
        start = load_checkpoint(init, expect=name)
        try:
            model.load_state_dict(start.model.state_dict())
        except RuntimeError as error:
            raise InputError(f"train.init: {init} holds a network of another size than the section model") from error
    return model.to(device, memory_format=torch.channels_last)  # faster, on CPUs too


def build_losses(config, device):
    """Criterion on `device`; the experts that losses name are loaded here, because losses open no file."""
    resources = {}
    losses = {name: dict(options or {}) for name, options in (config["losses"] or {}).items()}
    for name, options in losses.items():
        if "expert" in options:
            expert = load_checkpoint(options.pop("expert"), device, expect="syncnet_color")
            if expert.model.face_size != config["model"].get("face_size", 96):
                raise InputError(
                    f"losses.{name}.expert: made for faces of {expert.model.face_size} pixels, the model makes others"
                )
            if expert.model.frames != config["data"]["window"]:
                raise InputError(f"losses.{name}.expert: judges {expert.model.frames} frames at once; set data.window to that")
            resources[name] = {"expert": expert.model, "channel_order": expert.config["data"].get("channel_order", "rgb")}
        elif name == "sync":
            raise InputError("losses.sync.expert: name the checkpoint of a lip-sync expert")
    return build_criterion(losses, resources).to(device)


def build_datasets(config, fields):
    """(training windows, validation windows or None) of the corpus that the config names."""
    data, train = config["data"], config["train"]
    if not data["corpus"]:
        raise InputError("data.corpus: name the folder that prepare.py made")
    corpus = PreparedCorpus.open_folder(data["corpus"])
    size = config["model"].get("face_size", 96)
    if corpus.settings["size"] != size:
        raise InputError(
            f"data.corpus: {data['corpus']} holds faces of {corpus.settings['size']} pixels, the model takes {size}"
        )
    common = {"audio_window": data["audio_window"], "mask_top": data["mask_top"], "exclude": data["exclude"] or ()}
    training = WindowDataset(
        corpus, "train", data["window"], fields, seed=train["seed"], balance=data["balance"], augment=data["augment"], **common
    )
    validation = None
    if corpus.split("val"):
        length = data["batch"] * train["validate_batches"]
        validation = WindowDataset(corpus, "val", data["window"], fields, seed=12345, length=length, **common)
    return training, validation


def batches(dataset, batch, first_step, steps, workers, device, rank=0, size=1):
    """Loader of the batches of steps `first_step` to `steps`.

    Step s of process `rank` of `size` holds the `batch` items from (s * size + rank) * batch on.
    """
    starts = ((step * size + rank) * batch for step in range(first_step, steps))
    sampler = [range(start, start + batch) for start in starts]
    return torch.utils.data.DataLoader(
        dataset, batch_sampler=sampler, num_workers=workers, collate_fn=collate, pin_memory=device.type == "cuda"
    )


def needed_fields(model_name, criterion):
    """Fields that a batch must hold for this network and these losses."""
    return tuple(sorted({*INTERFACES[model_name].needs, *criterion.needs}))


def checkpoint_config(config, corpus_settings, step):
    """What a checkpoint stores beside its weights, so that inference needs no second file."""
    return {
        "model": config["model"],
        "data": {
            "crop": corpus_settings["crop"],
            "pads": list(corpus_settings["pads"]),
            "audio_window": config["data"]["audio_window"],
            "channel_order": "rgb",
            "reference": "fixed",
            "mask_top": config["data"]["mask_top"],
        },
        "training": {"step": step, "config": config},
    }
