"""The prepared corpora of the comparison: GRID once for each kind of crop, all with the same split."""

import json
import sys
from pathlib import Path

from benchmarks.runs import ROOT, run_logged
from datasets.prepared import PreparedCorpus

SPLIT = ("--unseen_speakers", "published", "--av_offset", "off")
CORPORA = {  # key: flags of prepare.py in the small form
    "faces": ("--crop", "aligned", "--size", "96", "--texture", "--words", "--speech_features", "--voices", "2"),
    "davs": ("--crop", "davs", "--size", "96", "--words", "--align", "none"),
    "au": ("--crop", "au112", "--size", "112", "--action_units", "geometry", "--align", "none"),
    "motion": ("--crop", "pcavs", "--size", "112", "--align", "none"),
}
FULL_SIZES = {"davs": "256", "au": "112", "motion": "224", "faces": "96"}


def prepare(folder, grid, log, workers, form="small"):
    """Prepare what is missing; what is there already costs a look.

    Args:
        folder: of the prepared corpora; grid: of GRID; log: folder of the logs; workers: processes of prepare.py.
        form: "small" or "full": the size of the crops.

    Returns:
        {key: folder of the prepared corpus}.
    """
    folders = {}
    for key, flags in CORPORA.items():
        size = [*flags[:3], FULL_SIZES[key], *flags[4:]] if form == "full" else flags
        folders[key] = Path(folder).resolve() / (f"{key}_full" if form == "full" else key)
        command = [
            sys.executable,
            ROOT / "prepare.py",
            "--corpus",
            "grid",
            "--root",
            Path(grid).resolve(),
            "--out",
            folders[key],
        ]
        done = folders[key] / "compare_methods.json"
        if not done.is_file():
            print(f"preparing {key}", flush=True)
            run_logged([*command, *SPLIT, *size, "--workers", workers], Path(log) / f"prepare_{key}.txt")
            done.write_text(json.dumps({"flags": [*SPLIT, *size]}) + "\n", encoding="utf-8")
    return folders


def people(folder):
    """Number of people in the training split of a prepared corpus."""
    return len({row.speaker for row in PreparedCorpus.open_folder(folder).split("train")})
