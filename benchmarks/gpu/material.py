"""What the benchmark works on: a corpus of faces drawn by numpy alone, an expert of random weights, light configs."""

import json
from inspect import signature
from pathlib import Path

import numpy as np
import torch

from benchmarks.gpu.bench import Material
from common.errors import InputError
from datasets.action_units import KIND as UNITS
from datasets.clip_files import clip_path, write_clip, write_side
from datasets.prepared import FORMAT, ClipRow, PreparedCorpus
from datasets.texture import kind_of, parameters_of
from datasets.words import KIND as WORDS
from datasets.words import extend_vocabulary
from faces.texture import TextureSpec, grid_modules

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SPLITS = ("train",) * 8 + ("val", "unseen")
SETTINGS = {"crop": "aligned", "pads": [0, 10, 0, 0], "fps": 25}
PHONE_CLASSES = 40
SPOKEN = ("at", "now")  # words of each clip, a half of it each


def make_material(folder, corpus=None, *, frames=75, widths=(0.25, 1.0)):
    """Material in `folder`.

    Args:
        folder: Path, which is there.
        corpus: a small prepared corpus of the user's; None draws one.
        frames: of each clip that is drawn.
        widths: of the experts.

    Raises:
        InputError: `corpus` is no prepared corpus.
    """
    corpus = Path(corpus).resolve() if corpus else draw_corpus(folder / "corpus", frames)
    size = PreparedCorpus.open_folder(corpus).settings.get("size")
    if not isinstance(size, int):
        raise InputError(f"--corpus {corpus}: corpus.json does not say how large its faces are; prepare the corpus anew")
    experts = {width: _make_expert(folder / f"expert-{width:g}.safetensors", size, width, corpus) for width in widths}
    return Material(corpus, size, experts, folder)


def _make_expert(path, size, width, corpus):
    """A lip-sync expert of random weights; returns its path."""
    return _save_fresh(path, {"name": "syncnet_color", "face_size": size, "width": width}, corpus)


def _make_classifier(material, width):
    """A classifier of action units of random weights, beside the runs; returns its path."""
    section = {"name": "action_units", "stage": "classifier", "face_size": material.face_size, "width": width}
    return _save_fresh(material.folder / f"classifier-{width:g}.safetensors", section, material.corpus)


def make_start(config, material):
    """A config of `load_light` that begins from random weights where its network has parts that do not learn.

    The checkpoint lies beside the runs.
    """
    from models import MODELS

    section, parts = config["model"], MODELS[config["model"]["name"]].begins
    if not parts:
        return config
    path = _save_fresh(material.folder / f"start-{config['name']}.safetensors", section, material.corpus)
    start = {"checkpoint": str(path), "parts": list(parts)}
    return {**config, "train": {**config["train"], "init": [start]}}


def _save_fresh(path, section, corpus):
    from models import build_model
    from training.checkpoint import save_checkpoint

    torch.manual_seed(0)
    save_checkpoint(path, build_model(section), {"model": section, "data": {"crop": _crop_of(corpus)}})
    return path


def _crop_of(corpus):
    return PreparedCorpus.open_folder(corpus).settings.get("crop", "aligned")


