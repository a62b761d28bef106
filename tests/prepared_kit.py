"""A prepared corpus made from noise, for tests of reading and training: no video, no detector."""

import json

import numpy as np

from datasets.action_units import KIND as UNITS
from datasets.clip_files import clip_path, write_clip, write_side
from datasets.prepared import FORMAT, ClipRow
from datasets.preparing.phones import store
from datasets.preparing.settings import PrepareSettings
from datasets.preparing.texture import store_modules
from datasets.speech import KIND as SPEECH
from datasets.speech import MARGIN, parameters_of
from datasets.words import KIND, extend_vocabulary
from faces.texture import TextureSpec, grid_modules
from speech.alignment import Alignment, Interval
from speech.arpabet import PHONES

SPLITS = ("train", "train", "train", "val", "test", "unseen")


def make_corpus(folder, clips=6, frames=40, size=96, seed=0, splits=SPLITS, words=True):
    """Write `clips` clips whose mouth region's brightness follows the loudness of their mel; returns the folder.

    Each has phones, texture modules, speech features of noise with one changed voice and, where `words` says so, the words
    "bin" and "blue", a half of the clip each, and random action units.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    settings = PrepareSettings(size=size).as_json()
    (folder / "corpus.json").write_text(json.dumps({"format": FORMAT, "settings": settings}))
    with open(folder / "manifest.jsonl", "w", encoding="utf-8") as manifest:
        for number in range(clips):
            speaker = f"s{number % 2 + 1}"
            row = ClipRow(f"{speaker}/clip{number}", speaker, splits[number % len(splits)], frames=frames, seconds=frames / 25)
            loud = np.clip(np.cumsum(rng.standard_normal(frames)), -3, 3) / 6 + 0.5
            face = np.full((frames, size, size, 3), 90 + 10 * number, np.uint8)
            face[:, size * 6 // 10 : size * 8 // 10, size // 3 : size * 2 // 3] = (loud * 200)[:, None, None, None].astype(
                np.uint8
            )
            columns = int(frames / 25 * 80) + 1
            mel = np.interp(np.arange(columns) / 80, (np.arange(frames) + 0.5) / 25, loud)[None] * 6 - 3 + np.zeros((80, 1))
            arrays = {
                "face": face,
                "landmarks": rng.uniform(0, size, (frames, 68, 2)).astype(np.float32),
                "matrix": np.tile(np.eye(2, 3), (frames, 1, 1)),
                "interpolated": np.zeros(frames, bool),
                "mel": mel.astype(np.float32),
                "mfcc": np.zeros((13, frames * 4), np.float32),
                "waveform": np.zeros(frames * 640, np.int16),
            }
            write_clip(clip_path(folder, row.id), arrays, {"format": FORMAT, "id": row.id, "fps": "25"})
            store(folder, row.id, make_alignment(np.random.default_rng([seed, number]), frames / 25), "given")
            row.phones = "given"
            if words:
                times = np.array([[0, frames / 50], [frames / 50, frames / 25]])
                write_side(folder, KIND, row.id, {"word_times": times}, {}, {"words": ["bin", "blue"]})
                row.side = {KIND: {"from": "given"}, UNITS: {"from": "geometry"}}
                store_units(folder, row, np.random.default_rng([seed, number, 2]))
            store_modules(folder, row, TextureSpec(), np.tile(grid_modules(size, size), (frames, 1, 1)))  # quick to make
            store_speech(folder, row, np.random.default_rng([seed, number, 1]))
            manifest.write(json.dumps(vars(row)) + "\n")
    if words:
        extend_vocabulary(folder, {"bin", "blue"})
    return folder


def store_speech(folder, row, rng, speeds=(1.1,)):
    """Write speech features of noise, of the clip and of voices of these speeds."""
    arrays = {"speeds": np.array([1.0, *speeds])}
    for number, speed in enumerate(arrays["speeds"]):
        frames = int((row.frames - 1) / speed + 1e-9) + 1
        arrays[f"voice_{number}"] = rng.standard_normal((frames + 2 * MARGIN, 288)).astype(np.float16)
        arrays[f"mel_{number}"] = rng.uniform(-4, 4, (80, frames * 16 // 5 + 1)).astype(np.float16)
    write_side(folder, SPEECH, row.id, arrays, parameters_of(row, len(speeds)))


def store_units(folder, row, rng):
    """Write random action units, one frame of ten unknown."""
    known = rng.random(row.frames) > 0.1
    intensity = (rng.uniform(0, 2, (row.frames, 5)) * known[:, None]).astype(np.float32)
    arrays = {"present": (intensity >= 1).astype(np.uint8), "intensity": intensity, "known": known}
    write_side(folder, UNITS, row.id, arrays, {})


def make_alignment(rng, seconds):
    """Alignment of random phones of 50 to 190 ms from beginning to end."""
    edges = np.cumsum(rng.integers(50, 191, int(seconds * 20) + 1)) / 1000
    edges = [0.0, *edges[edges < seconds].tolist(), seconds]
    labels = rng.choice(PHONES, len(edges) - 1).tolist()
    phones = tuple(Interval(*pair, label) for pair, label in zip(zip(edges[:-1], edges[1:], strict=True), labels, strict=True))
    return Alignment(phones, (), seconds, "given")
