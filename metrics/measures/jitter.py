"""Does the face tremble: the second difference of the landmarks over that of the real video."""

from faces.landmarks import MOUTH
from metrics.formulas.landmarks import second_differences
from metrics.formulas.series import LEAST_FRAMES
from metrics.measures.base import Findings, VideoMeasure
from metrics.rows import Column

PLACE = 90
UPPER = slice(17, 48)  # brows, nose, eyes
PARTS = {"jitter": ("jitter", UPPER, "brows, nose and eyes"), "jitter_mouth": ("jitter mouth", MOUTH, "mouth")}


class Jitter(VideoMeasure):
    """Length of x(t+1) - 2 x(t) + x(t-1) over the distance of the outer eye corners at t, mean over points and frames.

    A head that moves evenly has none, so what is left is trembling: of the picture, and of the detector, which is in the real
    video's value, too. Above 1 the generated face trembles more than the real one, below 1 it is smoother; 0 is a held picture.
    Frames count whose neighbours on both sides have a face as well; undefined for fewer than 10 of them.
    """

    columns = tuple(
        Column(key, label, "one", 3, f"second difference in time of the landmarks of {points} over that of the real video",
               paired_only=False)
        for key, (label, _, points) in PARTS.items()
    )  # fmt: skip

    def look(self, view):
        made, real = (second_differences(one.track.landmarks, one.detected) for one in (view.footage, view.real))
        values = {}
        for key, (_, points, _) in PARTS.items():
            lengths = [one[:, points].mean() if len(one) >= LEAST_FRAMES else None for one in (made, real)]
            values[key] = float(lengths[0] / lengths[1]) if None not in lengths and lengths[1] else None
        return Findings(values)


def build(networks):
    return Jitter()
