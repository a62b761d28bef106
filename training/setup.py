"""From a config to the parts of a run: data and losses. It knows no method and no loss by name."""

import signal
import warnings
from functools import cache
from pathlib import Path

import torch

from common.errors import InputError
from common.suggest import refuse_unknown
from datasets.centring import JITTER
from datasets.label_rates import label_rates, label_sources
from datasets.negatives import Negatives
from datasets.prepared import PreparedCorpus
from datasets.windows import WindowDataset, collate
from faces.texture import TextureSpec
from losses.criterion import build_criterion
from losses.term import Setting
from models import build_model
from training.checkpoint import Checkpoint, load_checkpoint
from training.config import checked_section, load_config
from training.config.missing import config_of, cure

RELEASED = Path(__file__).resolve().parents[1] / "checkpoints"


def build_losses(config, device, model, learnt=None, stand_ins=None):
    """Criterion on `device`; the frozen networks that losses name are loaded here, because losses open no file.

    Args:
        config: of the run.
        device: torch.device.
        model: the network that is trained.
        learnt: dict that takes config key -> (path, kind of crop) of the networks that must know the corpus's crops.
        stand_ins: list that takes a line for each checkpoint that is not there yet, and that an untrained network of the config
            that would leave it stands for, in a dry run; None: such a checkpoint is refused.

    Raises:
        InputError: what a loss refuses, or a loss that looks at what the network does not give.
    """

    def load(path, expect, crop_key=None):
        try:
            found = _stand_in(path, device, expect, crop_key, stand_ins) or load_checkpoint(path, device, expect=expect)
        except InputError as error:
            raise InputError(f"{crop_key}: {error}{cure(path, crop_key)}" if crop_key else str(error)) from error
        if crop_key is not None and learnt is not None:
            learnt[crop_key] = path, found.config.get("data", {}).get("crop")
        return found

    section = config["model"]
    sizes = {"face_size": getattr(model, "face_size", None) or 96, "width": section.get("width", 1.0)}
    frames = window_frames(config["data"])
    rates = cache(lambda field: label_rates(open_corpus(config["data"]), field))
    sources = cache(lambda field: label_sources(open_corpus(config["data"]), field))
    setting = Setting(load, lambda name: RELEASED / f"{name}.safetensors", model, rates, sources, **sizes, frames=frames)
    criterion = build_criterion(config["losses"], setting)
    for loss in criterion.terms:
        if missing := set(criterion.reads(loss)) - set(model.gives):
            raise InputError(f"losses.{loss}: looks at {', '.join(sorted(missing))}, which {section['name']} does not give")
    return criterion.to(device, memory_format=torch.channels_last)


def _stand_in(path, device, expect, key, lines):
    """Checkpoint of an untrained network in place of one that a config of ours would leave; None where none is needed."""
    if lines is None or Path(path).exists() or (config := config_of(path)) is None:
        return None
    section = load_config(config)["model"]
    if section.get("name") != expect:
        return None
    lines.append(f"{key or expect}: {path} is not there yet (python train.py configs/{config.name} makes it): an untrained "
                 f"{expect} stands for it in this dry run")  # fmt: skip
    network = build_model(section).to(device).eval()
    return Checkpoint(network, {"model": section, "data": {}, "training": {}}, "0" * 64, "own", Path(path))


def adversary_settings(config, criterion):
    """dict of adversary name -> settings of its optimiser: the section `adversary`, and over it the loss's own `optim`.

    A loss with several adversaries may hold one `optim` for all, or one below the name of each.

    Raises:
        InputError: an unknown key, or a value out of range.
    """
    found = {}
    for name in criterion.adversaries():
        term, _, own = name.partition("/")
        given, where = config["losses"][term].get("optim") or {}, f"losses.{term}.optim"
        names = criterion.terms[term].adversaries()
        if own and isinstance(given, dict) and set(given) & set(names):
            refuse_unknown(given, names, f"discriminator in {where}")
            given, where = given.get(own) or {}, f"{where}.{own}"
        found[name] = checked_section("adversary", given, where, config["adversary"])
    return found


def window_frames(data):
    """T, frames of an item, from the section `data` of a config."""
    return data["longest"] if data["window"] == "phoneme" else data["window"]


def open_corpus(data):
    """PreparedCorpus that the section `data` of a config names."""
    if not data["corpus"]:
        raise InputError("data.corpus: name the folder that prepare.py made")
    return PreparedCorpus.open_folder(data["corpus"])


