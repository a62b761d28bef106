"""Fields made of the clip's 16-bit samples: cepstral windows by any recipe, and the samples themselves.

The one change of sound acts on the samples: loudness, noise, and digital silence where a frame's mel window holds no speech.
"""

import numpy as np

from common.errors import InputError
from common.suggest import refuse_unknown
from datasets.fields.registry import register
from speech.mfcc import FRAME, RECIPES, STEP, SYNCNET, column_count, mfcc
from speech.mfcc_windows import COLUMNS, PLACES, gather_columns, mfcc_window_start, mfcc_windows
from speech.waveform import SAMPLE_RATE
from speech.windows import mel_windows

FULL_SCALE = 32767  # of the stored samples
STORED = "mfcc20"  # array of clips of the published layout of DAVS: windows of their frames in place of a sound
WIDE = "mfcc_wide"  # that of the published layout of action units: windows that hold narrower ones
WIDE_START, WIDE_RATE = -16, 25  # first column of the window of frame 0; frames a second
FEWEST_WIDE = 32  # columns


def clip_cepstra(clip, recipe=SYNCNET):
    """(C, k) float32 coefficients of the whole sound of a prepared clip, by a speech.mfcc.Recipe."""
    return mfcc(np.asarray(clip["waveform"]) / np.float32(FULL_SCALE), recipe)


def _stored(window, start, end):
    """Stored samples from `start` to `end`, (n,) int16, zeros outside the clip."""
    waveform = window.clip["waveform"]
    inside = waveform[max(start, 0) : max(end, 0)]
    before = max(0, min(-start, end - start))
    return np.pad(inside, (before, end - start - before - len(inside)))


def hushed_frames(window):
    """(T,) bool: frames whose sound becomes digital silence."""
    if not window.sound.silent:
        return np.zeros(window.length, bool)
    windows = mel_windows(window.clip["mel"], window.frames, window.row.fps, mode=window.data.audio_window)
    return window.sound.hushed(windows)


def _check_mfcc(options):
    refuse_unknown([options["recipe"]], RECIPES, "recipe")
    refuse_unknown([options["place"]], PLACES, "place")
    if type(options["columns"]) is not int or not 1 <= options["columns"] <= 1000:
        raise InputError(f"columns: {options['columns']!r}: must be a whole number between 1 and 1000")
    if options["place"] == "published" and options["columns"] != COLUMNS:
        raise InputError(f"columns: {options['columns']}: a published window has {COLUMNS} columns; give place: centred")


def _arrays_of_mfcc(options):
    stored = (STORED,) if (options["recipe"], options["place"]) == (SYNCNET.name, "published") else ()
    start = _wide_start(options)
    inside = options["recipe"] == SYNCNET.name and 0 <= start <= FEWEST_WIDE - options["columns"]
    return (("waveform", *stored, *((WIDE,) if inside else ())),)


def _wide_start(options):
    """Column of a wide window at which the window that the options ask for begins."""
    return mfcc_window_start(0, WIDE_RATE, columns=options["columns"], place=options["place"]) - WIDE_START


@register(
    "mfcc", "(T, N, C)", "float32", "any",
    "N columns of C cepstral coefficients (speech.mfcc), 10 ms each, of each frame (speech.mfcc_windows), digital silence "
    "outside the clip; C: 12 by syncnet, 13 by psf",
    options={"columns": COLUMNS, "recipe": SYNCNET.name, "place": "published"}, check=_check_mfcc, sound=True,
    arrays=_arrays_of_mfcc,
)  # fmt: skip
def cepstra(window):
    if "waveform" not in window.clip and STORED in window.clip:
        return window.clip[STORED][window.frames].astype(np.float32)
    if "waveform" not in window.clip:
        start = _wide_start(window.options)
        return window.clip[WIDE][window.frames][:, start : start + window.options["columns"]].astype(np.float32)
    options, recipe = window.options, RECIPES[window.options["recipe"]]
    place = {"columns": options["columns"], "place": options["place"]}
    if not window.sound.changes:
        coefficients = window.data.kept.cepstra(window.number, recipe)
        return mfcc_windows(coefficients, window.frames, window.row.fps, recipe=recipe, **place)
    starts = np.array([mfcc_window_start(frame, window.row.fps, **place) for frame in window.frames])
    stored = window.clip["waveform"]
    low, high = max(0, int(starts.min()) - 1), int(starts.max()) + options["columns"]  # a column more, for its last sample
    samples = stored[low * STEP : max(0, (high - 1) * STEP + FRAME)] / np.float32(FULL_SCALE)
    hushed, inside = hushed_frames(window), column_count(len(stored)) - low

    def cut(quiet):
        coefficients = np.zeros((recipe.coefficients, 0), np.float32)
        if len(samples) and inside > 0:
            changed = window.sound.samples(samples, window.generator("mfcc"), quiet)
            coefficients = mfcc(np.clip(changed, -1, 1), recipe)[:, :inside]
        return gather_columns(coefficients, starts - low, options["columns"], recipe)

    windows = cut(False)
    return np.where(hushed[:, None, None], cut(True), windows) if hushed.any() else windows


def _check_waveform(options):
    if type(options["margin"]) is not int or not 0 <= options["margin"] <= 60 * SAMPLE_RATE:
        raise InputError(f"margin: {options['margin']!r}: must be a whole number of samples between 0 and {60 * SAMPLE_RATE}")


@register(
    "waveform", "(L,)", "float32", "[-1, 1]",
    "16 kHz sound of the window's T frames, and as many samples before and after as the option margin says; 0 outside the clip",
    complete=lambda batch: batch["waveform"].float() / FULL_SCALE, options={"margin": 0}, check=_check_waveform, sound=True,
    arrays=(("waveform",), ("mel",)),
)  # fmt: skip
def waveform(window):
    rate, margin = SAMPLE_RATE / window.row.fps, window.options["margin"]
    start = int(round(window.start * rate))
    samples = _stored(window, start - margin, start + int(round(window.length * rate)) + margin)
    quiet = bool(hushed_frames(window).all())
    if not (quiet or window.sound.shift or window.sound.noisy):
        return samples
    changed = window.sound.samples(samples / np.float32(FULL_SCALE), window.generator("waveform"), quiet)
    return np.rint(np.clip(changed, -1, 1) * np.float32(FULL_SCALE)).astype(np.int16)
