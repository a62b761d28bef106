"""Words from sound and from lips, and the right window of the other side: stage 1 on sentences that training never saw.

    python -m benchmarks.davs.words --corpus prepared/grid --checkpoint runs/davs_small_words/best.safetensors \\
        [runs/davs_small_words_plain/best.safetensors ...] [--split test unseen] [--untrained]

Each word of each sentence is asked once: the window of 12 frames at stride 2 around the middle of the word; nothing is drawn.
Retrieval: a window of sound is compared with 50 windows of video, its own and 49 others, by the cosine of the concatenated
codes, and the reverse; drawn 200 times. Several checkpoints stand beside one another; the bars are for the first one, on
held-out sentences. Writes OUT.json and OUT.md; prints the tables; exit code 1 where a figure misses its bar.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError

BARS = {"audio": 0.85, "video": 0.60}
SPLIT_NAMES = {"train": "sentences of training", "val": "sentences of validation", "test": "held-out sentences",
               "unseen": "people never seen"}  # fmt: skip
SIDE_NAMES = {"audio": "sound", "video": "lips"}
OTHERS = "all others"
PART_NAMES = {"all": "all words", "letters": "letters", "others": "other words"}


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.davs.words", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="folder that prepare.py wrote, with words")
    add("--checkpoint", type=Path, required=True, nargs="+", help="networks, the one that is judged first")
    add("--split", nargs="+", choices=tuple(SPLIT_NAMES), help="whose sentences (test, and unseen where it has words)")
    add("--untrained", action="store_true", help="a network with random weights beside them")
    add("--clips", type=int, help="at most about so many sentences of a split, of all its people")
    add("--seed", type=int, default=0, help="of the windows that are drawn for retrieval (%(default)s)")
    add("--out", type=Path, default=Path("results/davs_words"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if args.clips is not None and args.clips < 1:
        raise InputError("--clips must be 1 or more")
    return args


def main(argv):
    """Measure and report; exit code 1 when a figure misses its bar."""
    args = parse(argv)
    from benchmarks.davs.networks import open_corpus, open_networks, untrained
    from benchmarks.davs.protocol import protocol_of
    from benchmarks.outputs import write_outputs

    networks = open_networks(args.checkpoint)
    corpus, vocabulary = open_corpus(args.corpus, networks)
    networks += [untrained(networks[0])] * args.untrained
    report = {"protocol": protocol_of(corpus, vocabulary, networks, args.seed), "splits": {}}
    for split in args.split or ("test", "unseen"):
        found = measure_split(args, split, networks, corpus, vocabulary)
        if found:
            report["splits"][split] = found
        elif args.split or split == "test":
            raise InputError(f"{args.corpus}: split {split} has no sentence with words that is long enough")
    report["bars"] = bars_of(report, networks[0].name)
    table = markdown(report)
    write_outputs(args.out, report, table)
    print(table)
    print(f"written: {args.out}.json and .md")
    return EXIT_FAILED_JOB if any(not one["holds"] for one in report["bars"]) else None


def measure_split(args, split, networks, corpus, vocabulary):
    """Figures of one split; None where no sentence has words.

    Returns:
        {"sentences": [ids], "left_out", "words", "people", "networks": {name: {"accuracy": {side: ...}, "per_person",
        "retrieval": {direction: ...}}}}.
    """
    from benchmarks.davs.networks import window_of
    from benchmarks.davs.sentences import sentences_of, words_of
    from benchmarks.davs.words_measure import SIDES, accuracy, retrieval, understand

    shape = window_of(networks)
    rows, left_out = sentences_of(corpus, split, most=args.clips, **shape)
    if not rows:
        return None
    numbers = {word: number for number, word in enumerate(vocabulary)}
    spoken = {row.id: words_of(corpus, row, numbers, **shape) for row in rows}
    rows = [row for row in rows if spoken[row.id]]
    every = [one for row in rows for one in spoken[row.id]]
    truth, people = np.array([one.word for one in every]), np.array([one.row.speaker for one in every])
    sentences = np.array([one.row.id for one in every])
    found = {"sentences": [row.id for row in rows], "left_out": left_out, "words": len(every),
             "people": sorted(set(people.tolist())), "networks": {}}  # fmt: skip
    for tested in networks:
        answers, vectors = understand(tested, corpus, rows, spoken)
        figures = {"accuracy": {side: accuracy(answers[side], truth, sentences, vocabulary) for side in SIDES}}
        right = {side: answers[side] == truth for side in SIDES}
        figures["per_person"] = {
            name: {side: float(right[side][those].mean()) for side in SIDES} | {"words": int(those.sum())}
            for name, those in _parts(people).items()
        }
        figures["retrieval"] = {
            "sound to lips": retrieval(vectors["audio"], vectors["video"], truth, people, seed=args.seed),
            "lips to sound": retrieval(vectors["video"], vectors["audio"], truth, people, seed=args.seed),
        }
        found["networks"][tested.name] = figures
    return found


def _parts(people):
    """{name: (W,) bool}: the person of whom there are most words, all others together (OTHERS), then each of those."""
    names, counts = np.unique(people, return_counts=True)
    first = names[counts.argmax()]
    others = {OTHERS: people != first} if len(names) > 2 else {}
    return {str(first): people == first} | others | {str(name): people == name for name in names if name != first}


def bars_of(report, name):
    """[{"what", "value", "least", "holds"}] of the first network on held-out sentences."""
    found = report["splits"].get("test")
    if not found:
        return []
    shares = {side: found["networks"][name]["accuracy"][side]["all"]["share"] for side in BARS}
    return [{"what": f"words from {SIDE_NAMES[side]}", "value": shares[side], "least": least, "holds": shares[side] >= least}
            for side, least in BARS.items()]  # fmt: skip


def markdown(report):
    """All tables as text."""
    from benchmarks.davs.protocol import protocol_lines

    lines = ["# DAVS: words from sound and from lips", "", *protocol_lines(report["protocol"])]
    for split, found in report["splits"].items():
        lines += _accuracies(split, found) + _people(found) + _retrievals(found)
    for bar in report["bars"]:
        verdict = "holds" if bar["holds"] else "misses"
        lines.append(f"{bar['what']}: {bar['value']:.1%}, at least {bar['least']:.0%} is asked: {verdict}.")
    return "\n".join(lines)


def _accuracies(split, found):
    from benchmarks.davs.sentences import left_out_text

    lines = [f"## {SPLIT_NAMES[split]} ({split}): {len(found['sentences'])} sentences of {', '.join(found['people'])}, "
             f"{found['words']} words{left_out_text(found['left_out'])}", "",
             "Share of words understood [95 % interval over sentences]; mean over the classes.", ""]  # fmt: skip
    parts = {name: one for name, one in next(iter(found["networks"].values()))["accuracy"]["audio"].items() if one}
    heads = [f"{PART_NAMES[name]} ({one['words']} of {one['classes']} classes)" for name, one in parts.items()]
    lines += [f"| network | from | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]
    for name, figures in found["networks"].items():
        for side, cells in figures["accuracy"].items():
            lines.append(f"| {name} | {SIDE_NAMES[side]} | {' | '.join(_share(cells[part]) for part in parts)} |")
    cells = [f"{one['chance']:.1%}; always the most frequent word {one['most']:.1%}" for one in parts.values()]
    return [*lines, f"| chance | | {' | '.join(cells)} |", ""]


def _people(found):
    """Shares of the person of whom there are most words, of all others together, and of each of them."""
    every = next(iter(found["networks"].values()))["per_person"]
    heads = [f"{name} ({one['words']} words)" for name, one in every.items()]
    lines = ["Share of words understood, by person.", "", f"| network | from | {' | '.join(heads)} |",
             "|---|---|" + "---|" * len(every)]  # fmt: skip
    for name, figures in found["networks"].items():
        for side, title in SIDE_NAMES.items():
            lines.append(f"| {name} | {title} | {' | '.join(f'{one[side]:.1%}' for one in figures['per_person'].values())} |")
    return [*lines, ""]


def _share(cell):
    ends = "" if cell["low"] is None else f" [{cell['low']:.1%}, {cell['high']:.1%}]"
    return f"{cell['share']:.1%}{ends}; per class {cell['per_class']:.1%}"


def _retrievals(found):
    from benchmarks.davs.words_measure import GALLERY, POOLS, retrieval_chance

    heads = [f"{pool}: R@1, R@5, median rank" for pool in POOLS]
    lines = [f"The right window among {GALLERY}; the other {GALLERY - 1} are drawn from anywhere in the split, from windows of "
             "other words, or from windows of the same person.", "",
             f"| network | asked by | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]  # fmt: skip
    for name, figures in found["networks"].items():
        for direction, pools in figures["retrieval"].items():
            lines.append(f"| {name} | {direction} | {' | '.join(_ranks(pools[pool]) for pool in POOLS)} |")
    return [*lines, f"| chance | | {' | '.join([_ranks(retrieval_chance())] * len(POOLS))} |", ""]


def _ranks(cell):
    if cell is None:
        return "-"
    left_out = f" ({cell['left_out']} left out)" if cell.get("left_out") else ""
    return f"{cell['r1']:.1%}, {cell['r5']:.1%}, {cell['median']:.1f}{left_out}"


if __name__ == "__main__":
    sys.exit(run(main))
