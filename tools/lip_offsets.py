"""Measure AV offsets of clips that are too short for other measures, by a lip motion network; run from the checkout.

    python -m tools.lip_offsets checkpoints/lipwarp.safetensors --corpus prepared/people --only c_lrwar_

The network predicts the lips from a clip's sound. The offset is the shift, in whole frames, at which the predicted opening
correlates best with the real one; that correlation is the confidence, and the offset is sure from LEAST on. Larger shifts count
as less likely (PRIOR). The manifest gets one more row for each clip, which names this network as the measure; nothing else
changes. A network that trains on a corpus measured in this way must not be judged on the same clips.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.lipwarp.motion import heard
from common.cli import run
from common.errors import InputError
from datasets.av_offset import NOTHING, AvOffset
from datasets.fields.lips import lips_of
from datasets.prepared import PreparedCorpus
from datasets.preparing.av_rows import measure_corpus
from faces.lip_space import LOWER_INNER, UPPER_INNER
from training.checkpoint import load_checkpoint

MOST, PRIOR, LEAST = 3, 0.03, 0.35
SHORTEST = 2 * MOST + 2  # frames of a clip that can be measured


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
    found = load_checkpoint(args.checkpoint, expect="lip_motion")
    begin = tuple(args.only.split(","))
    ids = {row.id for row in PreparedCorpus.open_folder(args.corpus).rows if row.id.startswith(begin)}
    if not ids:
        raise InputError(f"{args.corpus}: no clip whose id begins with {args.only}")
    measure = LipsOffset(found.model, f"lips of {found.path.stem} {found.sha256[:12]}")
    measure_corpus(args.corpus, measure, ids=ids)
    rows = [row for row in PreparedCorpus.open_folder(args.corpus).rows if row.id in ids]
    sure = [row.av_offset - row.av_corrected for row in rows if row.av_is_sure]
    spread = f", offset {np.mean(sure):+.2f} frames, deviation {np.std(sure):.2f}" if sure else ""
    print(f"{args.corpus}: sure of {len(sure)} of {len(rows)} clips{spread}")
    return 0


class LipsOffset:
    """A measure of AV offsets (datasets.preparing.av_rows) by what a lip motion network makes of the sound.

    Args:
        network: models.LipMotion; name: of the measure, for the manifest.
    """

    def __init__(self, network, name):
        self.name, self._network = name, network

    def __call__(self, waveform, landmarks, fps):
        """AvOffset of a waveform (n,) in [-1, 1] at 16 kHz and landmarks (N, 68, 2) at 25 fps; NOTHING where lips rest."""
        if len(landmarks) < SHORTEST:
            return NOTHING
        truly, person = lips_of({"landmarks": landmarks})
        made = heard(self._network, waveform, len(truly), person.rest)
        made, real = (values[:, LOWER_INNER, 1].mean(1) - values[:, UPPER_INNER, 1].mean(1) for values in (made, truly))
        return best_shift(made, real)


def best_shift(made, real):
    """AvOffset of the opening (N,) that the sound makes and the real one."""
    if min(made.std(), real.std()) < 1e-9:
        return NOTHING
    shifts = np.arange(-MOST, MOST + 1)
    pairs = ((made[max(shift, 0) :], real[max(-shift, 0) :]) for shift in shifts)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.nan_to_num([np.corrcoef(one[: len(other)], other[: len(one)])[0, 1] for one, other in pairs])
    best = int(np.argmax(r - PRIOR * shifts**2))
    return AvOffset(float(shifts[best]), max(float(r[best]), 0.0), float(r[best]), LEAST) if r[best] > 0 else NOTHING


if __name__ == "__main__":
    sys.exit(run(main))
