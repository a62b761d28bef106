"""Fields of pictures: shipped as uint8; the device makes them float32, changes colours, masks and repeats.

Pictures are shipped as `face`, `reference_face`, `identity_face` (n, S, S, 3) uint8 RGB. Where data.augment changes colours,
`colour` (2, 3) float32 goes with them: gain and offset of R, G and B, the same for all pictures of the item.
"""

import numpy as np

from common.suggest import refuse_unknown
from datasets.fields.registry import register
from datasets.fields.window import IDENTITIES


def _with_colour(window, pictures):
    return pictures if window.look.colour is None else {**pictures, "colour": window.look.colour}


def frames_of(window, name):
    """What is shipped of the window's faces under `name`: dict of arrays, the change of colour among them."""
    faces = window.clip["face"]
    out = window.slot(name, (window.length, *faces.shape[1:]), np.uint8)
    return _with_colour(window, {name: window.look.pixels(faces, window.frames, out=out)})


@register("face", "(T, 3, S, S)", "float32", "[0, 1]", "the real face crop, RGB", complete=lambda batch: batch.pictures("face"))
def face(window):
    return frames_of(window, "face")


def _masked(batch):
    faces = batch.pictures("masked_face" if "masked_face" in batch else "face").clone()
    faces[..., int(batch.mask_top * faces.shape[-2]) :, :] = 0
    return faces


@register(
    "masked_face", "(T, 3, S, S)", "float32", "[0, 1]",
    "the face crop with its lower part (from data.mask_top on) set to 0, RGB", complete=_masked,
)  # fmt: skip
def masked_face(window):
    if not window.look.grainy and "face" in window.data.fields:
        return {}  # derived of the face
    # grain is drawn anew, so that the generator cannot copy that of its target
    return frames_of(window, "masked_face" if window.look.grainy else "face")


@register(
    "reference_face", "(T, 3, S, S)", "float32", "[0, 1]", "the same person's face from elsewhere in the clip, RGB",
    complete=lambda batch: batch.held(batch.pictures("reference_face")), elsewhere=True,
)  # fmt: skip
def reference_face(window):
    frame = np.array([window.reference])
    return _with_colour(window, {"reference_face": window.look.pixels(window.clip["face"], frame, moved=False)})


def _check_identity(options):
    refuse_unknown([options["of"]], IDENTITIES, "value of its option of")


@register(
    "identity_face", "(3, S, S)", "float32", "[0, 1]",
    "one face of the same person, RGB; option of: same: from another clip where there is one, else from elsewhere in the clip; "
    "elsewhere: in the clip; clip: any frame of the clip; first: its first frame; of those three it is moved, turned and "
    "zoomed as the window is",
    complete=lambda batch: batch.pictures("identity_face")[:, 0], options={"of": "same"}, check=_check_identity,
    elsewhere=lambda options: options["of"] not in ("clip", "first"),
)  # fmt: skip
def identity_face(window):
    of = window.options["of"]
    place = window.second(of)
    moved = of != "same"  # a face of the window's own clip is moved as the window is; the published loader moves both alike
    return _with_colour(window, {"identity_face": window.look.pixels(place.clip["face"], place.frames, moved=moved)})


@register("landmarks", "(T, 68, 2)", "float32", "crop pixels", "landmarks in the face crop, iBUG order", voices=True)
def landmarks(window):
    return window.look.points(window.points(window.clip["landmarks"]), window.clip["face"].shape[2])


@register(
    "identity_landmarks", "(68, 2)", "float32", "crop pixels", "landmarks of `identity_face`, by its option", voices=True,
)  # fmt: skip
def identity_landmarks(window):
    of = window.data.options["identity_face"]["of"]
    place = window.second(of)
    points = np.asarray(place.clip["landmarks"])[place.frames]
    return np.ascontiguousarray(window.look.points(points, place.clip["face"].shape[2], moved=of != "same")[0])
