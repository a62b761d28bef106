"""Fields made of the clip's 16-bit samples: cepstral windows by any recipe, and the samples themselves.

The one change of sound acts on the samples: loudness, noise, and digital silence where a frame's mel window holds no speech.
"""

import numpy as np

from common.errors import InputError
from common.suggest import refuse_unknown
from datasets.fields.registry import register
from speech.mfcc import FRAME, RECIPES, STEP, mfcc
from speech.waveform import SAMPLE_RATE
from speech.windows import mel_windows, window_start

FULL_SCALE = 32767  # of the stored samples


def _stored(window, start, end):
    """Stored samples from `start` to `end`, (n,) int16, zeros outside the clip."""
    waveform = window.clip["waveform"]
    inside = waveform[max(start, 0) : max(end, 0)]
    before = max(0, min(-start, end - start))
    return np.pad(inside, (before, end - start - before - len(inside)))


def _hushed(window):
    """(T,) bool: frames whose sound becomes digital silence."""
    windows = mel_windows(window.clip["mel"], window.frames, window.row.fps, mode=window.data.audio_window)
    return window.sound.hushed(windows)


def _check_mfcc(options):
    refuse_unknown([options["recipe"]], RECIPES, "recipe")
    if type(options["columns"]) is not int or not 1 <= options["columns"] <= 1000:
        raise InputError(f"columns: {options['columns']!r}: must be a whole number between 1 and 1000")


@register(
    "mfcc", "(T, 1, C, N)", "float32", "any",
    "N columns of C cepstral coefficients (speech.mfcc), 10 ms each, centred on each frame; C: 12 by syncnet, 13 by psf",
    options={"columns": 20, "recipe": "syncnet"}, check=_check_mfcc, sound=True,
)  # fmt: skip
def cepstra(window):
    columns, recipe = window.options["columns"], RECIPES[window.options["recipe"]]
    place = {"columns": columns, "step": STEP, "first": FRAME // 2}
    starts = np.array([window_start(frame, window.row.fps, **place) for frame in window.frames])
    low, high = int(starts.min()) - 1, int(starts.max()) + columns  # a column more, for its last sample
    samples = _stored(window, low * STEP, (high - 1) * STEP + FRAME) / np.float32(FULL_SCALE)
    hushed = _hushed(window)

    def cut(quiet):
        changed = window.sound.samples(samples, window.generator("mfcc"), quiet)
        return mfcc(np.clip(changed, -1, 1), recipe)[:, (starts - low)[:, None] + np.arange(columns)].transpose(1, 0, 2)

    windows = cut(False)
    if hushed.any():
        windows = np.where(hushed[:, None, None], cut(True), windows)
    return np.ascontiguousarray(windows[:, None])


def _check_waveform(options):
    if type(options["margin"]) is not int or not 0 <= options["margin"] <= 60 * SAMPLE_RATE:
        raise InputError(f"margin: {options['margin']!r}: must be a whole number of samples between 0 and {60 * SAMPLE_RATE}")


@register(
    "waveform", "(L,)", "float32", "[-1, 1]",
    "16 kHz sound of the window's T frames, and as many samples before and after as the option margin says; 0 outside the clip",
    complete=lambda batch: batch["waveform"].float() / FULL_SCALE, options={"margin": 0}, check=_check_waveform, sound=True,
)  # fmt: skip
def waveform(window):
    rate, margin = SAMPLE_RATE / window.row.fps, window.options["margin"]
    start = int(round(window.start * rate))
    samples = _stored(window, start - margin, start + int(round(window.length * rate)) + margin)
    quiet = bool(_hushed(window).all())
    if not (quiet or window.sound.shift or window.sound.noisy):
        return samples
    changed = window.sound.samples(samples / np.float32(FULL_SCALE), window.generator("waveform"), quiet)
    return np.rint(np.clip(changed, -1, 1) * np.float32(FULL_SCALE)).astype(np.int16)
