"""The folder in which an evaluation keeps its results until the table is written, so that it can go on after a stop."""

import hashlib
import json
import time
import uuid
from pathlib import Path

from common.errors import InputError
from metrics.results import Results

SAVE_SECONDS, SAVE_SHARE = 60.0, 0.05  # not before so long, nor for more than such a share of the time


class Progress:
    """The folder in which an evaluation keeps what it has, a file for each process of each run.

    Args:
        folder: Path, made when first needed.
        plan: what JSON can hold: everything that decides the figures, and the videos. Results of another plan are not taken.

    Attributes:
        earlier: Results of all that earlier runs of the same plan have left.
    """

    def __init__(self, folder, plan):
        digest = hashlib.sha256(json.dumps(plan, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._folder, self._plan = Path(folder), digest
        self._own = self._folder / f"{digest}-{uuid.uuid4().hex[:8]}.npz"
        self.earlier = self.read()
        self._saved, self._took = time.monotonic(), 0.0

    def read(self):
        """Results of all files of this plan; InputError for a damaged one, or for two that hold the same face."""
        results = Results()
        for path in sorted(self._folder.glob(f"{self._plan}-*.npz")):
            found = Results.load(path)
            if set(found.faces) & set(results.faces):
                raise InputError(f"{path}: holds what another file of this folder holds, too; do two evaluations run with the "
                                 f"same --out? Remove {self._folder} to measure its videos again")
            results.merge(found)
        return results

    def save(self, results, *, now=False):
        """Keep what this process has; at most once a minute unless `now`."""
        waited = time.monotonic() - self._saved
        if not results.faces or not (now or (waited > SAVE_SECONDS and self._took < SAVE_SHARE * waited)):
            return
        began = time.monotonic()
        results.save(self._own)
        self._saved = time.monotonic()
        self._took = self._saved - began

    def remove(self):
        """Forget everything, for the table is written."""
        for path in self._folder.glob("*.npz"):
            path.unlink(missing_ok=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()
