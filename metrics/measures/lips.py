"""Landmark distance of the mouth (LMD) in three readings, and how well the mouth's opening follows the real one."""

import numpy as np

from faces.mouth import mouth_opening
from metrics.formulas.landmarks import mouth_distances
from metrics.formulas.series import correlate, spread_ratio
from metrics.measures.base import TrackMeasure
from metrics.rows import Column

PLACE = 40


class Lips(TrackMeasure):
    """LMD: means over the compared frames. Opening: the inner-lip gap over the distance of the outer eye corners."""

    columns = (
        Column("lmd_raw", "LMD raw", "low", 3, "distance of the 20 mouth landmarks as they lie in the frame, crop pixels"),
        Column("lmd_aligned", "LMD aligned", "low", 3, "the same after a similarity fit of nose and eye corners, crop pixels"),
        Column("lmd_normalised", "LMD norm.", "low", 4, "LMD aligned over the distance of the outer eye corners"),
        Column("mouth_correlation", "mouth r", "high", 3, "correlation of the mouth opening with the real one, -1 to 1"),
        Column("mouth_range", "mouth range", "one", 3, "spread of the mouth opening over the real one"),
    )

    def compare(self, pair):
        matrices = np.stack([pair.crops[index].matrix for index in pair.frames])
        distances = mouth_distances(pair.made_points, pair.real_points, matrices)
        openings = mouth_opening(pair.made_points), mouth_opening(pair.real_points)
        return {
            "lmd_raw": float(distances.raw.mean()),
            "lmd_aligned": float(distances.aligned.mean()),
            "lmd_normalised": float(distances.normalised.mean()),
            "mouth_correlation": correlate(*openings),
            "mouth_range": spread_ratio(*openings),
        }


def build(networks):
    return Lips()
