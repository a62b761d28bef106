#!/usr/bin/env python3
"""Prepare a corpus once: decode, track, crop, landmarks, mel, MFCC and phones, for training to read.

    python prepare.py --corpus grid --root GRID --out prepared/grid
    python prepare.py --corpus lrs2 --root LRS2 --out prepared/lrs2 --workers 16
    python prepare.py --corpus folder --root my_videos --out prepared/mine
    python prepare.py --out prepared/grid --texture     # only the texture modules, of clips that are prepared already

The same command run again continues where it stopped and repeats nothing.
"""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from common.cli import run
from common.errors import InputError
from datasets.alignment import WAYS, align_corpus
from datasets.corpora import CORPORA, list_clips
from datasets.preparation import PrepareSettings, prepare_corpus
from datasets.prepared import PreparedCorpus, read_manifest
from datasets.texture import add_texture
from faces.detectors import DETECTORS
from faces.texture import CLUSTERS, COMPACTNESS, TextureSpec, block_size


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--corpus", help=f"how the clips are laid out: {', '.join(CORPORA)}")
    parser.add_argument("--root", help="folder of the corpus")
    parser.add_argument("--out", required=True, help="folder for the prepared clips; made when missing")
    parser.add_argument("--crop", default="aligned", choices=("aligned", "box"), help="face crop (default: aligned)")
    parser.add_argument("--size", type=int, default=96, help="side of the stored crop in pixels (default: 96)")
    parser.add_argument("--fps", type=int, default=25, help="frame rate every clip is brought to (default: 25)")
    parser.add_argument("--detector", default="mediapipe", help="mediapipe or face-alignment (default: mediapipe)")
    parser.add_argument("--unseen_speakers", default="", help="speakers to hold out whole, separated by commas")
    parser.add_argument("--val_share", type=float, default=0.05, help="share of the other clips for validation (default: 0.05)")
    parser.add_argument("--test_share", type=float, default=0.05, help="share of the other clips for testing (default: 0.05)")
    parser.add_argument("--align", default="auto", help="phones by the given word times, else the transcript, else recognised "
                        "(auto), or by one way alone: given, pocketsphinx, mfa, none (default: auto)")  # fmt: skip
    parser.add_argument("--realign", action="store_true", help="align again the clips that have phones; faces are left alone")
    parser.add_argument("--texture", action="store_true", help="store the texture modules of the faces, too")
    parser.add_argument("--clusters", type=int, default=CLUSTERS, help=f"texture blocks per face (default: {CLUSTERS})")
    parser.add_argument("--compactness", type=float, default=COMPACTNESS,
                        help=f"how much place counts beside colour in texture modules (default: {COMPACTNESS:g})")  # fmt: skip
    parser.add_argument("--limit", type=int, help="prepare only the first N clips")
    parser.add_argument("--workers", type=int, default=max(1, os.cpu_count() or 1), help="processes (default: one per core)")
    parser.add_argument("--retry_failed", action="store_true", help="try again the clips that failed, or were not aligned")
    return parser.parse_args(argv)


def main(argv):
    args = parse_arguments(argv)
    _check(args)
    out, spec = Path(args.out), TextureSpec(args.clusters, args.compactness)
    if args.corpus is None:
        corpus = PreparedCorpus.open_folder(out)
        block_size(corpus.settings["size"], corpus.settings["size"], spec.clusters)
        add_texture(out, spec, args.workers, {row.id for row in corpus.rows[: args.limit]})
        return None
    unseen = tuple(sorted(name for name in args.unseen_speakers.split(",") if name))
    settings = PrepareSettings(args.crop, args.size, fps=args.fps, detector=args.detector, unseen_speakers=unseen,
                               val_share=args.val_share, test_share=args.test_share)  # fmt: skip
    clips = list_clips(args.corpus, args.root)[: args.limit]
    prepare_corpus(clips, settings, out, args.workers, args.retry_failed)
    align_corpus(clips, out, args.align, args.workers, realign=args.realign, retry_failed=args.retry_failed)
    if args.texture:
        add_texture(out, spec, args.workers, {clip.id for clip in clips})
    _report(out)
    return None


def _check(args):
    """InputError for arguments that cannot be."""
    if (args.corpus is None) != (args.root is None) or (args.corpus is None and not args.texture):
        raise InputError("give both --corpus and --root; or neither, with --texture, for clips that are prepared already")
    if args.detector not in DETECTORS:
        raise InputError(f"--detector {args.detector}: unknown; choose one of {', '.join(DETECTORS)}")
    if args.align not in WAYS:
        raise InputError(f"--align {args.align}: unknown; choose one of {', '.join(WAYS)}")
    if not 32 <= args.size <= 1024:
        raise InputError(f"--size {args.size}: must lie between 32 and 1024")
    if not 1 <= args.fps <= 120:
        raise InputError(f"--fps {args.fps}: must lie between 1 and 120")
    if args.val_share < 0 or args.test_share < 0 or args.val_share + args.test_share >= 1:
        raise InputError("--val_share and --test_share must be positive and leave something to train on")
    try:
        TextureSpec(args.clusters, args.compactness)
        if args.corpus is not None:
            block_size(args.size, args.size, args.clusters)
    except InputError as error:
        raise InputError(f"--{error}") from error


def _report(out):
    rows = read_manifest(out).values()
    good = [row for row in rows if not row.error]
    splits = Counter(row.split for row in good)
    hours = sum(row.seconds for row in good) / 3600
    parts = ", ".join(f"{name} {count}" for name, count in sorted(splits.items()))
    print(f"{out}: {len(good)} clips ({parts}), {hours:.2f} h; {len(rows) - len(good)} failed")


if __name__ == "__main__":
    sys.exit(run(main))
