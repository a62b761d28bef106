"""Fields of networks that separate who is seen from how the head and the mouth move (PC-AVS, and our reading of STAC).

Beside the window's faces a view ships a warp and a change of colour, drawn once for an item; the device makes the picture.
The kinds of change of `augmented` are those of the paper (arXiv 2104.11116), their amounts ours (inferred).
`second_view` is ours.
"""

import numpy as np

from common.suggest import refuse_unknown
from datasets.fields.pictures import frames_of
from datasets.fields.registry import register
from datasets.fields.speech import FULL_SCALE, hushed_frames
from datasets.fields.views import (
    OF,
    centred_crop,
    check_range,
    coloured,
    draw_change,
    draw_colour,
    perspective,
    retimed,
    similarity,
    warped,
)
from speech.log_mel import COLUMNS, PLACES, heard, log_mel_columns, log_mel_start
from speech.mel import N_MELS

VIEWS = ("augmented", "second_view")


def _check_log_mel(options):
    refuse_unknown([options["place"]], PLACES, "place")


@register(
    "log_mel", f"(T, 1, {N_MELS}, {COLUMNS})", "float32", "[0, 1]",
    f"{COLUMNS} columns of 10 ms of the log mel of PC-AVS (speech.log_mel) of each frame, at the loudness of the clip; option "
    "place: published or centred", options={"place": "published"}, check=_check_log_mel, sound=True, arrays=(("waveform",),),
)  # fmt: skip
def log_mel(window):
    starts = np.array([log_mel_start(frame, window.row.fps, **window.options) for frame in window.frames])
    first, count = int(starts.min()), int(np.ptp(starts)) + COLUMNS
    begin, end = (max(0, sample) for sample in heard(first, count))
    samples = window.clip["waveform"][begin:end] * np.float32(window.data.kept.loudness(window.number) / FULL_SCALE)

    def cut(quiet):
        changed = samples
        if window.sound.changes:
            changed = window.sound.samples(samples, window.generator("log_mel"), quiet)
        columns = log_mel_columns(changed, first, count, begin)
        places = (starts - first)[:, None] + np.arange(COLUMNS)
        return np.ascontiguousarray(columns[:, places].transpose(1, 0, 2))[:, None]

    windows, hushed = cut(False), hushed_frames(window)
    return np.where(hushed[:, None, None, None], cut(True), windows) if hushed.any() else windows


def _check_augmented(options):
    check_range(options, "colour", 0, 1)
    check_range(options, "perspective", 0, 0.5)
    check_range(options, "crop", 0.5, 1)


def _augmentation(window):
    """(share of the side that is kept, warp (3, 3), colour (2, 3)) of `augmented`; `second_view` shares the first."""
    options, rng = window.data.options["augmented"], window.generator("augmented")
    share = rng.uniform(options["crop"], 1)
    moved = perspective(*rng.uniform(-options["perspective"], options["perspective"], 2))
    return share, centred_crop(share) @ moved, draw_colour(rng, options["colour"])


def _shipped(window):
    """The window's faces, by the first of the fields that need them; {} for the others."""
    names = window.data.fields
    first = next(name for name in names if name in VIEWS)
    return frames_of(window, "face") if "face" not in names and window.name == first else {}


@register(
    "augmented", "(T, 3, S, S)", "float32", "[0, 1]",
    "the window's faces with one change for all, so that they do not tell who is seen: colour, perspective (the four corners "
    "move along x, alike on both sides) and a centred crop, resized back; options colour: strength; perspective: farthest move "
    "of a corner, half crops; crop: least share of the side",
    complete=lambda batch: coloured(warped(batch.pictures("face"), batch["augmented_warp"]), batch["augmented_colour"]),
    options={"colour": 0.2, "perspective": 0.1, "crop": 0.9}, check=_check_augmented,
)  # fmt: skip
def augmented(window):
    _, warp, colour = _augmentation(window)
    return {**_shipped(window), "augmented_warp": warp.astype(np.float32), "augmented_colour": colour}


def _check_view(options):
    refuse_unknown([options["of"]], OF, "value of its option of")
    for name, low, high in (("colour", 0, 1), ("shift", 0, 0.5), ("scale", 0, 0.5), ("roll", 0, 1), ("offset", 0, 10),
                            ("rate", 1, 2)):  # fmt: skip
        check_range(options, name, low, high)


def _change(window):
    """(6,) float32 and colour (2, 3) of `second_view`."""
    options, rng = window.data.options["second_view"], window.generator("second_view")
    return draw_change(rng, window.length, options), draw_colour(rng, options["colour"])


@register(
    "second_view", "(T, 3, S, S)", "float32", "[0, 1]",
    "the window's faces seen again: another colour, no perspective, the centred crop of `augmented`, and in that crop moved, "
    "zoomed and turned as `view_change` says, at the moments it says; options of: both, space or time; colour: strength; "
    "shift: farthest, half crops; scale: largest log; roll: largest, radians; offset: frames; rate: largest, its "
    "inverse the smallest",
    complete=lambda batch: coloured(
        warped(retimed(batch.pictures("face"), batch["view_change"]), batch["view_warp"]), batch["view_colour"]),
    options={"of": "both", "colour": 0.2, "shift": 0.1, "scale": 0.1, "roll": 0.2, "offset": 1.0, "rate": 1.25},
    check=_check_view,
)  # fmt: skip
def second_view(window):
    change, colour = _change(window)
    share, _, _ = _augmentation(window)
    warp = centred_crop(share) @ similarity(change)
    return {**_shipped(window), "view_change": change, "view_warp": warp.astype(np.float32), "view_colour": colour}


@register(
    "view_change", "(6,)", "float32", "any",
    "how `second_view` differs, by its options: dx, dy in half crops (right, down), log scale, roll in radians (clockwise), "
    "offset o in frames, rate r; frame t of the view shows the moment o + r t of the window, held inside it",
)
def view_change(window):
    return _change(window)[0]
