"""Do action units by geometry agree with those of OpenFace? F1 of each unit, over the clips of a prepared corpus.

    python prepare.py --corpus grid --root GRID --out prepared/grid_au --crop au112 --action_units openface --au_csv DIR
    python -m benchmarks.au.agreement --corpus prepared/grid_au [--split test unseen] [--out results/au_agreement]

The corpus holds the labels of OpenFace. Those by geometry (faces.action_units: five distances of landmarks, no FACS coding) are
computed of the stored landmarks. Frames count that both know. F1 takes OpenFace's labels as true; "always" is the F1 of saying
that the unit is present in each frame, which a useful label must exceed. r: Pearson's correlation of the intensities. Two
sources that agree may both be wrong.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from common.action_units import LABELS, NAMES
from common.cli import run
from common.errors import InputError


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.au.agreement", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="folder that prepare.py wrote, with --action_units openface")
    add("--split", nargs="+", choices=("train", "val", "test", "unseen"), help="only the clips of these splits")
    add("--out", type=Path, help="write OUT.json and OUT.md")
    return parser.parse_args(argv)


def main(argv):
    """Measure, print, write."""
    args = parse(argv)
    from benchmarks.outputs import write_outputs

    report = measure(args.corpus, args.split)
    text = table(report)
    print(text)
    if args.out:
        write_outputs(args.out, report, text)


def measure(folder, splits=None):
    """Figures over the clips of a corpus whose action units come from OpenFace.

    Args:
        folder: of the prepared corpus; splits: names, or None for all.

    Returns:
        {"clips", "frames", "left_out": {reason: clips}, "units": {label: {"name", "openface", "geometry" (shares of frames in
        which each finds it), "f1", "always", "accuracy", "r"}}, "f1"}: numbers in [0, 1], r in [-1, 1]; None where undefined.

    Raises:
        InputError: no clip with labels of OpenFace, or none that geometry labels, too.
    """
    from datasets.action_units import KIND, OPENFACE, read_action_units
    from datasets.prepared import PreparedCorpus
    from datasets.preparing.au.labels import geometry_of, person_neutrals

    corpus = PreparedCorpus.open_folder(folder)
    rows = [row for row in corpus.rows if splits is None or row.split in splits]
    labelled = [row for row in rows if row.side.get(KIND, {}).get("from") == OPENFACE]
    if not labelled:
        where = f" of {' and '.join(splits)}" if splits else ""
        raise InputError(f"{folder}: no clip{where} has action units of OpenFace; run prepare.py on it with --action_units "
                         "openface --au_csv DIR")  # fmt: skip
    neutral, pairs, left_out = person_neutrals(corpus.folder, {row.id for row in labelled}), [], {}
    for row in labelled:
        theirs = read_action_units(corpus.folder, row)
        try:
            present, intensity, known = geometry_of(row, corpus.open(row), neutral)
        except InputError as error:
            left_out[str(error)] = left_out.get(str(error), 0) + 1
            continue
        both = theirs.known & known
        pairs.append((theirs.present[both], present[both], theirs.intensity[both], intensity[both]))
    if not pairs:
        raise InputError(f"{folder}: geometry labels no clip of it: {next(iter(left_out))}")
    found = compare(*(np.concatenate(part) for part in zip(*pairs, strict=True)))
    return {"clips": len(pairs), "frames": sum(len(pair[0]) for pair in pairs), "left_out": left_out, **found}


def compare(true, said, true_intensity, said_intensity):
    """Figures of labels against those that count as true; all (n, 5), in the order of common.action_units.UNITS.

    Returns:
        {"units", "f1"}: see `measure`; "f1" is the mean over the units.
    """
    from metrics.formulas.correlation import pearson
    from metrics.formulas.units import accuracy, always, count_units, f1, mean_over_units, rate, said_rate

    counts, units = count_units(true, said), {}
    figures = {"openface": rate(counts), "geometry": said_rate(counts), "f1": f1(counts), "always": f1(always(counts)),
               "accuracy": accuracy(counts)}  # fmt: skip
    for column, (label, name) in enumerate(zip(LABELS, NAMES, strict=True)):
        r = pearson(true_intensity[:, column], said_intensity[:, column])
        units[label] = {"name": name, **{key: _plain(values[column]) for key, values in figures.items()}, "r": _plain(r)}
    return {"units": units, "f1": _plain(mean_over_units(figures["f1"]))}


def _plain(value):
    return float(value) if np.isfinite(value) else None


def table(report):
    """Markdown."""
    lines = [f"Geometry (landmarks, no FACS) against OpenFace: {report['clips']} clips, {report['frames']} frames", "",
             "| unit | OpenFace, share of frames | geometry | F1 | F1 of always | accuracy | r of intensities |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for label, one in report["units"].items():
        cells = [one[key] for key in ("openface", "geometry", "f1", "always", "accuracy", "r")]
        shown = ("-" if value is None else f"{value:.3f}" for value in cells)
        lines.append(f"| {label} {one['name']} | {' | '.join(shown)} |")
    lines += ["", f"mean F1: {'-' if report['f1'] is None else format(report['f1'], '.3f')}"]
    lines += [f"left out: {count} x {reason}" for reason, count in report["left_out"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run(main))
