"""What a sync expert says: LSE-D, LSE-C, AV offset, and the figures without a shift."""

from dataclasses import asdict

from common.errors import InputError
from metrics.measures.base import Findings, VideoMeasure
from metrics.rows import MAX_SHIFT, SURE, Column
from metrics.sync.video import judge_runs

PLACE = 10


class Sync(VideoMeasure):
    """Only with the published weights are the columns called LSE; else they bear the expert's name.

    Args:
        judge: see `metrics.sync.judges.load_judge`.
    """

    def __init__(self, judge):
        self._judge = judge
        name = "" if judge.is_lse else f" ({judge.name})"
        distance, confidence = ("LSE-D", "LSE-C") if judge.is_lse else (f"D{name}", f"C{name}")
        self.columns = (
            Column("sync_distance", distance, "low", 3, f"least mean distance of sound and lips over shifts of -{MAX_SHIFT} to "
                   f"{MAX_SHIFT} frames; blind to a constant lag", paired_only=False, expert=True),
            Column("sync_confidence", confidence, "high", 3, "median minus least of the mean distances over the shifts",
                   paired_only=False, expert=True),
            Column("sync_offset", "AV offset", "zero", 2, "shift of the least distance in frames of 25 a second, signed as "
                   "syncnet_python does", paired_only=False),
            Column("sync_zero", f"D at 0{name}", "low", 3, "mean distance without any shift", paired_only=False, expert=True),
        )  # fmt: skip
        if judge.by_landmarks:
            self.columns += (
                Column("sync_zero_confidence", f"C at 0{name}", "high", 3, "median of the mean distances less the one without "
                       "any shift", paired_only=False, expert=True),
                Column(SURE, "sure", "high", 2, "1 where the confidence is greater than unrelated sound gives in a video of "
                       "this length (99.5 of 100), else 0: then the offset says nothing", paired_only=False),
            )  # fmt: skip

    def facts(self, options):
        facts = {"expert": self._judge.name, **({"expert_hears": self._judge.hears} if self._judge.by_landmarks else {}),
                 "expert_sha256": self._judge.sha256, "sync_crop": sync_crop(self._judge, options),
                 "sync_shifts": asdict(self._judge.rule)}
        if self._judge.crop_spec is None and not self._judge.by_landmarks and options.sync_crop == "tracked":
            facts["track_rules"] = asdict(options.rules)
        return facts

    def look(self, view):
        try:
            verdict = judge_runs(view.runs(), view.footage, self._judge)
        except InputError as error:
            return Findings(dict.fromkeys(column.key for column in self.columns), [f"no sync figures: {error}"])
        score = verdict.score
        values = {"sync_distance": score.distance, "sync_confidence": score.confidence, "sync_offset": score.offset,
                  "sync_zero": score.zero_distance}
        if self._judge.by_landmarks:
            sure = score.confidence >= self._judge.least_confidence(score.windows)
            values |= {"sync_zero_confidence": score.zero_confidence, SURE: float(sure)}
        return Findings(values, list(verdict.notes), score.curve)


def sync_crop(judge, options):
    """Which crop the expert looks at, for the protocol."""
    if judge.by_landmarks:
        return "none (the expert sees landmarks)"
    return options.sync_crop if judge.crop_spec is None else f"{judge.crop_spec.kind} (the expert's own)"


def build(networks):
    return networks.judge and Sync(networks.judge)
