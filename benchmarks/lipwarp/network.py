"""How well lips follow the speech of people whom the lip motion network never saw: landmarks against landmarks, no pixels.

    python -m benchmarks.lipwarp.network --corpus prepared/people
    python -m benchmarks.lipwarp.network --corpus prepared/people --splits val --checkpoint runs/lipwarp_motion/best.safetensors

A clip's own sound drives its own landmarks, at lag 0 after the clip's measured AV offset (GRID: none). Medians over clips with
quartiles, by the groups of benchmarks/lipwarp/people.py. Rest position and amplitude come from the whole clip, or, in the rows
`portrait`, from its first frame alone. Closures are counted where a clip has phones (prepare.py --align).
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.lipwarp.motion import measure
from benchmarks.lipwarp.people import HELD_OUT
from common.cli import run
from common.errors import InputError
from common.files import atomic_output

CHECKPOINT = Path(__file__).resolve().parents[2] / "checkpoints" / "lipwarp.safetensors"
COLUMNS = ("r", "r_velocity", "r2", "r3", "spread", "spread2", "spread3", "roughness", "error", "of_held", "of_first",
           "silence", "noise", "closures")  # fmt: skip
_BOTH = {"spread": (0.8, 1.15), "r2": (0.65, 2), "r3": (0.3, 2), "roughness": (0.75, 1.25), "of_held": (0, 1),
         "silence": (0, 0.1), "closures": (0.9, 1.1)}  # fmt: skip
BARS = {"GRID": {"r": (0.75, 2), **_BOTH}, "others": {"r": (0.72, 2), **_BOTH}}  # group -> {column: (least, most)}


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lipwarp.network", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", default="prepared/people", help="prepared corpus (%(default)s)")
    parser.add_argument("--checkpoint", default=CHECKPOINT, help="lip motion checkpoint (the one of this repository)")
    parser.add_argument("--splits", default="unseen", help="splits to measure, such as val,test,unseen (%(default)s)")
    parser.add_argument("--clips", action="store_true", help="print a row for each clip, too")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    return parser.parse_args(argv)


def main(argv):
    """Measure and print; exit code 1 where a bar is missed on people never seen."""
    args = parse(argv)
    from datasets.prepared import PreparedCorpus
    from training.checkpoint import load_checkpoint

    corpus = PreparedCorpus.open_folder(args.corpus)
    network = load_checkpoint(args.checkpoint, expect="lip_motion").model
    table, missed = {}, []
    for split in args.splits.split(","):
        rows = [row for row in corpus.split(split) if not row.speaker.startswith("c_lrwar")]
        if not rows:
            raise InputError(f"{args.corpus}: no clip in split {split!r}")
        for kind in ("video", "portrait"):
            found = {row.id: measure(network, corpus, row, portrait=kind == "portrait") for row in rows}
            table[f"{split} {kind}"] = found
            missed += report(split, kind, found, {row.id: row.speaker for row in rows}, clips=args.clips and kind == "video")
    if args.out:
        with atomic_output(args.out) as temporary:
            temporary.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    if missed:
        print("NOT reached: " + "; ".join(missed))
    return 1 if missed else 0


def groups_of(speakers):
    """{group: ids} of {id: speaker}: GRID and others, and the others by where they come from."""
    groups = {"GRID": [], "others": [], **{name: [] for name in HELD_OUT if name != "grid"}}
    for one, speaker in speakers.items():
        groups["others" if speaker.startswith("c_") else "GRID"].append(one)
        for name, people in HELD_OUT.items():
            if speaker in people and name != "grid":
                groups[name].append(one)
    return {name: ids for name, ids in groups.items() if ids}


def column(found, name):
    """Values of a column over clips; closures are one number: in how many B, P, M lips meet, over that of the real lips."""
    if name == "closures":
        made, real = (sum(one[key] for one in found) for key in ("closed", "closed_real"))
        return np.array([made / real if real else np.nan])
    if name.startswith("of_"):
        return np.array([one["error"] / one[name[3:]] for one in found])
    return np.array([one[name] for one in found])


def report(split, kind, found, speakers, *, clips=False):
    """Print a table; returns what missed a bar: of people never seen, driven in their own videos."""
    print(f"\n{split}, {kind}: median (quartiles)\n" + " ".join(f"{name:>18}" for name in ("group", *COLUMNS)))
    missed = []
    for group, ids in groups_of(speakers).items():
        values = {name: column([found[one] for one in ids], name) for name in COLUMNS}
        cells = [f"{len(ids)} {group}"]
        for name in COLUMNS:
            low, middle, high = np.quantile(values[name], (0.25, 0.5, 0.75))
            cells.append(f"{middle:.3f} ({low:.2f}, {high:.2f})" if len(values[name]) > 1 else f"{middle:.3f}")
            least, most = BARS.get(group, {}).get(name, (-np.inf, np.inf))
            if split == "unseen" and kind == "video" and not (np.isnan(middle) or least <= middle <= most):
                missed.append(f"{group} {name} {middle:.3f} ({least}" + (f" to {most})" if most < 2 else ")"))
        print(" ".join(f"{cell:>18}" for cell in cells))
    runs = sum(one["runs"] for one in found.values())
    print(f"closures: in {runs} runs of B, P, M; AV offsets made up for: "
          + ", ".join(f"{one} {values['offset']:+.1f}" for one, values in found.items() if values["offset"]))  # fmt: skip
    for one, values in sorted(found.items()) if clips else ():
        print(f"{one:40} " + " ".join(f"{name} {column([values], name)[0]:.2f}" for name in COLUMNS))
    return missed


if __name__ == "__main__":
    sys.exit(run(main))
