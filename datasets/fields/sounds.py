"""Fields of mel windows, and which of them belong to the picture."""

import numpy as np

from datasets.fields.registry import register
from speech.windows import mel_window, mel_windows

MEL = (("mel",),)


@register(
    "mel", "(T, 1, 80, 16)", "float32", "[-4, 4]", "the mel window centred on each frame (speech.windows)", sound=True,
    arrays=MEL,
)  # fmt: skip
def mel(window):
    windows = mel_windows(window.clip["mel"], window.frames, window.row.fps, mode=window.data.audio_window)
    return window.sound(windows)[:, None]


def _span(window):
    return {"span": window.data.sync_frames, "mode": window.data.audio_window}


@register(
    "sync_mel", "(1, 80, 16)", "float32", "[-4, 4]", "mel window of the frames that the expert judges, the first ones",
    sound=True, arrays=MEL,
)  # fmt: skip
def sync_mel(window):
    return window.sound(mel_window(window.clip["mel"], window.start, window.row.fps, **_span(window)))[None]


@register(
    "heard_mel", "(K, 1, 80, 16)", "float32", "[-4, 4]",
    "K sounds to hear the window with: its own first, then others (data.negatives)", sound=True, elsewhere=True,
    arrays=MEL,
)  # fmt: skip
def heard_mel(window):
    mels = ((window.data.clip(number)["mel"], start) for number, start in window.heard)
    return np.stack([window.sound(mel_window(one, start, window.row.fps, **_span(window))) for one, start in mels])[:, None]


@register("in_sync", "(K,)", "float32", "0 or 1", "1 where heard_mel is the window's own audio", elsewhere=True)
def in_sync(window):
    return np.array([heard == (window.number, window.start) for heard in window.heard], np.uint8)
