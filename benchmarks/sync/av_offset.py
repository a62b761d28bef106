"""How often the AV offset of datasets/av_offset.py is right within a frame, and how often it is sure of itself.

    python -m benchmarks.sync.av_offset --grid prepared/grid --clips prepared/clips --manifest MANIFEST.md --out results/av.json
    python -m benchmarks.sync.av_offset --grid prepared/grid --fold s4_hd,s4=FOLD.npz      # speakers left out of the learning

GRID is in step: sound is moved by -10 to 10 frames, which has to be found. Of other clips (prepared with --av_offset off or
measure) the offset is not known; parts of them, moved by known steps, are held against the offset of the whole clip, the first
half against the second, and the rough lags of a list against both. Sound of another clip has no offset: it must not seem sure.
"Right" is: at most one frame from the truth.
"""

import argparse
import json
import re
import sys
from pathlib import Path

import numpy as np

from common.cli import run
from common.files import atomic_output
from datasets.av_offset import CONFIDENT, FPS, MAX_LAG, OffsetModel, measure_av_offset
from datasets.prepared import PreparedCorpus
from speech.mel import MEL_RATE

SHIFTS = range(-10, 11)
STEPS = (-8, -4, 0, 4, 8)
LENGTHS = (50, 75, 125, 250)
THRESHOLDS = (0.0, 0.2, 0.25, CONFIDENT, 0.35, 0.4, 0.5)
LONG = 150  # frames of a clip whose offset is taken for true


def main(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sync.av_offset", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--grid", required=True, help="prepared GRID corpus, made with --av_offset off or measure")
    parser.add_argument("--fold", action="append", default=[], help="SPEAKERS=WEIGHTS of tools/learn_av_offset.py --without")
    parser.add_argument("--clips", help="prepared corpus of other clips, made so, too")
    parser.add_argument("--manifest", type=Path, help="list with lines `NAME` ... AV lag K (r=R, ...) of those clips")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    args = parser.parse_args(argv)
    found = {"grid": measure_grid(PreparedCorpus.open_folder(args.grid), args.fold)}
    if args.clips:
        clips = [clip for clip in _clips(PreparedCorpus.open_folder(args.clips), lambda row: True) if clip["fps"] == FPS]
        found["clips"] = measure_clips(clips, read_lags(args.manifest) if args.manifest else {})
    if args.out:
        with atomic_output(args.out) as temporary:
            temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measure_grid(corpus, folds):
    """Known shifts of GRID, by group of clips; prints each group's curve over thresholds."""
    groups = {
        "sentences never seen": (lambda row: row.split == "test", None),
        "speakers never seen": (lambda row: row.split == "unseen", None),
    }
    for fold in folds:
        speakers, _, path = fold.partition("=")
        groups[f"left out: {speakers}"] = (_is_of(speakers.split(",")), OffsetModel(path))
    table = {}
    for name, (wanted, model) in groups.items():
        clips, trials = list(_clips(corpus, wanted)), []
        for clip in clips:
            for shift in SHIFTS:
                start, end = max(0, shift), clip["frames"] + min(0, shift)
                trials.append(_trial(clip, start, end, shift, 0.0, model))
        zeros = [measure_av_offset(clip["mel"], clip["landmarks"], FPS, model) for clip in clips]
        table[name] = {"clips": len(clips), "zero": quartiles([zero.frames for zero in zeros]), "curve": curve(trials)}
        table[name]["by_shift"] = {
            str(shift): round(float(np.mean([trial[1] for trial in trials if trial[2] == shift])), 3) for shift in SHIFTS
        }
        print(f"GRID, {name}: {len(clips)} clips, unmoved {table[name]['zero']} (quartiles)")
        _print(table[name]["curve"])
    return table


def _is_of(speakers):
    return lambda row: row.speaker in speakers


