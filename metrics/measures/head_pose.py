"""Does the generated head turn as the real one: error and correlation of yaw, pitch and roll."""

import numpy as np

from metrics.formulas.head_pose import angle_difference, head_angles
from metrics.formulas.series import correlate
from metrics.measures.base import TrackMeasure
from metrics.rows import Column

PLACE = 80
ANGLES = {
    "yaw": "positive where the nose points to the right of the picture",
    "pitch": "positive where the nose points up",
    "roll": "positive where the head is turned clockwise as one sees it",
}


class HeadPose(TrackMeasure):
    """Of each angle the mean absolute difference over the compared frames, and Pearson's correlation.

    The angles come from eleven landmarks of nose and eyes, see `metrics.formulas.head_pose`. A correlation of a head that
    hardly turns is one of the detector's noise: read it beside the error, and beside that of "no motion", which is how much the
    real head turns away from its first frame.
    """

    columns = (
        *(Column(f"{name}_error", f"{name} error", "low", 2, f"mean absolute difference of the head's {name} ({sign}) from the "
                 "real one's, degrees") for name, sign in ANGLES.items()),
        *(Column(f"{name}_correlation", f"{name} r", "high", 3, f"correlation of the head's {name} with the real one's, -1 "
                 "to 1") for name in ANGLES),
    )  # fmt: skip

    def compare(self, pair):
        made, real = head_angles(pair.made_points), head_angles(pair.real_points)
        errors = np.abs(angle_difference(made, real)).mean(0)
        values = {}
        for at, name in enumerate(ANGLES):
            values[f"{name}_error"] = float(errors[at])
            steady = [np.unwrap(one[:, at], period=360) for one in (made, real)]
            values[f"{name}_correlation"] = correlate(*steady)
        return values


def build(networks):
    return HeadPose()
