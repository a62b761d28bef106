"""Every field that a batch may hold, defined once.

Models and losses name the fields that they need; the loader makes only those; inference builds the same fields through the same
functions. B windows, T frames each, S the side of the face crop.
"""

from dataclasses import dataclass

from common.suggest import refuse_unknown


@dataclass(frozen=True)
class Field:
    """Shape without the leading B, dtype, range and meaning of one field."""

    shape: str
    dtype: str
    range: str
    meaning: str


FIELDS = {
    "face": Field("(T, 3, S, S)", "float32", "[0, 1]", "the real face crop, RGB"),
    "masked_face": Field(
        "(T, 3, S, S)", "float32", "[0, 1]", "the face crop with its lower part (from data.mask_top on) set to 0, RGB"
    ),
    "reference_face": Field("(T, 3, S, S)", "float32", "[0, 1]", "the same person's face from elsewhere in the clip, RGB"),
    "mel": Field("(T, 1, 80, 16)", "float32", "[-4, 4]", "the mel window centred on each frame (speech.windows)"),
    "sync_mel": Field("(1, 80, 16)", "float32", "[-4, 4]", "mel window of the frames that the expert judges, the first ones"),
    "heard_mel": Field(
        "(K, 1, 80, 16)", "float32", "[-4, 4]", "K sounds to hear the window with: its own first, then others (data.negatives)"
    ),
    "in_sync": Field("(K,)", "float32", "0 or 1", "1 where heard_mel is the window's own audio"),
    "landmarks": Field("(T, 68, 2)", "float32", "crop pixels", "landmarks in the face crop, iBUG order"),
    "phoneme": Field("(T,)", "int64", "0 ... 39", "class of the phoneme in each frame (speech.arpabet.PHONES)"),
    "run": Field("(T,)", "int64", "0 ... T - 1", "number of each frame's phoneme run in the window"),
    "valid": Field("(T,)", "float32", "0 or 1", "0 in frames that only pad a window of whole phoneme runs"),
    "module": Field("(T, S, S)", "int64", "0 ...", "texture module of each pixel of face (faces.texture)"),
    "reference_module": Field("(T, S, S)", "int64", "0 ...", "texture module of each pixel of reference_face"),
    "clip": Field("()", "int64", "0 ...", "number of the clip in the split"),
    "frame": Field("()", "int64", "0 ...", "first frame of the window in the clip"),
}


def check_fields(names):
    """Return `names` as a tuple; InputError with the nearest known name for an unknown one."""
    refuse_unknown(names, FIELDS, "field")
    return tuple(names)
