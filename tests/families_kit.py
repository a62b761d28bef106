"""One config of each family over a small corpus: every network that is trained, every loss and every kind of window."""

import torch

from models import MODELS, build_model
from tests.conftest import ROOT
from training.checkpoint import save_checkpoint
from training.config import load_config
from training.run import Run

OPEN = "losses.sync.enable_when=null"
FEW = ("model.words=2", "model.people=2", "model.speech_frames=4", "model.drawn_frames=2", "model.identity_frames=3",
       "model.identity_stride=2")  # fmt: skip
QUICK = ("model.columns=12",)  # of sound: a single step of the recurrent layers
FAMILIES = {  # name -> (config, overrides)
    "expert": ("expert", ["data.min_av_confidence=null"]),
    "expert_classic": ("expert", ["data.min_av_confidence=null", "data.negatives.sounds=1", "losses.sync_choice=null"]),
    "lip_landmarks": ("lip_landmarks", []),
    "word_reader": ("word_reader", ["data.window=5", "model.words=2"]),
    "lipwarp_motion": ("lipwarp_motion_gate", ["data.window=12", "losses.lip_spread={weight: 0.1}",
                                              "losses.sync_movement={weight: 0.1}"]),
    "wav2lip": ("wav2lip", [OPEN, "losses.sync_landmarks={weight: 0.1}"]),
    "wav2lip_gan": ("wav2lip_gan", [OPEN]),
    "tcsc": ("tcsc", [OPEN]),
    "sto": ("sto", [OPEN]),
    "sto_other": ("sto_grid", [OPEN, "losses.spatial_texture.distribution=sliced", "losses.temporal_lip.similarity=shape"]),
    "demo": ("demo_l1", ["train.init=null", "losses.laplacian={weight: 0.1}", "data.augment.colour=0.1",
                         "data.augment.grain=0.1"]),
    "davs": ("davs_small", ["train.init=null", "data.window=9", *FEW, "losses.association.frames=2",
                            "losses.published={loss: association, frames: 4, detach: video, weight: 0.1}",
                            "losses.identity_words.uniform=squares", "losses.landmark_heatmaps={weight: 0.1}",
                            "losses.identity_contrast={weight: 0.1}"]),
    "action_units": ("au_fusion_gan", ["train.init=null", "losses.perceptual_units=null", "data.window=5",
                                        "model.face_size=96", "model.temporal=tcsan", *QUICK]),
    "face_autoencoder": ("au_small_autoencoder", ["losses.perceptual_units=null", "model.face_size=96", "model.codes=64"]),
    "action_units_diffusion": ("au_small_diffusion", ["train.init=null", "data.window=3", "model.face_size=96", *QUICK,
                                                      "model.unet_width=0.0625", "model.autoencoder_width=0.0625",
                                                      "model.codes=64", "model.frames=1"]),
    "pcavs": ("motion_small", ["train.init=null", "train.freeze=[]", "data.window=4", "model.face_size=96", "model.people=2",
                               "model.read_frames=2", "losses.speech_contrast.frames=2", "losses.speech_contrast.shift=2"]),
}  # fmt: skip
WIDTHS = {"pcavs": 0.125, "davs": 0.125, "action_units": 0.125, "action_units_diffusion": 0.125, "face_autoencoder": 0.0625}


def make_expert(folder, crop="aligned"):
    """A quarter-wide expert with fresh weights; returns its path."""
    torch.manual_seed(0)
    network = {"name": "syncnet_color", "face_size": 96, "width": 0.25}
    path = folder / "expert.safetensors"
    save_checkpoint(path, build_model(network), {"model": network, "data": {"crop": crop}})
    return path


def family_config(name, corpus, expert, runs, *more):
    """The resolved config of a family, a quarter or an eighth as wide, with batches of two; `more` are overrides."""
    stem, overrides = FAMILIES[name]
    path = ROOT / "configs" / f"{stem}.yaml"
    given = load_config(path, overrides)
    small = {"name": name, "data.corpus": corpus, "data.crop": None, "data.workers": 0, "train.batch_size": 2,
             "train.validate_batches": 1, "train.device": "cpu", "train.threads": 1, "train.runs": runs, "train.steps": 4,
             "train.precision": "auto", "train.tensorboard": "off", "train.curve": False, "train.progress": False,
             "optim.warmup": 0}  # fmt: skip
    if given["model"].get("width", 2) <= 1:
        small["model.width"] = WIDTHS.get(name, 0.25)
    if "sync" in given["losses"]:
        small["losses.sync.expert"] = expert
    small = [f"{key}={'null' if value is None else value}" for key, value in small.items()]
    config = load_config(path, [*overrides, *small, *more])
    if parts := MODELS[config["model"]["name"]].begins:
        start = expert.parent / f"start_{name}.safetensors"
        save_checkpoint(start, build_model(config["model"]), {"model": config["model"], "data": {}})
        config["train"]["init"] = [{"checkpoint": str(start), "parts": list(parts)}]
    return config


def family_run(name, corpus, expert, runs, *more):
    """training.run.Run of a family, see `family_config`."""
    return Run(family_config(name, corpus, expert, runs, *more))
