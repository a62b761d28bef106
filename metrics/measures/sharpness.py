"""Sharpness of the mouth crop."""

from itertools import islice

import numpy as np

from metrics.formulas.image import mouth_region, sharpness
from metrics.measures.base import Findings, VideoMeasure
from metrics.rows import Column

PLACE = 60


class Sharpness(VideoMeasure):
    """Mean over the frames with a face; a video of one picture is looked at once."""

    columns = (
        Column("sharpness", "var. of Laplacian", "none", 1, "sharpness of the mouth crop: variance of the Laplacian "
               "of its grey levels; compare with the real video's", paired_only=False),
    )  # fmt: skip

    def look(self, view):
        faces = islice(view.faces(), 1) if view.footage.still else view.faces()
        return Findings({"sharpness": float(np.mean([sharpness(mouth_region(face)) for face in faces]))})


def build(networks):
    return Sharpness()