def build_datasets(config, fields, sync_frames, textures=None, options=None, face_size=None):
    """(training windows, dict of split -> validation windows) of the corpus that the config names.

    Args:
        config: of the run.
        fields: names of the fields of a batch.
        sync_frames: frames that `sync_mel` belongs to.
        textures: see `textures_of`; options: see `field_options`.
        face_size: side of the network's faces in pixels; None: it sees no pictures, and takes a corpus of any size.
    """
    data, train = config["data"], config["train"]
    corpus = open_corpus(data)
    if face_size not in (None, corpus.settings["size"]):
        raise InputError(
            f"data.corpus: {data['corpus']} holds faces of {corpus.settings['size']} pixels, the model takes {face_size}"
        )
    window, cut = window_frames(data), "phoneme" if data["window"] == "phoneme" else "frames"
    common = {key: data[key] for key in ("audio_window", "mask_top", "phonemes")}
    common |= {"exclude": data["exclude"] or (), "cut": cut, "sync_frames": sync_frames}
    if data["identity"] is not None:
        options = {**(options or {}), "identity_face": {"of": data["identity"]}}
    common |= {"textures": textures, "options": options, "negatives": Negatives(**data["negatives"])}
    common |= {key: data[key] for key in ("min_av_confidence", "centre", "action_units")}
    own = {"balance": data["balance"], "augment": data["augment"], "part": tuple(data["part"])}
    own |= {"speakers": data["speakers"], "jitter": JITTER if data["centre"] else 0}
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
    warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)  # a dry run says it better
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
    """A loader process goes on when Ctrl-C or a scheduler's SIGTERM reaches it: the run ends its step, and ends the loader.

    A second SIGTERM ends it: it is torch's, for a process that does not end by itself.
    """

    def once(number, _frame):
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, once)
    torch.set_num_threads(1)


def needed_fields(config, model, criterion):
    """Fields that a batch must hold for this network and these losses."""
    needed = {*model.needs, *criterion.needs, "clip", "frame"}
    if config["data"]["window"] == "phoneme":
        needed.add("valid")
    return tuple(sorted(needed))


def field_options(model, criterion):
    """dict of field -> {option: value} that network and losses ask for.

    Raises:
        InputError: two of them want one field in different forms.
    """
    found = {}
    for asker, options in [("the network", model.field_options()),
                           *((f"losses.{name}", term.field_options()) for name, term in criterion.terms.items())]:  # fmt: skip
        for field, own in options.items():
            if found.setdefault(field, own) != own:
                raise InputError(f"{asker}: wants the field {field} with {own}, another part wants {found[field]}")
    return found


def textures_of(config, criterion):
    """dict of field -> TextureSpec: what makes the modules: the target's as the losses ask, the reference's by data.texture.

    Raises:
        InputError: a value out of range, or two losses that want different modules of one picture.
    """
    try:
        textures = {"reference_module": TextureSpec(**config["data"]["texture"])}
    except InputError as error:
        raise InputError(f"data.texture.{error}") from error
    for name, term in criterion.terms.items():
        for field, spec in term.textures().items():
            if textures.setdefault(field, spec) != spec:
                raise InputError(f"losses.{name}: wants other texture modules ({spec.name}) than another loss")
    return textures


def sync_frames_of(config, model, criterion):
    """Frames that the mel window of an expert belongs to: the expert's own number, or the whole window where none listens.

    Raises:
        InputError: two losses whose experts judge different numbers of frames.
    """
    asked = {term.sync_frames for term in criterion.terms.values()} - {None}
    if len(asked) > 1:
        raise InputError(f"losses: their experts judge {' and '.join(map(str, sorted(asked)))} frames; give them one number")
    return next(iter(asked), None) or model.sync_frames or window_frames(config["data"])


def checkpoint_config(config, model, corpus_settings, step, facts, classes=None):
    """What a checkpoint stores beside its weights, so that inference needs no second file; `facts` are the losses' own.

    `classes`: dict of "words" and "people" -> what the classes of the network stand for, see training.classes.
    """
    return {
        "model": config["model"],
        "data": {
            "crop": corpus_settings["crop"],
            "raw_crops": bool(corpus_settings.get("raw_crops", False)),
            "pads": list(corpus_settings["pads"]),
            "audio_window": config["data"]["audio_window"],
            "channel_order": "rgb",
            "reference": "fixed",
            "mask_top": config["data"]["mask_top"],
            **(classes or {}),
            **({"texture": config["data"]["texture"]} if "reference_module" in model.needs else {}),
        },
        "training": {"step": step, "config": config, **({"facts": facts} if facts else {})},
    }
