"""What the codes still tell: words and people, read from frozen codes by fresh classifiers; stage 2.

    python -m benchmarks.davs.disentangle --corpus prepared/grid --stage1 runs/davs_small_words/best.safetensors \\
        --checkpoint runs/davs_small_disentangle/best.safetensors runs/davs_small_disentangle_plain/best.safetensors

No adversary of the training is asked: a linear classifier and an MLP are trained anew on the codes of training sentences, their
settings are chosen on validation sentences, and held-out sentences are read. All classes count alike. A network with random
weights stands beside the others: what its codes tell is what the layout lets through.

Bars are for the first checkpoint; the second one is its control, trained alike without adversaries. Of words in identity codes,
and of people in speech codes, at most a fifth may be left of what the control tells above chance; and where there are 8 classes
or more, at most 3 times chance may be read. The share of what --stage1 tells stands beside. The speech codes keep 95 % of what
is read from those of --stage1. Writes OUT.json and OUT.md; prints the tables; exit code 1 where a figure misses its bar, and
where none can be set: without a control, or of a control that tells nothing.
"""

import argparse
import sys
from pathlib import Path

from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError

TIMES_CHANCE, KEPT, LEFT = 3.0, 0.95, 0.2
LEAST_CLASSES = 8  # of fewer, three times chance is no bar: of five classes it is 60 %
CLEANED = ("word_identity", "person_audio", "person_video", "person_audio_window", "person_video_window")  # of QUESTIONS


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.davs.disentangle", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--corpus", type=Path, required=True, help="folder that prepare.py wrote, with words")
    add("--checkpoint", type=Path, required=True, nargs="+", help="networks: the one that is judged, its control, others")
    add("--stage1", type=Path, help="the network of stage 1, whose speech codes are to be kept")
    add("--no_untrained", action="store_true", help="leave out the network with random weights")
    add("--clips", type=int, help="at most about so many sentences of training whose speech is read (all of them)")
    add("--seeds", type=int, default=3, help="MLPs for each question (%(default)s)")
    add("--out", type=Path, default=Path("results/davs_disentangle"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if (args.clips is not None and args.clips < 1) or args.seeds < 1:
        raise InputError("--clips and --seeds must be 1 or more")
    return args


def main(argv):
    """Measure and report; exit code 1 when a figure misses its bar."""
    args = parse(argv)
    from benchmarks.davs.networks import open_corpus, open_networks, require_stage, untrained, window_of
    from benchmarks.davs.protocol import protocol_of
    from benchmarks.davs.readings import Material
    from benchmarks.outputs import write_outputs

    networks = open_networks([*args.checkpoint, *([args.stage1] if args.stage1 else [])])
    require_stage(networks[0], "disentangle", "--checkpoint")
    corpus, vocabulary = open_corpus(args.corpus, networks)
    judged, stage1 = networks[0], networks[-1].name if args.stage1 else None
    control = networks[1] if len(args.checkpoint) > 1 else None
    if control is not None:
        require_stage(control, "disentangle", "the control, the second --checkpoint,")
    networks += [] if args.no_untrained else [untrained(judged)]
    material = Material(corpus, vocabulary, **window_of(networks), most=args.clips)
    for split in ("train", "val", "test"):
        if not material.rows[split]:
            raise InputError(f"{args.corpus}: split {split} has no sentence with words that is long enough")
    report = {"protocol": protocol_of(corpus, vocabulary, networks, 0), "seeds": args.seeds, "people": material.people,
              "counts": material.counts, "left_out": material.left_out, "stage1": stage1, "judged": judged.name,
              "control": control and control.name, "speech_of": len(material.with_speech), "networks": {}}  # fmt: skip
    report["sentences"] = {split: [row.id for row in rows] for split, rows in material.rows.items()}
    for tested in networks:
        print(f"{tested.name}: reading", file=sys.stderr, flush=True)
        report["networks"][tested.name] = measure(tested, material, args.seeds)
    report["bars"] = bars_of(report)
    table = markdown(report)
    write_outputs(args.out, report, table)
    print(table)
    print(f"written: {args.out}.json and .md")
    return EXIT_FAILED_JOB if any(not bar["holds"] for bar in report["bars"]) else None


def measure(tested, material, seeds):
    """Readings of one network.

    Returns:
        {question: {kind of classifier: what benchmarks.davs.probes.read_with gives}, "own": {side: {split: figures of the
        network's own word classifier}}}.
    """
    from benchmarks.davs.probes import KINDS, read_with
    from benchmarks.davs.readings import QUESTIONS

    codes, found = material.read(tested), {}
    for key in material.questions(tested):
        word = QUESTIONS[key].asks == "word"
        splits = material.splits if word else ["test"]
        given = {split: material.readings(key, split, codes[split]) for split in ("train", "val", *splits)}
        train, val = given.pop("train"), given.pop("val")
        classes = len(material.vocabulary) if word else len(material.people)
        found[key] = {kind: read_with(kind, train, val, given, classes, seeds=seeds) for kind in KINDS}
    found["own"] = {side: _own(tested, material, codes, f"word_{side}") for side in ("audio", "video")}
    return found


def _own(tested, material, codes, key):
    """{split: figures} of the network's own word classifier, on the same windows."""
    import torch

    from benchmarks.davs.probes import figures_of

    found, classes = {}, len(material.vocabulary)
    for split in material.splits:
        readings = material.readings(key, split, codes[split])
        windows = torch.from_numpy(readings.inputs).unflatten(1, (material.frames, -1))
        with torch.inference_mode():
            found[split] = figures_of(readings, [tested.model.classify(windows).argmax(1).numpy()], classes)
    return found


def best_of(kinds, split="test"):
    """The figures of the classifier that is better on the validation set."""
    return max(kinds.values(), key=lambda one: one["chosen"]["validation"])[split]


def bars_of(report):
    """[{"what", "value", "bar", "holds", "beside"}] of the judged network on held-out sentences.

    "holds" is None where no bar can be set: "bar" then says why, and "value" is what was read. "beside": text.
    """
    from benchmarks.davs.readings import QUESTIONS

    networks, bars = report["networks"], []
    own, control, first = (networks.get(report[name]) for name in ("judged", "control", "stage1"))
    for key in CLEANED:
        title = QUESTIONS[key].title
        if key not in own:
            bars.append(_bar(title, None, "held-out sentences of two people or more are needed", None))
            continue
        found = worst_of(own[key])
        most = TIMES_CHANCE * found["chance"]
        if round(1 / found["chance"]) >= LEAST_CLASSES:
            bars.append(_bar(title, found["balanced"], f"at most {most:.1%} (3 x chance)", found["balanced"] <= most))
        if control is None or key not in control:
            bars.append(_bar(title, found["balanced"], "a control is needed, as the second --checkpoint", None))
            continue
        against = worst_of(control[key])
        if against["low"] <= against["chance"]:
            told = f"the control tells {against['balanced']:.1%}, which may be chance ({against['chance']:.1%})"
            bars.append(_bar(title, found["balanced"], told, None))
            continue
        left = share_left(found, against)
        beside = f"{found['balanced']:.1%} of {against['balanced']:.1%}, chance {found['chance']:.1%}"
        if first is not None and key in first:
            beside += f"; of what {report['stage1']} tells above chance {share_left(found, worst_of(first[key])):.1%}"
        what = f"{title}, above chance, over that of {report['control']}"
        bars.append(_bar(what, left, f"at most {LEFT:.0%}", left <= LEFT, beside))
    for key in ("word_audio", "word_video") if first is not None else ():
        kept = best_of(own[key])["balanced"] / max(best_of(first[key])["balanced"], 1e-9)
        what = f"{QUESTIONS[key].title}, over that of {report['stage1']}"
        bars.append(_bar(what, kept, f"at least {KEPT:.0%}", kept >= KEPT))
    return bars


def _bar(what, value, bar, holds, beside=""):
    return {"what": what, "value": value, "bar": bar, "holds": holds, "beside": beside}


def worst_of(kinds):
    """The figures of the classifier that reads most of held-out sentences."""
    return max((kind["test"] for kind in kinds.values()), key=lambda one: one["balanced"])


def share_left(found, against):
    """What some figures tell above chance, over what others tell above it; infinite where those tell nothing."""
    above = against["balanced"] - against["chance"]
    return (found["balanced"] - found["chance"]) / above if above > 0 else float("inf")


def markdown(report):
    """All tables as text."""
    from benchmarks.davs.protocol import protocol_lines
    from benchmarks.davs.sentences import left_out_text

    people = [f"{name} ({report['counts'][name]['train']}, {report['counts'][name]['test']})" for name in report["people"]]
    count = {split: len(rows) for split, rows in report["sentences"].items()}
    lines = ["# DAVS: what frozen codes tell fresh classifiers", "", *protocol_lines(report["protocol"]),
             f"Read: {count['test']} held-out sentences, {count['unseen']} of people never seen; learned on {count['train']} "
             f"sentences of training (speech codes: {report['speech_of']}), chosen on {count['val']}. Seeds 0 to "
             f"{report['seeds'] - 1} of each MLP.", "",
             f"People who are read (their sentences of training, held-out ones): {', '.join(people) or 'none'}.", "",
             *(f"{split}{left_out_text(some)}." for split, some in report["left_out"].items() if some), "",
             "Balanced accuracy, the mean over the classes, MLP [95 % interval over sentences]; linear classifier. "
             "Chance is 1 / classes that may be answered.", ""]  # fmt: skip
    splits = [split for split in ("test", "unseen") if report["sentences"][split]]
    for split, title in zip(splits, ("Held-out sentences", "People never seen"), strict=False):
        lines += [f"## {title}", "", *_table(report, split, "balanced"), ""]
    lines += ["## Held-out sentences, plain accuracy: all readings count alike", "", *_table(report, "test", "plain"), ""]
    lines += [f"{report['judged']}: {_told(bar)}" for bar in report["bars"]]
    return "\n".join(lines)


def _told(bar):
    value = "" if bar["value"] is None else f"{bar['value']:.1%}, "
    if bar["holds"] is None:
        return f"{bar['what']}: {value}no bar can be set: {bar['bar']}."
    beside = f" ({bar['beside']})" if bar["beside"] else ""
    return f"{bar['what']}: {value}{bar['bar']} is asked: {'holds' if bar['holds'] else 'misses'}{beside}."


def _table(report, split, figure):
    from benchmarks.davs.readings import QUESTIONS

    networks = report["networks"]
    lines = [f"| | chance | {' | '.join(networks)} |", "|---|---|" + "---|" * len(networks)]
    for key, question in QUESTIONS.items():
        found = {name: one[key] for name, one in networks.items() if key in one and split in one[key]["MLP"]}
        if found:
            one = next(iter(found.values()))["MLP"][split]
            cells = [_cell(found[name], split, figure) if name in found else "-" for name in networks]
            lines.append(f"| {question.title} ({one['readings']} readings) | {_chance(one, figure)} | {' | '.join(cells)} |")
    for side, title in (("audio", "sound"), ("video", "lips")):
        own = {name: one["own"][side].get(split) for name, one in networks.items()}
        cells = [f"{one[figure]:.1%}" for one in own.values()]
        chance = _chance(next(iter(own.values())), figure)
        lines.append(f"| the network's own classifier, from {title} | {chance} | {' | '.join(cells)} |")
    return lines


def _chance(one, figure):
    return f"{one['chance']:.1%}" if figure == "balanced" else f"{one['chance']:.1%}; most frequent {one['most']:.1%}"


def _cell(kinds, split, figure):
    deep, straight = kinds["MLP"][split], kinds["linear"][split]
    ends = f" [{deep['low']:.1%}, {deep['high']:.1%}]" if figure == "balanced" else ""
    return f"{deep[figure]:.1%}{ends}; {straight[figure]:.1%}"


if __name__ == "__main__":
    sys.exit(run(main))