def load_light(name, material, *overrides, width=0.25, device="cpu", **train):
    """The config of configs/ by name, on the material, without start weights; `train` is laid over its section of that name.

    Args:
        name: file name without ending.
        material: Material.
        overrides: further "key=value", as train.py takes them.
        width: of the network, its discriminators and its expert.
        device: name.

    Returns:
        dict for training.run.Run. Losses that wait for their `enable_when` are switched on.
    """
    from models import MODELS
    from training.config import load_config

    path = CONFIGS / f"{name}.yaml"
    plain = load_config(path, ())
    given = [f"data.corpus={material.corpus}", f"data.crop={_crop_of(material.corpus)}", "data.workers=0", "data.exclude=null"]
    given += ["data.speakers=null", "train.init=null", "train.tensorboard=off", "train.progress=false"]
    given += [f"train.device={device}", f"train.runs={material.folder / 'runs'}"]
    known = signature(MODELS[plain["model"]["name"]]).parameters
    given += [f"model.face_size={material.face_size}"] if "face_size" in known else []
    if "features" in known:  # the drawn corpus has no speech features
        given += ["model.features=mel", "data.augment.voice=0"]
        given += ["model.hears=[all]"] if "hears" in known else []  # what the mel has
    elif "width" in known:
        given.append(f"model.width={width}")
    if plain["data"]["centre"]:  # a corpus of the user's may have no words
        given.append("data.centre=known")
    for loss, options in plain["losses"].items():
        if "expert" in options:
            given.append(f"losses.{loss}.expert={material.expert[width]}")
        if "classifier" in options:
            given.append(f"losses.{loss}.classifier={_make_classifier(material, width)}")
        if "weights" in options:  # of a file that is not ours, such as VGG-19
            given.append(f"losses.{loss}=null")
        if "enable_when" in options:
            given.append(f"losses.{loss}.enable_when=null")
    given += [f"train.{key}={json.dumps(value)}" for key, value in train.items()]
    return load_config(path, [*given, *overrides])


