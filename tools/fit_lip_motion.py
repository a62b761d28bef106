"""Give a trained lip motion network its gain, by the validation people of a prepared corpus; run from the checkout.

    python -m tools.fit_lip_motion runs/lipwarp_motion/best.safetensors --corpus prepared/people --out lipwarp.safetensors

A network that is trained on squared errors predicts means, so it moves less than people do. A gain for each of the six
components brings its spread on people of the split `val` to SPREAD of the real one, in the median over people: nearly the
whole spread of the opening, less of the others, which depend less on the sound. Where network and clips hardly agree
(correlation below LEAST) the gain is 1, because a larger one would amplify noise. Then nearly closed lips are moved together
until they meet in B, P, M nearly as often as the real ones do; the corpus must hold phones (prepare.py --align).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.lipwarp.motion import at, heard, measure, offset_of
from common.cli import run
from common.errors import InputError
from datasets.fields.lips import lips_of
from datasets.prepared import PreparedCorpus
from faces.lip_space import COMPONENTS, lip_space
from training.checkpoint import load_checkpoint, save_checkpoint

SPREAD, LEAST = np.array([0.85, *[0.7] * (COMPONENTS - 1)]), 0.2
ENOUGH = 0.9
GAINS, CLOSINGS = np.linspace(1, 2.2, 25), np.linspace(0, 0.06, 4)


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
    rows = [row for row in corpus.split("val") if not row.id.startswith(left_out)]
    gain = fit(found.model, corpus, rows)
    found.model.gain.copy_(torch.from_numpy(gain))
    closing = fit_closing(found.model, corpus, rows)
    found.model.closing.fill_(closing)
    save_checkpoint(args.out, found.model, found.config, dtype="float16")
    print(f"{args.out}: gain {', '.join(f'{one:.2f}' for one in gain)}, closing {closing:.3f}, of {len(rows)} clips of "
          "validation people")  # fmt: skip
    for line in at_the_edge(gain, closing):
        print(f"warning: {line}")
    return 0


def at_the_edge(gain, closing):
    """Lines on what ended at the edge of what is tried, so that the best may lie beyond.

    Args:
        gain: (6,) float; closing: float.
    """
    for name, edge in (("greatest", GAINS[-1]), ("least", GAINS[0])):
        if at := [str(one + 1) for one in np.flatnonzero(np.isclose(gain, edge))]:
            why = "" if name == "greatest" else ", or the sound tells too little of them"
            yield f"gain of component {', '.join(at)}: {edge:g}, the {name} that is tried{why}"
    if np.isclose(closing, CLOSINGS[-1]):
        yield f"closing: {closing:g}, the greatest that is tried"


def fit(network, corpus, rows):
    """-> (6,) float32; people count alike."""
    pairs = {}
    network.closing.fill_(0)
    for row in rows:
        clip = corpus.open(row)
        truly, person = lips_of(clip)
        waveform, runs = np.asarray(clip["waveform"], np.float32) / 32767, corpus.phoneme_runs(row)
        made = [with_gain(network, gain, waveform, len(truly), person.rest, runs) for gain in (1.0, 2.0)]
        made = [lip_space().coefficients(at(one, np.arange(len(truly)) + offset_of(row))) for one in made]
        pairs.setdefault(row.speaker, []).append((made[0], made[1] - made[0], lip_space().coefficients(truly)))
    ratio, r = (np.median([np.median(own, 0) for own in spreads(pairs, GAINS)], 0) for spreads in (_ratios, _agreement))
    best = GAINS[np.abs(ratio - SPREAD).argmin(0)]
    return np.where(r[0] < LEAST, 1.0, best).astype(np.float32)


def fit_closing(network, corpus, rows):
    """How far nearly closed lips are moved together: the least at which they meet in ENOUGH of the B, P, M of the real ones."""
    counts = np.zeros((len(CLOSINGS), 3))
    for row in rows:
        for place, closing in enumerate(CLOSINGS):
            network.closing.fill_(closing)
            found = measure(network, corpus, row)
            counts[place] += found["closed"], found["closed_real"], found["runs"]
    if not counts[0, 1]:
        raise InputError(f"{corpus.folder}: no validation clip has phones with B, P or M; run prepare.py with --align")
    ratio = counts[:, 0] / counts[:, 1]
    return float(CLOSINGS[(ratio >= ENOUGH).argmax() if (ratio >= ENOUGH).any() else ratio.argmax()])


def with_gain(network, gain, *sound):
    """`heard` with one gain of all components."""
    network.gain.fill_(gain)
    return heard(network, *sound)


def _ratios(pairs, gains):
    """For each person (clips, gains, 6): spread over the real one."""
    for own in pairs.values():
        yield [[(plain + (gain - 1) * more).std(0) / real.std(0) for gain in gains] for plain, more, real in own]


def _agreement(pairs, _gains):
    """For each person (clips, 1, 6): correlation."""
    for own in pairs.values():
        yield [[[np.corrcoef(plain[:, one], real[:, one])[0, 1] for one in range(COMPONENTS)]] for plain, _, real in own]


if __name__ == "__main__":
    sys.exit(run(main))
