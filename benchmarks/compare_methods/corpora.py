"""The prepared corpora of the comparison: GRID once for each kind of crop, all with the same split."""

import json
import sys
from pathlib import Path

from benchmarks.runs import ROOT, run_logged
from common.errors import InputError
from datasets.prepared import PreparedCorpus

DONE = "compare_methods.json"  # in a corpus that is whole: with which flags it was prepared
SPLIT = ("--unseen_speakers", "published", "--av_offset", "off")
CORPORA = {  # key: flags of prepare.py in the small form
    "faces": ("--crop", "aligned", "--size", "96", "--texture", "--words", "--speech_features", "--voices", "2"),
    "davs": ("--crop", "davs", "--size", "96", "--words", "--align", "none"),
    "au": ("--crop", "au112", "--size", "112", "--action_units", "geometry", "--align", "none"),
    "motion": ("--crop", "pcavs", "--size", "112", "--align", "none"),
}
FULL_SIZES = {"davs": "256", "au": "112", "motion": "224", "faces": "96"}


def prepare(folder, grid, log, workers, form="small", limit=None):
    """Prepare what is missing; what is there already costs a look.

    Args:
        folder: of the prepared corpora; grid: of GRID; log: folder of the logs; workers: processes of prepare.py.
        form: "small" or "full": the size of the crops.
        limit: only so many clips, for a look at what they take; None for all.

    Returns:
        {key: folder of the prepared corpus}.
    """
    folders, base = {}, [sys.executable, ROOT / "prepare.py", "--corpus", "grid", "--root", Path(grid).resolve()]
    for key, flags in CORPORA.items():
        size = [*flags[:3], FULL_SIZES[key], *flags[4:]] if form == "full" else list(flags)
        said = {"flags": [*SPLIT, *size], "limit": limit}
        folders[key] = Path(folder).resolve() / (f"{key}_full" if form == "full" else key)
        done = folders[key] / DONE
        if done.is_file() and (before := json.loads(done.read_text(encoding="utf-8"))) != said:
            raise InputError(f"{folders[key]}: prepared with {' '.join(before['flags'])}, not with {' '.join(said['flags'])}; "
                             "give another --prepared")  # fmt: skip
        if not done.is_file():
            print(f"preparing {key}", flush=True)
            few = [] if limit is None else ["--limit", limit]
            command = [*base, "--out", folders[key], *said["flags"], *few, "--workers", workers]
            run_logged(command, Path(log) / f"prepare_{folders[key].name}.txt")
            done.write_text(json.dumps(said) + "\n", encoding="utf-8")
    return folders


def people(folder):
    """Number of people in the training split of a prepared corpus."""
    return len({row.speaker for row in PreparedCorpus.open_folder(folder).split("train")})
