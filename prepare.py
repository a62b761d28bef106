#!/usr/bin/env python3
"""Prepare a corpus once: decode, track, crop, landmarks, mel and MFCC, for training to read.

    python prepare.py --corpus grid --root GRID --out prepared/grid
    python prepare.py --corpus lrs2 --root LRS2 --out prepared/lrs2 --workers 16
    python prepare.py --corpus folder --root my_videos --out prepared/mine

The same command run again continues where it stopped and repeats nothing.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections import Counter
from pathlib import Path

from common.cli import run
from common.errors import InputError
from common.files import atomic_output
from datasets.corpora import CORPORA, assign_split, list_clips
from datasets.preparation import PrepareSettings, prepare_clip
from datasets.prepared import FORMAT, clip_path, read_manifest
from faces.detectors import DETECTORS

_detector = None  # one per worker process, made by _start_worker


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--corpus", required=True, help=f"how the clips are laid out: {', '.join(CORPORA)}")
    parser.add_argument("--root", required=True, help="folder of the corpus")
    parser.add_argument("--out", required=True, help="folder for the prepared clips; made when missing")
    parser.add_argument("--crop", default="aligned", choices=("aligned", "box"), help="face crop (default: aligned)")
    parser.add_argument("--size", type=int, default=96, help="side of the stored crop in pixels (default: 96)")
    parser.add_argument("--fps", type=int, default=25, help="frame rate every clip is brought to (default: 25)")
    parser.add_argument("--detector", default="mediapipe", help="mediapipe or face-alignment (default: mediapipe)")
    parser.add_argument("--unseen_speakers", default="", help="speakers to hold out whole, separated by commas")
    parser.add_argument("--val_share", type=float, default=0.05, help="share of the other clips for validation (default: 0.05)")
    parser.add_argument("--test_share", type=float, default=0.05, help="share of the other clips for testing (default: 0.05)")
    parser.add_argument("--limit", type=int, help="prepare only the first N clips")
    parser.add_argument("--workers", type=int, default=max(1, os.cpu_count() or 1), help="processes (default: one per core)")
    parser.add_argument("--retry_failed", action="store_true", help="try again the clips that failed before")
    return parser.parse_args(argv)


def main(argv):
    args = parse_arguments(argv)
    if args.detector not in DETECTORS:
        raise InputError(f"--detector {args.detector}: unknown; choose one of {', '.join(DETECTORS)}")
    if not 32 <= args.size <= 1024:
        raise InputError(f"--size {args.size}: must lie between 32 and 1024")
    if not 1 <= args.fps <= 120:
        raise InputError(f"--fps {args.fps}: must lie between 1 and 120")
    if args.val_share < 0 or args.test_share < 0 or args.val_share + args.test_share >= 1:
        raise InputError("--val_share and --test_share must be positive and leave something to train on")
    unseen = tuple(sorted(name for name in args.unseen_speakers.split(",") if name))
    settings = PrepareSettings(args.crop, args.size, fps=args.fps, detector=args.detector, unseen_speakers=unseen,
                               val_share=args.val_share, test_share=args.test_share)  # fmt: skip
    clips = list_clips(args.corpus, args.root)[: args.limit]
    out = Path(args.out)
    _check_settings(out, settings)
    rows = read_manifest(out)
    todo = [clip for clip in clips if _is_open(clip, rows.get(clip.id), out, args.retry_failed)]
    print(f"{len(clips)} clips, {len(clips) - len(todo)} done before, {len(todo)} to prepare")
    _prepare_all(todo, settings, out, max(1, args.workers))
    _report(out)
    return None


def _check_settings(out, settings):
    """Write corpus.json, or make sure that the one there says the same."""
    path = out / "corpus.json"
    wanted = {"format": FORMAT, "settings": settings.as_json()}
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored != wanted:
            other = [key for key in wanted["settings"] if stored.get("settings", {}).get(key) != wanted["settings"][key]]
            raise InputError(f"{path}: was prepared with other settings ({', '.join(other) or 'format'}); choose another --out")
        return
    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")


def _is_open(clip, row, out, retry_failed):
    """Whether a clip is still to be prepared."""
    if row is None:
        return True
    if row.error:
        return retry_failed
    return not clip_path(out, clip.id).is_file()


def _prepare_all(clips, settings, out, workers):
    from tqdm import tqdm

    jobs = [(clip, settings, out) for clip in clips]
    with open(out / "manifest.jsonl", "a", encoding="utf-8") as manifest, tqdm(total=len(jobs), unit="clip") as bar:
        for row in _results(jobs, settings, workers):
            manifest.write(json.dumps(vars(row)) + "\n")
            manifest.flush()
            if row.error:
                tqdm.write(f"{row.id}: {row.error}", file=sys.stderr)
            bar.update()


def _results(jobs, settings, workers):
    if workers == 1 or len(jobs) < 2:
        if jobs:
            _start_worker(settings)
        yield from map(_work, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(jobs)), _start_worker, (settings,)) as pool:
        yield from pool.imap_unordered(_work, jobs)


def _start_worker(settings):
    global _detector
    from faces.detectors import build_detector

    _detector = build_detector(settings.detector)


def _work(job):
    clip, settings, out = job
    split = clip.split or assign_split(
        clip.id,
        clip.speaker,
        unseen_speakers=settings.unseen_speakers,
        val_share=settings.val_share,
        test_share=settings.test_share,
    )
    return prepare_clip(clip, settings, _detector, split, out)


def _report(out):
    rows = read_manifest(out).values()
    good = [row for row in rows if not row.error]
    splits = Counter(row.split for row in good)
    hours = sum(row.seconds for row in good) / 3600
    parts = ", ".join(f"{name} {count}" for name, count in sorted(splits.items()))
    print(f"{out}: {len(good)} clips ({parts}), {hours:.2f} h; {len(rows) - len(good)} failed")


if __name__ == "__main__":
    sys.exit(run(main))
