"""Fields of texture modules: labels of pixels, shipped as uint8 or int16, one reference in place of T equal ones."""

import numpy as np

from datasets.fields.registry import register


def _labels(window, frames, **options):
    labels = window.data.kept.labels(window.number, window.name)
    out = window.slot(window.name, (len(frames), *labels.shape[1:]), labels.dtype)
    return window.look.labels(labels, frames, out=out, **options)


@register("module", "(T, S, S)", "int64", "0 ...", "texture module of each pixel of face (faces.texture)")
def module(window):
    return _labels(window, window.frames)


@register(
    "reference_module", "(T, S, S)", "int64", "0 ...", "texture module of each pixel of reference_face",
    complete=lambda batch: batch.held(batch["reference_module"].long()), elsewhere=True,
)  # fmt: skip
def reference_module(window):
    return _labels(window, np.array([window.reference]), moved=False)
