"""The results of an evaluation so far: figures of each video, and sums over all of them; saved, read back and merged."""

import base64
import hashlib
import json
import zipfile
import zlib

import numpy as np

from common.errors import InputError
from common.files import atomic_output
from metrics.networks.fid import GaussianStatistics, frechet_distance, refusal
from metrics.rows import REAL, Row

FORMAT = "talkingface-results-1"
PICTURES = 3  # worst and best of each row
_UNREADABLE = (  # what numpy, json and zipfile raise over a damaged or foreign file
    OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, MemoryError, RuntimeError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip


class Results:
    """Records, failures, feature statistics and the worst and best pictures of many Items; memory grows with the records alone.

    Attributes:
        faces: names of the Items that are in.
        records, failed: see `metrics.scorer.Scores`.
        statistics: {(Row, half): GaussianStatistics}; the real videos are in two halves, all others in half 0.
    """

    def __init__(self):
        self.faces, self.records, self.failed = [], [], []
        self.statistics, self._pictures = {}, {}

    def add(self, face, scores):
        """Take in the Scores of the Item of this face."""
        self.faces.append(face)
        self.records += scores.records
        self.failed += scores.failed
        for row, features in scores.features.items():
            if not len(features):
                continue
            half = hashlib.sha256(face.encode("utf-8", "surrogateescape")).digest()[0] % 2 if row == REAL else 0
            self.statistics.setdefault((row, half), GaussianStatistics()).add(features)
        self._keep(scores.pictures)

    def merge(self, other):
        """Take in another Results of other faces."""
        self.faces += other.faces
        self.records += other.records
        self.failed += other.failed
        for key, statistics in other.statistics.items():
            self.statistics.setdefault(key, GaussianStatistics()).merge(statistics)
        for pictures in other._pictures.values():
            self._keep(pictures)

    def _keep(self, pictures):
        for picture in pictures:
            row = picture["row"]
            ordered = sorted([*self._pictures.get(row, []), picture], key=lambda one: (one["value"], one["name"]))
            self._pictures[row] = ordered if len(ordered) <= 2 * PICTURES else [*ordered[:PICTURES], *ordered[-PICTURES:]]

    def pictures(self):
        """List of {"name", "row", "rank": "worst" or "best", "value", "jpeg"}, no video twice."""
        chosen = []
        for ordered in self._pictures.values():
            half = (len(ordered) + 1) // 2
            chosen += [{**one, "rank": "worst"} for one in ordered[:half]]
            chosen += [{**one, "rank": "best"} for one in reversed(ordered[half:])]
        return chosen

    def real_statistics(self):
        """GaussianStatistics of all real videos; empty where they were not asked for."""
        whole = GaussianStatistics()
        for half in (0, 1):
            if (REAL, half) in self.statistics:
                whole.merge(self.statistics[REAL, half])
        return whole

    def distances(self, reference=None, *, force=False):
        """Frechet distance of every row to the real videos.

        The row of the real videos is the distance between two halves of them: what is left of the measure where nothing
        differs but the sample. With a reference from a file it is the distance of nothing, and left out.

        Args:
            reference: GaussianStatistics to take in place of this evaluation's own real videos.
            force: also where there are too few samples.

        Returns:
            {Row: {"value": float or None, "samples": int, "reason": None, or why there is no value}}.
        """
        real = reference or self.real_statistics()
        found = {}
        for (row, _), statistics in self.statistics.items():
            if row != REAL:
                found[row] = _distance(statistics, real, force)
        halves = [self.statistics.get((REAL, half)) for half in (0, 1)]
        if reference is None and all(halves):
            found[REAL] = {**_distance(*halves, force), "samples": real.count}
        elif reference is None and real.count:
            reason = "too few real videos to compare one half of them with the other"
            found[REAL] = {"value": None, "samples": real.count, "reason": reason}
        return found

    def save(self, path):
        """Write to `path` (.npz), whole or not at all."""
        keys = list(self.statistics)
        facts = {
            "format": FORMAT, "faces": self.faces, "records": _with_rows(self.records), "failed": _with_rows(self.failed),
            "pictures": [{**one, "row": one["row"].as_dict(), "jpeg": base64.b64encode(one["jpeg"]).decode()}
                         for pictures in self._pictures.values() for one in pictures],
            "statistics": [{"row": row.as_dict(), "half": half} for row, half in keys],
        }  # fmt: skip
        arrays = {}
        for at, key in enumerate(keys):
            arrays |= {f"{name}_{at}": value for name, value in self.statistics[key].state().items()}
        with atomic_output(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8), **arrays)

    @staticmethod
    def load(path):
        """Read what `save` wrote.

        Raises:
            InputError: it is something else, or damaged.
        """
        results = Results()
        try:
            with np.load(path, allow_pickle=False) as stored:
                facts = json.loads(stored["facts"].tobytes())
                if facts["format"] != FORMAT:
                    raise ValueError("another format")
                for at, key in enumerate(facts["statistics"]):
                    names = ("count", "mean", "scatter")
                    state = {name: stored[f"{name}_{at}"] for name in names}
                    results.statistics[Row.from_dict(key["row"]), key["half"]] = GaussianStatistics.from_state(**state)
            results.faces = facts["faces"]
            results.records, results.failed = _of_rows(facts["records"]), _of_rows(facts["failed"])
            results._keep({**one, "jpeg": base64.b64decode(one["jpeg"])} for one in _of_rows(facts["pictures"]))
        except _UNREADABLE as error:
            raise InputError(f"{path}: not a saved evaluation, or damaged; remove it to measure its videos again") from error
        return results


def _distance(first, second, force):
    try:
        reason = refusal(first, second)
        value = frechet_distance(first, second) if force or reason is None else None
    except InputError as error:
        value, reason = None, str(error)
    return {"value": value, "samples": first.count, "reason": reason if value is None else None}


def _with_rows(entries):
    return [{**entry, "row": entry["row"].as_dict()} for entry in entries]


def _of_rows(entries):
    return [{**entry, "row": Row.from_dict(entry["row"])} for entry in entries]
