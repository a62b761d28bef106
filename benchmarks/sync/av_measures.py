r"""Measures of AV offset against each other on people never seen: how often right, how often sure, how often falsely sure.

    python -m benchmarks.sync.av_measures --corpus prepared/people --measure mel \
        --measure checkpoints/lip_sync_a.safetensors,checkpoints/lip_sync_b.safetensors

The corpus is that of benchmarks.lipwarp.corpus, prepared with --av_offset measure. Pieces of clips are heard with their own
sound moved by -7, 0 and 5 frames, and with the sound of other people, for which no offset is right. The offset of a whole
clip is taken as 0 for GRID, else as the mean of all measures where they agree to a frame; clips on which they do not are left
out of that part and listed. What being sure takes is fitted for each measure so that half a percent of other people's sound
seems sure, on the people of the split `val` and on people outside class A, whom no released measure learned from; the figures
are of the split `unseen`. "Right" is at most one frame from the truth.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.outputs import write_outputs
from common.cli import run
from common.errors import InputError
from datasets.av_judge import JudgeOffset
from datasets.av_offset import FPS, MelOffset, measure_av_offset
from datasets.prepared import PreparedCorpus
from faces.mouth import canonical_mouth
from speech.mel import MEL_RATE, mel_spectrogram
from training.checkpoint import load_checkpoint

LENGTHS = (28, 40, 50, 75, 125, 250)  # frames of a piece
STEPS = (-7, 0, 5)  # frames by which sound is moved
MOST = 13  # frames of truth and step together, so that no measure is asked beyond its reach
PLACES = 2  # pieces of a clip for each length, at most
STRANGERS = 6  # pieces of a clip under other people's sound, for each length
OTHERS = 60  # longest clips, and clips of words, of people outside class A on whom being sure is fitted, beside those of val
SHARE = 0.005  # of other people's sound that may seem sure where it is fitted
LONG = 100  # frames of a clip whose whole offset counts as known
SAMPLES = 640  # of a frame


def main(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sync.av_measures", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", required=True, help="prepared corpus of people")
    parser.add_argument("--measure", action="append", required=True, help="mel, or checkpoints of lip_sync with commas between")
    parser.add_argument("--out", type=Path, default=Path("results/av_measures"), help="name of the outputs (%(default)s)")
    args = parser.parse_args(argv)
    measures = [measure_of(name) for name in args.measure]
    corpus = PreparedCorpus.open_folder(args.corpus)
    people = {"unseen": list(clips_of(corpus.split("unseen"), corpus))}
    others = sorted((row for row in corpus.split("train") if row.speaker.startswith("c_")), key=lambda row: -row.frames)
    words = others[OTHERS:]
    fitted_on = [*corpus.split("val"), *others[:OTHERS], *words[:: max(1, len(words) // OTHERS)]]
    people["val"] = list(clips_of(fitted_on, corpus))
    if not all(people.values()):
        raise InputError(f"{args.corpus}: needs clips of the splits val and unseen; see benchmarks.lipwarp.corpus")
    wholes = {clip["id"]: [whole(measure, clip) for measure in measures] for clip in people["unseen"]}
    truths = {clip["id"]: truth_of(clip, wholes[clip["id"]]) for clip in people["unseen"]}
    known = [(clip, truth) for clip in people["unseen"] if (truth := truths[clip["id"]]) is not None]
    rows, fitted = [], {}
    for measure in measures:
        heard = hear(measure, [*people["val"], *people["unseen"]])
        false = {split: pieces_of_strangers(measure, people[split], heard) for split in people}
        least = fitted[measure.name] = float(np.quantile(np.concatenate(list(false["val"].values())), 1 - SHARE))
        found = {length: moved_pieces(measure, known, heard, length) for length in LENGTHS}
        for length in LENGTHS:
            for way, limit in (("own", None), ("fitted", least)):
                rows.append(figures(measure.name, way, length, limit, found[length], false["unseen"][length]))
        for way, limit in (("own", None), ("fitted", least)):
            pooled = [one for some in found.values() for one in some], np.concatenate(list(false["unseen"].values()))
            rows.append(figures(measure.name, way, "all", limit, *pooled))
    offsets = {name: [vars(one) for one in found] for name, found in wholes.items()}
    left_out = sorted(name for name, truth in truths.items() if truth is None)
    report = {"rows": rows, "fitted": fitted, "clips": offsets, "left_out": left_out}
    table = markdown(report, [measure.name for measure in measures])
    write_outputs(args.out, report, table)
    print(table)


def measure_of(name):
    """A measure, see datasets.preparing.av_rows, by what the command line calls it."""
    if name == MelOffset.name:
        return MelOffset()
    found = [load_checkpoint(path, expect="lip_sync") for path in name.split(",")]
    return JudgeOffset([one.model for one in found], " and ".join(one.path.stem for one in found))


def clips_of(rows, corpus):
    """Yield {"id", "speaker", "frames", "sound", "landmarks", "points"} of clips."""
    for row in rows:
        if row.fps == FPS:
            arrays = corpus.open(row)
            sound = np.asarray(arrays["waveform"], np.float32) / np.float32(32767)
            frames = min(row.frames, len(sound) // SAMPLES)
            landmarks = np.array(arrays["landmarks"])
            yield {"id": row.id, "speaker": row.speaker, "frames": frames, "sound": sound, "landmarks": landmarks,
                   "points": canonical_mouth(landmarks)}  # fmt: skip


def whole(measure, clip):
    """AvOffset of a clip."""
    return measure(clip["sound"][: clip["frames"] * SAMPLES], clip["landmarks"][: clip["frames"]], FPS)


def truth_of(clip, found):
    """Offset of a whole clip that counts as known, or None: it is too short, or measures differ."""
    if not clip["speaker"].startswith("c_"):
        return 0.0
    frames = [one.frames for one in found if one.confidence > 0]
    agree = clip["frames"] >= LONG and len(frames) == len(found) and max(frames) - min(frames) <= 1
    return float(np.mean(frames)) if agree else None


def hear(measure, clips):
    """{id: what a measure hears of the whole clip}, for `piece`; at the edges of a piece it hears what lies beyond it."""
    if isinstance(measure, JudgeOffset):
        return {clip["id"]: measure.hear(clip["sound"], clip["frames"]) for clip in clips}
    return {clip["id"]: mel_spectrogram(clip["sound"]) for clip in clips}


def piece(measure, seen, start, heard, begin, length):
    """AvOffset of `length` frames of a clip's picture from `start` on, with the sound of `hear` from frame `begin` on."""
    if isinstance(measure, JudgeOffset):
        cut = {kind: some[begin : begin + length] for kind, some in heard.items()}
        return measure.compare(seen["points"][start : start + length], cut)
    columns = slice(*(round(frame * MEL_RATE / FPS) for frame in (begin, begin + length)))
    return measure_av_offset(heard[:, columns], seen["landmarks"][start : start + length], FPS)


