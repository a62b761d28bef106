"""Does the face live outside its mouth: blinks and brows against the real video's."""

from metrics.formulas.eyes import brow_height, eye_opening
from metrics.formulas.series import correlate, spread_ratio
from metrics.measures.base import TrackMeasure
from metrics.rows import Column

PLACE = 100
SERIES = {
    "eyes": ("eyes", eye_opening, "eye opening (eye aspect ratio)"),
    "brows": ("brows", brow_height, "height of the brows above the eyes"),
}


class Expression(TrackMeasure):
    """Of the opening of the eyes and the height of the brows: correlation with the real ones, and spread over theirs.

    A generator that leaves the upper face as it is has 1 in all four, but for the detector's noise; one that draws it anew at
    random times has a range near 1 and a correlation near 0; one whose eyes stare has a range near 0. In a clip without a blink
    both are figures of the detector's noise.
    """

    columns = tuple(
        column for key, (label, _, words) in SERIES.items() for column in (
            Column(f"{key}_correlation", f"{label} r", "high", 3, f"correlation of the {words} with the real one, -1 to 1"),
            Column(f"{key}_range", f"{label} range", "one", 3, f"spread of the {words} over the real one"),
        )
    )  # fmt: skip

    def compare(self, pair):
        values = {}
        for key, (_, measure, _) in SERIES.items():
            series = measure(pair.made_points), measure(pair.real_points)
            values |= {f"{key}_correlation": correlate(*series), f"{key}_range": spread_ratio(*series)}
        return values


def build(networks):
    return Expression()
