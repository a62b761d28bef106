"""Measure AV offsets of clips that are too short for other measures, by a lip motion network; run from the checkout.

    python -m tools.lip_offsets checkpoints/lipwarp.safetensors --corpus prepared/people --only c_lrwar_

A clip's sound drives lips; the shift, of whole frames, at which their opening agrees best with the real one is its offset, its
confidence that correlation, 0 below LEAST. Shifts are a little less likely the larger they are (PRIOR). The manifest gets a
row more for each clip; nothing else changes. What trains on a corpus that was measured so must not be judged on the same clips.
"""

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from benchmarks.lipwarp.motion import heard
from common.cli import run
from common.errors import InputError
from datasets.fields.lips import lips_of
from datasets.prepared import PreparedCorpus, manifest_path
from faces.lip_space import LOWER_INNER, UPPER_INNER
from training.checkpoint import load_checkpoint

MOST, PRIOR, LEAST = 3, 0.03, 0.35


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="lip motion network")
    parser.add_argument("--corpus", type=Path, required=True, help="prepared corpus")
    parser.add_argument("--only", required=True, help="beginnings of ids of the clips, separated by commas")
    return parser.parse_args(argv)


def main(argv):
    """Measure and write."""
    args = parse(argv)
    network = load_checkpoint(args.checkpoint, expect="lip_motion").model
    corpus = PreparedCorpus.open_folder(args.corpus)
    rows = [row for row in corpus.rows if row.id.startswith(tuple(args.only.split(",")))]
    if not rows:
        raise InputError(f"{args.corpus}: no clip whose id begins with {args.only}")
    found = ((row, *offset_of(network, corpus, row)) for row in rows)
    measured = [replace(row, av_offset=offset, av_confidence=confidence) for row, offset, confidence in found]
    with open(manifest_path(args.corpus), "a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(row)) + "\n" for row in measured)
    sure = [row.av_offset - row.av_corrected for row in measured if row.av_confidence] or [0.0]
    print(f"{args.corpus}: {len(sure)} of {len(rows)} clips, offset {np.mean(sure):+.2f} frames, deviation {np.std(sure):.2f}")
    return 0


def offset_of(network, corpus, row):
    """(frames by which the sound of the source trails its picture, confidence)."""
    clip = corpus.open(row)
    truly, person = lips_of(clip)
    made = heard(network, np.asarray(clip["waveform"], np.float32) / 32767, len(truly), person.rest, corpus.phoneme_runs(row))
    made, real = (values[:, LOWER_INNER, 1].mean(1) - values[:, UPPER_INNER, 1].mean(1) for values in (made, truly))
    shifts = np.arange(-MOST, MOST + 1)
    pairs = ((made[max(shift, 0) :], real[max(-shift, 0) :]) for shift in shifts)
    r = np.array([np.corrcoef(one[: len(other)], other[: len(one)])[0, 1] for one, other in pairs])
    best = int(np.argmax(r - PRIOR * shifts**2))
    return float(shifts[best] + row.av_corrected), float(r[best]) if r[best] >= LEAST else 0.0


if __name__ == "__main__":
    sys.exit(run(main))