def moved_pieces(measure, known, heard, length):
    """List of (AvOffset, whether it is right) of pieces with their own sound, moved by STEPS."""
    found = []
    for clip, truth in known:
        for step in (step for step in STEPS if abs(step + truth) <= MOST):
            first, last = max(0, step), clip["frames"] - length + min(0, step)
            if last < first:
                continue
            for start in np.unique(np.linspace(first, last, min(PLACES, 1 + (last - first) // (length // 2))).astype(int)):
                one = piece(measure, clip, start, heard[clip["id"]], start - step, length)
                found.append((one, abs(one.frames - step - truth) <= 1))
    return found


def pieces_of_strangers(measure, clips, heard):
    """{length: (K,) confidences} of pieces with other people's sound."""
    found = {}
    for length in LENGTHS:
        rng, fit = np.random.default_rng(length), [clip for clip in clips if clip["frames"] >= length]
        values = []
        for clip in fit:
            others = [other for other in fit if other["speaker"] != clip["speaker"]]
            for _ in range(STRANGERS if others else 0):
                other = others[int(rng.integers(len(others)))]
                at, there = (int(rng.integers(one["frames"] - length + 1)) for one in (clip, other))
                values.append(piece(measure, clip, at, heard[other["id"]], there, length).confidence)
        found[length] = np.array(values)
    return found


def figures(name, way, length, least, own, strangers):
    """One row: shares of pieces with their own sound, and of other people's; `least`: None takes the measure's own."""
    if least is None:
        least = next((one.least for one, _ in own if one.confidence > 0), 0.0)
    sure = np.array([one.confidence >= least and one.confidence > 0 for one, _ in own], bool)
    right = np.array([good for _, good in own], bool)
    false = (strangers >= least) & (strangers > 0)
    return {"measure": name, "way": way, "frames": length, "least": least, "pieces": len(own), "right": _share(right),
            "sure": _share(sure), "right_of_sure": _share(right[sure]), "strangers": len(strangers),
            "falsely_sure": _share(false)}  # fmt: skip


def _share(values):
    return round(float(np.mean(values)), 4) if len(values) else None


def markdown(report, names):
    """The table of all rows, and the offset of each whole clip by each measure."""
    heads = ("measure", "threshold", "frames", "sure from", "own sound, moved: right", "sure", "right of those",
             "other people's: sure")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in report["rows"]:
        keys = ("right", "sure", "right_of_sure", "falsely_sure")
        cells = ["-" if row[key] is None else f"{row[key]:.1%}" for key in keys]
        first = f"{row['measure']} | {row['way']} | {row['frames']} | {row['least']:.3f}"
        own, other = f"{cells[0]} of {row['pieces']}", f"{cells[3]} of {row['strangers']}"
        lines.append(f"| {first} | {own} | {cells[1]} | {cells[2]} | {other} |")
    for name, fitted in report["fitted"].items():
        lines.append(f"\n{name}: sure from {fitted:.3f} on, fitted on val and others")
    heads = ("clip", *(f"{name}: offset, confidence" for name in names))
    lines += [f"\nLeft out, too short or measured differently: {', '.join(report['left_out']) or 'none'}.", "",
              f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]  # fmt: skip
    for name, found in report["clips"].items():
        sure = [" sure" * (one["confidence"] >= one["least"]) for one in found]
        cells = [f"{one['frames']:+.2f}, {one['confidence']:.2f}{word}" for one, word in zip(found, sure, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run(main))
