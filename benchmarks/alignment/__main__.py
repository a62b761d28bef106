"""Forced alignment, measured: how far its borders lie from known ones, what fails, what a false transcript does, its speed.

    python -m benchmarks.alignment [--grid ROOT] [--speech FOLDER] [--out results/alignment.json]

Parts: "synthesised" (flite speaks the sentences of benchmarks/sentences.txt and some like GRID's in four voices and says where
each phone lies; clean, with white noise at 20 and 10 dB below the speech, and with another sentence's text), "grid" (word times
of the .align files below --grid), "speech" (label files and TextGrids below --speech), "speed". Prints tables and a line a bar,
writes the figures as JSON, and leaves with 0 whether or not the bars are reached.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from benchmarks.alignment import parts
from benchmarks.alignment.grid import measure_grid
from benchmarks.alignment.material import SENTENCES, VOICES, Case, find_flite, grid_sentences, read_sentences, synthesised_cases
from benchmarks.alignment.reference import grid_cases, speech_cases
from benchmarks.alignment.report import bars, text
from benchmarks.alignment.run import measure_speed
from common.cli import run
from common.errors import InputError
from common.files import atomic_output
from speech.aligners import ALIGNERS
from speech.waveform import load_waveform

PARTS = ("synthesised", "grid", "speech", "speed")
SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "speech.wav"
TIMED = 20  # utterances in a round of the speed


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.alignment", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--parts", nargs="+", choices=PARTS, help="what to measure (all that material is given for)")
    add("--aligner", choices=ALIGNERS, default="pocketsphinx", help="%(default)s")
    add("--flite", default="flite", help="the synthesiser's program (%(default)s)")
    add("--voices", nargs="+", default=list(VOICES), help="its voices (%(default)s)")
    add("--sentences", type=Path, default=SENTENCES, help="text file, one sentence a line (%(default)s)")
    add("--grid_like", type=int, default=18, help="sentences like GRID's beside them (%(default)s)")
    add("--grid", type=Path, metavar="ROOT", help="folder of the GRID corpus with .align files")
    add("--speech", type=Path, metavar="FOLDER", help="labelled recordings: NAME_phone.lab or NAME.TextGrid beside the sound")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes (%(default)s); the speed is always that of one")
    add("--rounds", type=int, default=5, help="of the speed (%(default)s)")
    add("--seed", type=int, default=0, help="of the noise and of the GRID-like sentences (%(default)s)")
    add("--quick", action="store_true", help="a few utterances of each kind: does it run?")
    add("--out", type=Path, default=Path("results/alignment.json"), help="%(default)s")
    args = parser.parse_args(argv)
    if args.jobs < 1 or args.rounds < 1 or args.grid_like < 0:
        raise InputError("--jobs and --rounds must be 1 or more, --grid_like 0 or more")
    if args.parts is None:
        given = {"synthesised": True, "grid": args.grid, "speech": args.speech, "speed": True}
        args.parts = [part for part in PARTS if given[part]]
    for part in ("grid", "speech"):
        if part in args.parts and getattr(args, part) is None:
            raise InputError(f"--parts {part} needs --{part}")
    return args


def main(argv):
    """Run the parts, print, write."""
    args = parse(argv)
    report, spoken = {"aligner": args.aligner, "quick": args.quick}, []
    if "synthesised" in args.parts:
        spoken = make_spoken(args)
        ratios = (20,) if args.quick else (20, 10)
        report["synthesised"] = parts.measure_synthesised(spoken, args.aligner, args.jobs, ratios, args.seed)
        print(f"synthesised: {len(spoken)} utterances measured", file=sys.stderr)
    if "grid" in args.parts:
        cases, facts = grid_cases(args.grid, args.jobs, 1 if args.quick else None)
        report["grid"] = measure_grid(cases, facts, args.aligner, args.jobs)
        print(f"grid: {len(cases)} clips measured", file=sys.stderr)
    if "speech" in args.parts:
        report["speech"] = parts.measure_speech(speech_cases(args.speech), args.aligner, args.jobs)
    if "speed" in args.parts:
        timed = spoken[:: max(1, len(spoken) // TIMED)][:TIMED] or [sample_case()]
        report["speed"] = measure_speed(timed, args.aligner, args.rounds)
    report["bars"] = [{**vars(bar), "reached": bar.reached} for bar in bars(report)]
    with atomic_output(args.out) as path:
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(text(report), end="")


def make_spoken(args):
    """The synthesised cases that the arguments ask for."""
    flite, sentences = find_flite(args.flite), read_sentences(args.sentences)
    if args.quick:
        sentences, like, voices = sentences[:2], 1, args.voices[:1]
    else:
        like, voices = args.grid_like, args.voices
    return synthesised_cases(flite, [*sentences, *grid_sentences(like, args.seed)], voices, args.jobs)


def sample_case():
    """The sound that comes with the project, where nothing was synthesised."""
    words = SAMPLE.with_suffix(".txt").read_text(encoding="utf-8")
    return Case("sample", "sample", " ".join(words.split()), load_waveform(SAMPLE))


if __name__ == "__main__":
    sys.exit(run(main))
