#!/usr/bin/env python3
"""Temporal consistency, step by step: forced alignment, phoneme runs, lip loss and adaptive lip weight of each run.

    python temporal_processing.py --audio y.wav --transcript y.txt --out results/temporal
    python temporal_processing.py --audio y.wav --align y.align --video real.mp4 --generated fake.mp4
    python temporal_processing.py --audio y.mp4                        # no words known: phones are recognised

Writes alignment.TextGrid (words, phones, modules; opens in Praat), alignment.json, modules.json, with two videos lips.json, and
temporal.png: of a long sound one plot for each ten seconds or so, with --format pdf the pages of one file. Plots of this format
and lips.json that an earlier run has left are removed where this one does not write them.
The formulas are in docs/methods.md, section 7; the published script is a stub, so that they are inferred.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from common.cli import run, when_interrupted
from common.errors import InputError
from common.files import atomic_output, require_file
from common.former import FormerFiles
from common.places import check_folder
from common.plot_formats import PLOT_FORMATS

WRITTEN = ("alignment.TextGrid", "alignment.json", "modules.json", "lips.json")


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    add = parser.add_argument
    add("--audio", required=True, help="speech: an audio file, or a video with sound; any rate, brought to 16 kHz")
    add("--transcript", help="text file with what is said")
    add("--align", help="word or phone times: GRID .align, LRS2 text, csv, json, TextGrid")
    add("--textgrid", help="the same, as a Praat TextGrid")
    add("--video", help="real video: mouth opening, and its frame rate")
    add("--generated", help="generated video of the same clip: lip loss and weight")
    add("--out", type=Path, default=Path("results/temporal"), help="folder (%(default)s)")
    add("--format", choices=PLOT_FORMATS, default="png", help="of the plots (%(default)s)")
    add("--aligner", default="pocketsphinx", help="pocketsphinx or mfa (%(default)s)")
    add("--language", default="en", help="of the words, such as de: needs espeak-ng, or --aligner mfa (%(default)s)")
    add("--strict", action="store_true", help="refuse a transcript that fits the sound poorly")
    add("--fps", type=_rate, help="frame rate of the runs without a video (25)")
    add("--similarity", default="motion", help="similarity of lips: motion or shape (%(default)s)")
    add("--mode", default="tolerant", help="rule of the lip weight: literal, tolerant or uniform (%(default)s)")
    add("--detector", default="mediapipe", help="mediapipe or face-alignment (%(default)s)")
    add("--detector_weights", help="folder with face-alignment's weight files")
    return parser.parse_args(argv)


def _rate(text):
    from media.rates import as_rate

    return as_rate(text, "--fps")


def main(argv):
    """The four steps; see the module's docstring."""
    args = parse(argv)
    with when_interrupted(f"files that are whole are in {args.out}; the same command writes all of them anew"):
        return _write_all(args)


def _write_all(args):
    former = _check(args)
    from speech.labelling import SpeechText
    from speech.waveform import load_waveform

    text = SpeechText(args.transcript, args.align, args.textgrid, args.aligner, args.language)
    waveform = load_waveform(args.audio)
    alignment = align(args, waveform, text)
    real = generated = report = None
    if args.video:
        real, generated, fps = read_videos(args)
    else:
        fps = args.fps or 25
    runs = find_runs(alignment, fps, None if real is None else min(map(len, filter(None, (real, generated)))))
    write_alignment(args.out, alignment, runs)
    if generated is not None:
        report = weigh(args, real, generated, runs)
    else:
        print("\n3, 4  lip loss and lip weight: need --video and --generated")
    from pipeline.lips.plot import write_plots

    title = f"{Path(args.audio).name}: {alignment.source}"
    plots = write_plots(args.out / "temporal", args.format, waveform, alignment, runs, real=real, generated=generated,
                        report=report, title=title)  # fmt: skip
    names = [name for name in WRITTEN if report or name != "lips.json"]
    print(f"\nwritten: {', '.join([*names, *(path.name for path in plots)])} in {args.out}")
    if stale := former.remove_stale():
        print(f"removed, of an earlier run: {', '.join(stale)}")
    return None


def _check(args):
    """Refuse what cannot work before any work begins; FormerFiles of the folder."""
    from common.suggest import refuse_unknown
    from faces.detectors import DETECTORS
    from media import probe

    if args.generated and not args.video:
        raise InputError("--generated: give the real video too, as --video")
    if args.fps and args.video:
        raise InputError("--fps: the runs follow the frames of --video; leave --fps out")
    refuse_unknown([args.detector], DETECTORS, "--detector")
    for flag, what in (("audio", "audio"), ("transcript", "transcript"), ("align", "alignment"), ("textgrid", "TextGrid"),
                       ("video", "real video"), ("generated", "generated video")):  # fmt: skip
        if getattr(args, flag) is not None:
            require_file(getattr(args, flag), what, pipes=flag in ("audio", "video", "generated"))
    read = (args.audio, args.transcript, args.align, args.textgrid, args.video, args.generated)
    former = FormerFiles(args.out, rf"temporal(_\d+)?\.{args.format}|lips\.json")
    check_folder(args.out, (*WRITTEN, f"temporal.{args.format}", *former.names), read)
    for path, what in ((args.video, "real video"), (args.generated, "generated video")):
        if path is not None and probe(path, what).is_image:
            raise InputError(f"{path}: is a picture; the lips of a video are needed")
    from losses.temporal import MODES, SIMILARITIES  # torch comes with them, so they are last

    refuse_unknown([args.similarity], SIMILARITIES, "--similarity")
    refuse_unknown([args.mode], MODES, "--mode")
    return former


