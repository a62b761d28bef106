"""What a mouth does whatever sound drives it: how far it moves, whether it follows its clip, whether it rests in pauses."""

import numpy as np

from faces.mouth import mouth_opening
from metrics.formulas.series import correlate, spread
from metrics.formulas.silence import silent_frames
from metrics.measures.base import Findings, VideoMeasure
from metrics.rows import Column

PLACE = 42
OPEN = 0.05  # opening in eye distances above the closed mouth from which on it counts as open; 0.3 is wide open
CLOSED = 5  # percentile of the openings of the real video that counts as closed: detectors see a gap in closed lips
LEAST_SILENT = 5  # frames of silence below which the share is not given


class AnySound(VideoMeasure):
    """Of the inner-lip gap over the distance of the outer eye corners, in frames with a face; inferred thresholds.

    `mouth_movement` and `own_mouth` hold a video of other sound, or of silence, against the real video of the same face: the
    first should be near 0 in silence, the second near 0 with other sound. A value above 0 there says that the mouth is taken
    from the frames that are drawn into. `open_in_silence` needs a pause in the sound of the video itself. People open their
    mouths before they speak, so the real video's value is not 0.
    """

    columns = (
        Column("mouth_movement", "movement", "none", 3, "spread of the mouth opening over that of the real video of this face, "
               "whatever sound drives it", paired_only=False),
        Column("own_mouth", "own mouth r", "none", 3, "correlation of the mouth opening with that of the real video, "
               "frame by frame, whatever sound drives it", paired_only=False),
        Column("open_in_silence", "open in silence", "none", 3, "share of the silent frames in which the mouth is open by more "
               f"than {OPEN} eye distances above the closed mouth of the real video", paired_only=False),
    )  # fmt: skip

    def look(self, view):
        made, real = (_openings(one) for one in (view.footage, view.real))
        count = min(len(made), len(real))
        both = np.isfinite(made[:count]) & np.isfinite(real[:count])
        moves, moved = spread(made[np.isfinite(made)]), spread(real[np.isfinite(real)])
        values = {
            "mouth_movement": moves / moved if moved else None,
            "own_mouth": correlate(made[:count][both], real[:count][both]),
            "open_in_silence": self._open(view, made, real),
        }
        return Findings(values)

    @staticmethod
    def _open(view, openings, real):
        if view.sound is None:
            return None
        silent = silent_frames(*view.sound, view.footage.info.fps, len(openings)) & np.isfinite(openings)
        if silent.sum() < LEAST_SILENT or not np.isfinite(real).any():
            return None
        return float((openings[silent] > np.nanpercentile(real, CLOSED) + OPEN).mean())


def _openings(footage):
    """(N,) float64, NaN where no face was found."""
    return np.where(footage.detected, mouth_opening(footage.track.landmarks), np.nan)


def build(networks):
    return AnySound()