def measure_clips(clips, lags):
    """Other clips: parts with known steps, halves, wrong sound, rough lags, and the offset of each."""
    whole = {clip["id"]: measure_av_offset(clip["mel"], clip["landmarks"], FPS) for clip in clips}
    true = [clip for clip in clips if clip["frames"] >= LONG and whole[clip["id"]].sure]
    pooled, table = [], {"offsets": {name: [found.frames, found.confidence] for name, found in whole.items()}, "parts": {}}
    for length in LENGTHS:
        trials = [trial for clip in true for trial in _parts(clip, length, whole[clip["id"]].frames)]
        table["parts"][length] = curve(trials)
        pooled += trials
        print(f"parts of {length} frames, moved by {STEPS}, of {len(true)} clips:")
        _print(table["parts"][length])
    table["parts"]["all"] = curve(pooled)
    print("parts of all lengths:")
    _print(table["parts"]["all"])
    halves = [_halves(clip) for clip in true]
    table["halves"] = _gaps([gap for gap, _ in halves])
    table["sure_halves"] = _gaps([gap for gap, sure in halves if sure])
    print(f"halves: {table['halves']}, where both are sure: {table['sure_halves']}")
    for length in LENGTHS:
        sure = [found.sure for found in _wrong_sound(clips, length)]
        table.setdefault("wrong_sound", {})[length] = {"pairs": len(sure), "sure": round(float(np.mean(sure)), 3)}
    print(f"sound of another clip: {table['wrong_sound']}")
    for name, found in whole.items():
        rough = lags.get(name.rpartition("/")[2], "-")
        print(f"  {name}: {found.frames:+.2f}, confidence {found.confidence:.2f}; rough lag {rough}")
    gaps = [abs(whole[clip["id"]].frames - lags[key]) for clip in clips if (key := clip["id"].rpartition("/")[2]) in lags]
    if gaps:
        table["rough_lags"] = _gaps(gaps)
        print(f"rough lags (r above 0.4, longer than 5 s): {table['rough_lags']}")
    return table


def read_lags(path):
    """{name without suffix: rough lag} of the lines of a list with r above 0.4 and more than 5 s."""
    pattern = re.compile(r"^\* `(?P<name>[^`]+)\.\w+`.*?(?P<seconds>[\d.]+)s,.*AV lag (?P<lag>-?\d+) \(r=(?P<r>[\d.]+)", re.M)
    found = pattern.finditer(path.read_text(encoding="utf-8"))
    return {one["name"]: int(one["lag"]) for one in found if float(one["r"]) > 0.4 and float(one["seconds"]) > 5}


def curve(trials):
    """By threshold: share of the trials that are kept, and share of those that are right. Trials: (confidence, right, ...)."""
    sure, right = (np.array([trial[place] for trial in trials], float) for place in (0, 1))
    rows = {}
    for threshold in THRESHOLDS:
        kept = sure >= threshold
        rows[str(threshold)] = {
            "kept": round(float(kept.mean()), 3) if len(trials) else None,
            "right": round(float(right[kept].mean()), 3) if kept.any() else None,
            "trials": len(trials),
        }
    return rows


def quartiles(values):
    """[first quartile, median, third quartile], rounded; empty for no values."""
    return [round(float(value), 2) for value in np.percentile(values, [25, 50, 75])] if len(values) else []


def _gaps(gaps):
    within = round(float(np.mean(np.array(gaps) <= 1)), 3) if gaps else None
    return {"clips": len(gaps), "apart": quartiles(gaps), "within_one": within}


def _print(rows):
    for threshold, row in rows.items():
        print(f"  confidence {threshold}: kept {row['kept']}, right {row['right']} ({row['trials']} trials)")


def _clips(corpus, wanted):
    for row in corpus.rows:
        if wanted(row):
            clip = corpus.open(row)
            frames = min(row.frames, int(clip["mel"].shape[1] * FPS / MEL_RATE))
            yield {"id": row.id, "frames": frames, "fps": row.fps, "mel": np.array(clip["mel"]),
                   "landmarks": np.array(clip["landmarks"])}  # fmt: skip


def _sound(mel, start, end):
    return mel[:, round(start * MEL_RATE / FPS) : round(end * MEL_RATE / FPS) + 1]


def _trial(clip, start, end, shift, truth, model=None):
    """(confidence, right, shift): frames [start, end) of the picture with the sound from `shift` frames before."""
    found = measure_av_offset(_sound(clip["mel"], start - shift, end - shift), clip["landmarks"][start:end], FPS, model)
    return found.confidence, abs(found.frames - shift - truth) <= 1, shift


def _parts(clip, length, truth):
    for step in STEPS:
        if abs(step + truth) > MAX_LAG - 2:
            continue
        for start in range(max(0, step), clip["frames"] - length + min(0, step) + 1, max(length // 2, clip["frames"] // 12)):
            yield _trial(clip, start, start + length, step, truth)


def _halves(clip):
    """(frames that the offsets of the two halves are apart, whether both are sure)."""
    middle = clip["frames"] // 2
    halves = ((0, middle), (middle, clip["frames"]))
    one, other = (measure_av_offset(_sound(clip["mel"], *half), clip["landmarks"][slice(*half)], FPS) for half in halves)
    return abs(one.frames - other.frames), one.sure and other.sure


def _wrong_sound(clips, length):
    """Beginnings of clips under the sound of every other clip of another folder."""
    for clip in clips:
        for other in clips:
            if min(clip["frames"], other["frames"]) >= length and clip["id"].split("/")[0] != other["id"].split("/")[0]:
                yield measure_av_offset(_sound(other["mel"], 0, length), clip["landmarks"][:length], FPS)


if __name__ == "__main__":
    sys.exit(run(main))
