"""Give a trained lip motion network its gain, by the validation people of a prepared corpus; run from the checkout.

    python -m tools.fit_lip_motion runs/lipwarp_motion/best.safetensors --corpus prepared/people --out lipwarp.safetensors

What is trained on squares of errors predicts means, and moves less than people do. The gain of each of the six components
brings its spread on people of the split `val` to SPREAD of the real one, in the median over clips; where network and clips
hardly agree (correlation below LEAST), what it gives is left as it is, because a gain would make noise of it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.lipwarp.motion import at, heard, offset_of
from common.cli import run
from datasets.fields.lips import lips_of
from datasets.prepared import PreparedCorpus
from faces.lip_space import COMPONENTS, lip_space
from training.checkpoint import load_checkpoint, save_checkpoint

SPREAD, MOST, LEAST = 0.95, 2.0, 0.2


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="of train.py")
    parser.add_argument("--corpus", type=Path, required=True, help="prepared corpus")
    parser.add_argument("--exclude", default="", help="beginnings of ids of clips to leave out, separated by commas")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    return parser.parse_args(argv)


def main(argv):
    """Fit and write."""
    args = parse(argv)
    corpus = PreparedCorpus.open_folder(args.corpus)
    found = load_checkpoint(args.checkpoint, expect="lip_motion")
    left_out = tuple(one for one in args.exclude.split(",") if one)
    rows = [row for row in corpus.split("val") if not row.id.startswith(left_out or ("/",))]
    gain = fit(found.model, corpus, rows)
    found.model.gain.copy_(torch.from_numpy(gain))
    save_checkpoint(args.out, found.model, found.config, dtype="float16")
    print(f"{args.out}: gain {', '.join(f'{one:.2f}' for one in gain)}, of {len(rows)} clips of validation people")
    return 0


def fit(network, corpus, rows):
    """-> (6,) float32; people count alike."""
    people = {}
    network.gain.fill_(1.0)
    for row in rows:
        clip = corpus.open(row)
        truly, person = lips_of(clip)
        waveform = np.asarray(clip["waveform"], np.float32) / 32767
        made = at(heard(network, waveform, len(truly), person.rest), np.arange(len(truly)) + offset_of(row))
        given, real = (lip_space().coefficients(values) for values in (made, truly))
        r = [np.corrcoef(given[:, place], real[:, place])[0, 1] for place in range(COMPONENTS)]
        people.setdefault(row.speaker, []).append(np.stack([given.std(0) / real.std(0), r]))
    ratio, r = np.median([np.median(own, 0) for own in people.values()], 0)
    return np.where(r < LEAST, 1.0, np.clip(SPREAD / ratio, 1.0, MOST)).astype(np.float32)


if __name__ == "__main__":
    sys.exit(run(main))
