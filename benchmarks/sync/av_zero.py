"""Whether an AV offset of 0 is in step, and whether the small offsets of GRID's clips are real: a check without any network.

    python -m benchmarks.sync.av_zero --grid prepared/grid --root GRID

A b or p at the beginning of a sentence ("bin", "place") bursts when the lips part. The burst is where the sound above some
2 kHz first comes half-way from the noise before the word to the level of the word; the parting is where the first rise of the
inner opening from its minimum, drawn on, meets that minimum. By how much the burst comes after the parting is an offset, too: a
noisy one of one event a clip, but one that nothing was learned for. The corpus must have been prepared with --av_offset off or
measure.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.sync.av_offset import quartiles
from common.cli import run
from datasets.av_offset import FPS, lip_shape, measure_av_offset
from datasets.prepared import PreparedCorpus
from speech.waveform import SAMPLE_RATE

WORDS = ("bin", "place")
UNITS = 25000  # of GRID's .align files, a second
HOP = 32  # samples of a step of the energy, 2 ms
AROUND = 0.25  # seconds about the burst in which the parting is looked for
CLOSED = 0.03  # inner opening over the eyes' distance, above its minimum, up to which lips count as closed
BINS = ((-2.0, -0.5), (-0.5, 0.0), (0.0, 0.5), (0.5, 2.0))


def main(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sync.av_zero", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--grid", required=True, help="prepared GRID corpus")
    parser.add_argument("--root", required=True, type=Path, help="GRID itself, with SPEAKER/align/*.align")
    args = parser.parse_args(argv)
    corpus, seen, measured = PreparedCorpus.open_folder(args.grid), [], []
    for row in corpus.rows:
        word = row.transcript.partition(" ")[0]
        path = args.root / row.speaker / "align" / f"{row.id.rpartition('/')[2]}.align"
        if word in WORDS and path.is_file():
            clip = corpus.open(row)
            burst = find_burst(np.array(clip["waveform"]) / 32768, _word_start(path, word))
            parting = None if burst is None else find_parting(lip_shape(clip["landmarks"])[:, 0], burst)
            if parting is not None and abs(burst - parting) < 0.1:
                seen.append((burst - parting) * FPS)
                measured.append(measure_av_offset(clip["mel"], clip["landmarks"], FPS).frames)
    print(f"{len(seen)} clips; burst after parting, frames: {quartiles(seen)} (quartiles); measured: {quartiles(measured)}")
    _compare(np.array(seen), np.array(measured))


def _compare(seen, measured):
    from scipy.stats import spearmanr

    print(f"rank correlation of the two: {spearmanr(seen, measured).statistic:.2f}")
    for low, high in BINS:
        inside = (measured >= low) & (measured < high)
        if inside.any():
            print(f"  measured {low} to {high}: {inside.sum()} clips, median of the burst {np.median(seen[inside]):+.2f}")


def _word_start(path, word):
    rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    return next((int(row[0]) / UNITS for row in rows if row[2] == word), None)


def find_burst(wave, start):
    """Seconds of the burst of a word that begins about `start` seconds; None where the word is missing or at an end."""
    steps = len(wave) // HOP - 1
    sharp = np.diff(wave, 2)[: steps * HOP].reshape(steps, HOP)
    level = 10 * np.log10((sharp**2).mean(1) + 1e-12)
    if start is None:
        return None
    first, last = (int((start + apart) * SAMPLE_RATE / HOP) for apart in (-0.15, 0.2))
    if first < 50 or last >= steps - 5:
        return None
    half = (np.percentile(level[:first], 90) + np.percentile(level[first : last + 50], 95)) / 2
    loud = np.flatnonzero(level[first:last] > half)
    return (first + loud[0]) * HOP / SAMPLE_RATE if len(loud) else None


def find_parting(opening, burst):
    """Seconds at which closed lips part, near a burst; None where they are seen to do no such thing."""
    seconds = (np.arange(len(opening)) + 0.5) / FPS
    near = np.abs(seconds - burst) < AROUND
    seconds, opening = seconds[near], opening[near] - opening[near].min()
    lowest = int(np.argmin(opening))
    open_ = lowest + np.flatnonzero(opening[lowest:] > CLOSED)
    if not len(open_):
        return None
    at = open_[0]
    return seconds[at] - opening[at] * (seconds[at] - seconds[at - 1]) / (opening[at] - opening[at - 1])


if __name__ == "__main__":
    sys.exit(run(main))
