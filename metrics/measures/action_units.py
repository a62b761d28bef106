"""Are the action units of speech those of the real video: F1 and accuracy, by the geometry of landmarks and by a classifier."""

import numpy as np

from common.action_units import LABELS, NAMES, UNITS
from faces.action_units import action_units, neutral_face
from faces.lip_space import speaks
from metrics.formulas.units import accuracy, count_units, f1, mean_over_units
from metrics.measures.base import TrackMeasure
from metrics.rows import Column

PLACE = 110
GEOMETRY, CLASSIFIER = "geometry", "classifier"


class UnitScores(TrackMeasure):
    """What is read in the generated video against what the same judge reads in the real one, on the compared frames.

    Each video is read with its own track. Geometry compares both with the neutral face of the real video, so that a mouth that
    is drawn wrongly at rest counts as wrong. F1 of a unit in neither is
    undefined, and so are all figures by geometry where the real mouth hardly moves or fewer than 25 frames are compared: the
    neutral face is not known then. Means are those over the units that have a value (arXiv 2110.09951 prints such means).

    Args:
        classifier: metrics.networks.unit_classifier.UnitJudge, or None.
    """

    def __init__(self, classifier=None):
        self._classifier = classifier
        self.columns = tuple(column for judge, name in self._judges() for column in _columns(judge, name))

    def facts(self, options):
        if self._classifier is None:
            return {}
        spec, raw = self._classifier.crop_spec, ", each by its own frame" if self._classifier.raw_crops else ""
        return {"au_classifier": self._classifier.name, "au_classifier_labels": self._classifier.labels,
                "au_classifier_sha256": self._classifier.sha256,
                "au_classifier_crop": f"{spec.kind}, {spec.size} pixels{raw}"}  # fmt: skip

    def compare(self, pair):
        values = {}
        for judge, _ in self._judges():
            found = self._by_geometry(pair) if judge == GEOMETRY else self._by_classifier(pair)
            values |= _scores(judge, *found) if found is not None else dict.fromkeys(one.key for one in _columns(judge, ""))
        return values

    def _judges(self):
        return [(GEOMETRY, GEOMETRY), *([(CLASSIFIER, self._classifier.name)] if self._classifier else [])]

    def _by_geometry(self, pair):
        """(true, said): (n, 5) units of the real and of the generated video; None where they cannot be known."""
        if not speaks(pair.real_points):
            return None
        read, neutral = [], neutral_face(pair.real_points)
        for points in (pair.real_points, pair.made_points):
            landmarks = np.full((pair.frames[-1] + 1, 68, 2), np.nan)
            landmarks[pair.frames] = points
            read.append(action_units(landmarks, pair.real.info.fps, neutral=neutral)[0][pair.frames])
        return read

    def _by_classifier(self, pair):
        judge = self._classifier
        return [judge.read(_crops(footage, pair.frames, judge.crop_spec, not judge.raw_crops))
                for footage in (pair.real, pair.made)]  # fmt: skip


def _crops(footage, frames, spec, smooth):
    """Yield the (S, S, 3) uint8 crops of some frames of a Footage, by its own track."""
    wanted, crops = set(frames.tolist()), footage.crops(spec, smooth=smooth)
    for at, frame in enumerate(footage.frames()):
        if at in wanted:
            yield crops[at].extract(frame)
        if at >= frames[-1]:
            return


def _scores(judge, true, said):
    counts, values = count_units(true, said), {}
    for figure, formula in (("f1", f1), ("accuracy", accuracy)):
        each = formula(counts)
        values[f"au_{figure}_{judge}"] = _plain(mean_over_units(each))
        values |= {f"au{unit}_{figure}_{judge}": _plain(one) for unit, one in zip(UNITS, each, strict=True)}
    return values


def _columns(judge, name):
    """The columns of one judge; `name` stands in brackets."""
    words = {"f1": ("F1", "F1 (2 TP / (2 TP + FP + FN))"), "accuracy": ("acc.", "share of frames that agree")}
    found = []
    for figure, (short, long) in words.items():
        what = f"against the real video, by {judge}, 0 to 1"
        found.append(Column(f"au_{figure}_{judge}", f"AU {short} ({name})", "high", 3, f"mean over five action units of {long} "
                            f"{what}"))  # fmt: skip
        found += [Column(f"au{unit}_{figure}_{judge}", f"{label} {short} ({name})", "high", 3, f"{long} of {title} {what}")
                  for unit, label, title in zip(UNITS, LABELS, NAMES, strict=True)]  # fmt: skip
    return found


def _plain(value):
    return float(value) if np.isfinite(value) else None


def build(networks):
    return UnitScores(networks.unit_classifier)