def draw_corpus(folder, frames=75, size=96, seed=0):
    """A prepared corpus of ten clips of drawn faces whose mouths follow their sound; numpy alone. Returns the folder.

    It has all that the configs ask for: phones, words, action units that follow the loudness, AV offsets that are known, and
    texture modules (blocks of a grid, which are quick to make).
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.json").write_text(json.dumps({"format": FORMAT, "settings": {**SETTINGS, "size": size}}))
    rows = []
    for number, split in enumerate(SPLITS):
        speaker = "stranger" if split == "unseen" else f"s{number % 2 + 1}"
        row = ClipRow(f"{speaker}/clip{number}", speaker, split, frames=frames, seconds=frames / 25, phones="given",
                      av_offset=0.0, av_confidence=1.0)  # fmt: skip
        loud = np.clip(np.cumsum(rng.standard_normal(frames)), -3, 3) / 6 + 0.5
        faces, landmarks = draw_faces(loud, size, rng)
        arrays = {"face": faces, "landmarks": landmarks, "matrix": np.tile(np.eye(2, 3), (frames, 1, 1)),
                  "interpolated": np.zeros(frames, bool), **_sound(loud, rng)}  # fmt: skip
        write_clip(clip_path(folder, row.id), arrays, {"format": FORMAT, "id": row.id, "fps": "25"})
        write_side(folder, "phones", row.id, _phones(frames / 25, rng), {"drawn": True})
        times = np.array([[0, 0.5], [0.5, 1]]) * row.seconds
        write_side(folder, WORDS, row.id, {"word_times": times}, {}, {"words": list(SPOKEN)})
        opening = np.stack([loud > level for level in (0.8, 0.75, 0.7, 0.5, 0.6)], 1)
        units = {"present": opening.astype(np.uint8), "intensity": 5 * loud[:, None] * opening, "known": np.ones(frames, bool)}
        write_side(folder, UNITS, row.id, {**units, "intensity": units["intensity"].astype(np.float32)}, {})
        row.side = {WORDS: {"from": "given"}, UNITS: {"from": "geometry"}}
        labels = np.tile(grid_modules(size, size), (frames, 1, 1)).astype(np.uint8)
        write_side(folder, kind_of(TextureSpec()), row.id, {"labels": labels}, parameters_of(row, TextureSpec()))
        rows.append(row)
    extend_vocabulary(folder, SPOKEN)
    (folder / "manifest.jsonl").write_text("".join(json.dumps(vars(row)) + "\n" for row in rows), encoding="utf-8")
    return folder


def draw_faces(loud, size, rng):
    """A face with hair, eyes and a mouth that opens with the loudness, on an uneven ground.

    Args:
        loud: (N,) float in [0, 1]; size: S; rng: numpy Generator.

    Returns:
        (N, S, S, 3) uint8 RGB; (N, 68, 2) float32 landmarks in pixels.
    """
    y, x = (np.indices((size, size)) + 0.5) / size
    opening = (0.015 + 0.06 * loud)[:, None, None]
    coarse = rng.uniform(60, 200, (6, 6, 3))
    cells = (y * 6).astype(int), (x * 6).astype(int)
    picture = np.tile(coarse[cells], (len(loud), 1, 1, 1))
    skin, lips = rng.uniform(120, 230, 3), np.array([170.0, 60.0, 70.0])
    shade = 1 - 0.35 * (x - 0.5)[..., None] ** 2 * 4

    def paint(mask, colour):
        np.copyto(picture, colour, where=np.broadcast_to(mask[..., None], picture.shape))

    def ellipse(cx, cy, rx, ry):
        return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1

    paint(ellipse(0.5, 0.42, 0.42, 0.42)[None], rng.uniform(20, 120, 3))
    paint(ellipse(0.5, 0.52, 0.36, 0.44)[None], skin * shade)
    for side in (0.34, 0.66):
        paint(ellipse(side, 0.42, 0.08, 0.04)[None], 235.0)
        paint(ellipse(side, 0.42, 0.03, 0.035)[None], 40.0)
    paint(ellipse(0.5, 0.74, 0.14, opening + 0.03), lips)
    paint(ellipse(0.5, 0.74, 0.11, opening), 35.0)
    picture += rng.normal(0, 4, picture.shape)
    return picture.clip(0, 255).astype(np.uint8), size * _landmarks(loud)


def _landmarks(loud):
    """(N, 68, 2) float32 in shares of the crop, in the 68-point order."""
    points = np.zeros((len(loud), 68, 2), np.float32)
    angle = np.linspace(np.pi, 0, 17)
    points[:, :17] = np.stack([0.5 + 0.36 * np.cos(angle), 0.5 + 0.45 * np.sin(angle)], -1)
    points[:, 17:27] = np.stack([np.r_[np.linspace(0.24, 0.44, 5), np.linspace(0.56, 0.76, 5)], np.full(10, 0.33)], -1)
    points[:, 27:31] = np.stack([np.full(4, 0.5), np.linspace(0.42, 0.58, 4)], -1)
    points[:, 31:36] = np.stack([np.linspace(0.44, 0.56, 5), np.full(5, 0.61)], -1)
    for first, middle in ((36, 0.34), (42, 0.66)):
        turn = np.pi - np.arange(6) * np.pi / 3
        points[:, first : first + 6] = np.stack([middle + 0.08 * np.cos(turn), 0.42 - 0.04 * np.sin(turn)], -1)
    opening = (0.015 + 0.06 * loud)[:, None]
    for first, count, wide, lip in ((48, 12, 0.14, 0.03), (60, 8, 0.11, 0.0)):
        turn = np.pi - np.arange(count) * 2 * np.pi / count
        points[:, first : first + count, 0] = 0.5 + wide * np.cos(turn)
        points[:, first : first + count, 1] = 0.74 - (opening + lip) * np.sin(turn)
    return points


def _sound(loud, rng):
    """mel (80, M) float32 whose loudness is that of the mouth, mfcc (13, 4 N) float32 and waveform (640 N,) int16."""
    frames = len(loud)
    columns = int(frames / 25 * 80) + 1
    level = np.interp(np.arange(columns) / 80, (np.arange(frames) + 0.5) / 25, loud)
    tilt = np.linspace(1, -1, 80)[:, None]
    mel = (6 * level[None] - 3 + tilt + 0.2 * rng.standard_normal((80, columns))).clip(-4, 4)
    mfcc = rng.standard_normal((13, 4 * frames)).astype(np.float32)
    waveform = rng.normal(0, 1, 640 * frames) * 8000 * np.repeat(loud, 640)
    return {"mel": mel.astype(np.float32), "mfcc": mfcc, "waveform": waveform.clip(-32768, 32767).astype(np.int16)}


def _phones(seconds, rng):
    """Random phones of 50 to 190 ms, as the side file `phones` holds them."""
    edges = np.cumsum(rng.integers(50, 191, int(seconds * 20) + 1)) / 1000
    edges = np.array([0.0, *edges[edges < seconds], seconds])
    count = len(edges) - 1
    phones = rng.integers(0, PHONE_CLASSES, count).astype(np.uint8)
    return {"phone_times": edges, "phone": phones, "stress": np.full(count, -1, np.int8)}
