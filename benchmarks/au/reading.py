"""What benchmarks.au.audio and benchmarks.au.classifier share: command line, scores of networks by split, tables and bars."""

import argparse
from pathlib import Path

import torch

from benchmarks.au.clips import labels_of, rows_of, sources_line, sources_of
from benchmarks.au.scores import score_table
from benchmarks.held_out.choice import other_of
from benchmarks.held_out.networks import network_lines
from benchmarks.held_out.people import people_lines, people_of
from benchmarks.outputs import write_outputs
from benchmarks.tables import SPLIT_NAMES, bar_lines, seeds_table
from benchmarks.tested import groups_of
from common.action_units import LABELS
from common.cli import EXIT_FAILED_JOB
from common.errors import InputError
from metrics.formulas.units import count_units, unit_scores

BATCH = 256  # frames at a time


def parse_reading(argv, program, text, out, config):
    """Command line of a benchmark that reads units -> argparse.Namespace.

    Args:
        argv: arguments; program, text: name and docstring of the module; out: usual --out; config: whose checkpoints it takes.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {program}", description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="folder that prepare.py wrote, with --action_units")
    add("--checkpoint", type=Path, required=True, nargs="+", help=f"networks of {config}; the bars are for the first one")
    add("--split", nargs="+", choices=tuple(SPLIT_NAMES), help="whose sentences (test, and unseen where it has any)")
    add("--limit", type=int, metavar="N", help="at most about N sentences of a split, of all its people (all of them)")
    add("--out", type=Path, default=Path(out), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if args.limit is not None and args.limit < 1:
        raise InputError("--limit must be 1 or more")
    return args


@torch.inference_mode()
def read_splits(corpus, networks, args, inputs, read):
    """Scores of networks.

    Args:
        corpus: PreparedCorpus; networks: list of benchmarks.tested.Tested; args: of `parse_reading`.
        inputs: function of (row, another row or None) that gives {way: function of a Tested that gives its input, N items}.
        read: function of (Tested, input) that gives (N, 5) logits.

    Returns:
        {split: {"sentences": ids, "left_out": number of clips without units, "networks": {name: {way: scores}}}}, see
        metrics.formulas.units.unit_scores.
    """
    splits, left_out = rows_of(corpus, args.split, args.limit)
    found = {}
    for split, rows in splits.items():
        counts = {tested.name: {} for tested in networks}
        for at, row in enumerate(rows):
            labels = labels_of(corpus, row)
            for way, given in inputs(row, other_of(rows, at)).items():
                for tested in networks:
                    logits = torch.cat([read(tested, part) for part in given(tested).split(BATCH)])[: row.frames]
                    frames = len(logits)
                    counted = count_units(labels.present[:frames], logits.numpy() > 0, labels.known[:frames])
                    counts[tested.name].setdefault(way, []).append(counted)
        scores = {name: {way: unit_scores(each, LABELS) for way, each in ways.items()} for name, ways in counts.items()}
        found[split] = {"sentences": [row.id for row in rows], "left_out": left_out[split], "networks": scores}
    return found


def report_reading(title, corpus, networks, splits, names, bars, out):
    """Write OUT.json and OUT.md, print the table.

    Args:
        title: of the table; corpus: PreparedCorpus; networks: list of benchmarks.tested.Tested.
        splits: what `read_splits` gives; names: {way: its words}, of which the first one is judged.
        bars: list of benchmarks.tables.bar; out: Path without suffix.

    Returns:
        the exit code: EXIT_FAILED_JOB where a bar is missed, else None.
    """
    report = {"corpus": corpus.folder.name, "people": people_of(corpus), "splits": splits,
              "labels": sources_of(corpus, splits), "networks": {one.name: one.facts for one in networks},
              "bars": bars}  # fmt: skip
    lines = [f"# {title}", "", sources_line(corpus, splits), "", *people_lines(report["people"]), ""]
    lines += [*network_lines(report["networks"]), "", *_split_lines(splits, names), *bar_lines(bars)]
    table = "\n".join(lines)
    write_outputs(out, report, table)
    print(table)
    print(f"written: {out}.json and .md")
    return None if all(one["holds"] for one in bars) else EXIT_FAILED_JOB


def _split_lines(splits, names):
    """Lines of Markdown: the tables of `read_splits`; arguments as of `report_reading`."""
    lines, first = [], next(iter(names))
    for split, found in splits.items():
        left_out = f"; {found['left_out']} without action units are left out" if found["left_out"] else ""
        lines += [f"## {SPLIT_NAMES[split]} ({split}): {len(found['sentences'])} clips{left_out}", ""]
        networks = found["networks"]
        lines += score_table({(name, names[way]): one for name, ways in networks.items() for way, one in ways.items()})
        columns = {"mean F1": {name: ways[first]["mean"]["f1"] for name, ways in networks.items()},
                   "mean accuracy": {name: ways[first]["mean"]["accuracy"] for name, ways in networks.items()}}  # fmt: skip
        for label in LABELS:
            columns[f"F1 {label}"] = {name: ways[first]["units"][label]["f1"] for name, ways in networks.items()}
        lines += seeds_table("Mean (least to most) over seeds.", groups_of(networks), columns)
    return lines