def align(args, waveform, text):
    """Step 1: Alignment, printed."""
    from speech.alignment import poor_fit
    from speech.arpabet import SILENCE
    from speech.labelling import align_speech

    alignment = align_speech(waveform, text, Path(args.audio).name)
    phones = [phone for phone in alignment.phones if phone.label != SILENCE]
    words = [word for word in alignment.words if word.label]
    score = "" if alignment.score is None else f", score {alignment.score:.2f}"
    print(f"1  forced alignment of {args.audio} ({alignment.seconds:.2f} s): {len(words)} words, {len(phones)} phones; "
          f"{alignment.source}{score}")  # fmt: skip
    for line in _lines(words or [None], phones):
        print(line)
    if alignment.unknown:
        print(f"   in no dictionary, phones guessed from the spelling: {', '.join(alignment.unknown)}")
    for note in alignment.notes:
        print(f"   note: {note}")
    if not phones:
        raise InputError(f"{args.audio}: no speech in it")
    if args.strict and poor_fit(alignment):
        raise InputError(f"{text.transcript or text.align or text.textgrid}: fits {args.audio} poorly (score "
                         f"{alignment.score:.2f}); give the right transcript, or leave --strict out")  # fmt: skip
    return alignment


def _lines(words, phones):
    """One line for each word with its phones; ten phones a line where no words are known."""
    if words == [None]:
        groups = [("", phones[at : at + 10]) for at in range(0, len(phones), 10)]
    else:
        groups = [(word.label, [p for p in phones if word.start <= (p.start + p.end) / 2 < word.end]) for word in words]
    for word, own in groups:
        if own:
            spelt = " ".join(phone.label + ("" if phone.stress is None else str(phone.stress)) for phone in own)
            yield f"   {own[0].start:7.2f} - {own[-1].end:6.2f}  {word:14} {spelt}"


def find_runs(alignment, fps, frames):
    """Step 2: phoneme runs over the frames of the video, or of the sound where there is none; printed."""
    from speech.arpabet import NUMBER, SILENCE
    from speech.phonemes import phoneme_runs
    from speech.waveform import SAMPLE_RATE
    from speech.windows import frame_count

    if frames is None:
        frames = frame_count(round(alignment.seconds * SAMPLE_RATE), fps)
    runs = phoneme_runs(alignment.phones, fps, frames)
    lost = ", ".join(f"{one.label} at {one.start:.2f} s" for one in runs.lost)
    print(f"\n2  temporal modules: {len(runs)} runs over {frames} frames at {float(fps):g} a second; {len(runs.moved)} phones "
          f"without a frame of their own took a neighbouring one; lost: {lost or 'none'}")  # fmt: skip
    if all(label == NUMBER[SILENCE] for label in runs.labels):
        raise InputError(f"the {frames} frames of the video hold no phoneme: sound and video do not belong together")
    return runs


def write_alignment(out, alignment, runs):
    """alignment.TextGrid, alignment.json and modules.json."""
    from speech.alignment import Interval
    from speech.alignment.given import write_json
    from speech.alignment.textgrid import write_textgrid
    from speech.arpabet import PHONES

    fps = float(runs.fps)
    edges = zip(runs.labels.tolist(), runs.starts.tolist(), runs.ends.tolist(), strict=True)
    modules = [Interval(start / fps, min(end / fps, alignment.seconds), PHONES[label])
               for label, start, end in edges if start / fps < alignment.seconds]  # fmt: skip
    write_textgrid(out / "alignment.TextGrid", alignment, {"modules": modules})
    write_json(alignment, out / "alignment.json")
    _write_json(out / "modules.json", runs.as_json())


def read_videos(args):
    """(Lips of the real video, of the generated one or None, frame rate of the real one)."""
    from pipeline.lips.compare import read_lips

    finder = {"detector": args.detector, "weights": args.detector_weights}
    real, fps = read_lips(args.video, what="real video", **finder)
    if not args.generated:
        return real, None, fps
    generated, _ = read_lips(args.generated, what="generated video", fps=fps, near=real.middle, **finder)
    return real, generated, fps


def weigh(args, real, generated, runs):
    """Steps 3 and 4: lip loss and weight of each run, printed and written; LipReport."""
    from pipeline.lips.compare import compare_lips

    report = compare_lips(real, generated, runs, similarity=args.similarity, mode=args.mode)
    print(f"\n3  lip loss of each run, and   4  lip weight from the similarity of its {args.similarity} ({args.mode})")
    print("   phoneme   frames   distance   similarity      weight")
    for row in report.rows:
        span = "     unknown" if row.least is None else f"{row.least:.2f} - {row.most:.2f}"
        distance = f"{row.loss / row.compared:.4f}" if row.compared else "no face"
        weight = "W[p]" if row.weight is None else f"{row.weight:.3f}"
        print(f"   {row.phoneme:7} {row.start:4d}-{row.end - 1:<4d} {distance:>10}  {span:>12}  {weight:>8}")
    print(f"   lip loss of the clip: {report.loss:.5f} eye distances")
    print("   mean weight by phoneme: " + ", ".join(f"{name} {value:.2f}" for name, value in report.by_phoneme.items()))
    _write_json(args.out / "lips.json", {
        "similarity": args.similarity, "mode": args.mode, "lip_loss": report.loss, "weight_by_phoneme": report.by_phoneme,
        "runs": [asdict(row) for row in report.rows],
    })  # fmt: skip
    return report


def _write_json(path, content):
    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run(main))
