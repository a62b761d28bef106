"""Does a checkpoint's mouth follow the sound, and only the sound? Measured on clips that training never saw.

    python -m benchmarks.held_out --checkpoint checkpoints/demo.safetensors --prepared prepared/grid [--split unseen]
    python -m benchmarks.held_out ... --root GRID --end_to_end 3

(a) own sound, reference from elsewhere in the clip; (b) another clip's sound; (c) digital silence and quiet noise; (d) lag.
Works crop to crop on prepared clips, which is fast; --end_to_end sends some clips through inference.py and evaluate.py as well.
Frames nearer than five to the reference are left out of (a) and (b). Writes OUT.json, OUT.md, OUT_curves.png, OUT_sheet.png.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.held_out", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--checkpoint", required=True, type=Path, help="generator")
    add("--prepared", required=True, type=Path, help="folder that prepare.py wrote")
    add("--split", default="test", choices=("val", "test", "unseen"), help="which clips (%(default)s)")
    add("--speakers", help="only these, with commas between, such as s1")
    add("--clips", type=int, help="at most so many clips, spread over the split")
    add("--pairs", type=int, default=3, help="sounds for each target in (b) (%(default)s)")
    add("--root", type=Path, help="the corpus itself, in GRID's layout; for --end_to_end")
    add("--end_to_end", type=int, default=0, metavar="N", help="so many clips through inference.py as well")
    add("--out", type=Path, default=Path("results/held_out"), help="name of the outputs, without suffix (%(default)s)")
    add("--seed", type=int, default=0, help="decides pairs and noise (%(default)s)")
    add("--device", default="cpu", help="where the generator runs (%(default)s)")
    add("--optimise_face", action="store_true", help="optimise the drawn faces, as inference.py --optimise_face does")
    add("--no_pictures", action="store_true", help="write no plots and contact sheets")
    args = parser.parse_args(argv)
    if args.end_to_end and not args.root:
        raise InputError("--end_to_end needs --root, the folder of the corpus itself")
    if args.pairs < 0 or (args.clips is not None and args.clips < 1):
        raise InputError("--pairs must be 0 or more, --clips 1 or more")
    return args


def choose_rows(corpus, split, speakers, count):
    """Rows of the split; `count` of them, evenly spread, if given."""
    rows = [row for row in corpus.split(split) if not speakers or row.speaker in speakers.split(",")]
    if not rows:
        raise InputError(f"{corpus.folder}: no clip in split {split}" + (f" of {speakers}" if speakers else ""))
    if count is None or count >= len(rows):
        return rows
    return [rows[at] for at in np.linspace(0, len(rows) - 1, count).round().astype(int)]


def main(argv):
    """Run the experiments; exit code 1 when a figure misses its bar."""
    args = parse(argv)
    from benchmarks.held_out import report as reports
    from datasets.prepared import PreparedCorpus
    from faces.detectors import build_detector
    from pipeline.drivers import load_driver

    corpus = PreparedCorpus.open_folder(args.prepared)
    rows = choose_rows(corpus, args.split, args.speakers, args.clips)
    driver = load_driver(args.checkpoint, device=args.device, precision="fp32")
    detector = build_detector("mediapipe")
    try:
        report, panels, strips = experiments(args, rows, driver, detector, corpus)
        if args.end_to_end:
            report["end_to_end"] = end_to_end(args, report["own"][: args.end_to_end], detector)
    finally:
        detector.close()
    table = reports.markdown(report)
    reports.write_reports(report, table, args.out)
    if not args.no_pictures:
        reports.write_plot(panels, f"{args.out}_curves.png")
        reports.write_sheet(strips, f"{args.out}_sheet.png")
    print(table)
    print(f"written: {args.out}.json and .md")
    missed = [name for name, value in report["headline"].items() if reports.holds(name, value) is False]
    return EXIT_FAILED_JOB if missed else None


def experiments(args, rows, driver, detector, corpus):
    """The report, the panels of the plot, the strips of the contact sheet."""
    from tqdm import tqdm

    from benchmarks.held_out import measure
    from benchmarks.held_out.drive import Stage, count_lost
    from benchmarks.held_out.report import headline

    stage, rng = Stage(driver, detector, corpus, optimise=args.optimise_face), np.random.default_rng(args.seed)
    hush = not sys.stderr.isatty()
    clips = [stage.open(row) for row in tqdm(rows, "real clips", disable=hush)]
    own = [measure.measure_own(stage, clip) for clip in tqdm(clips, "own sound", disable=hush)]
    pairs = measure.choose_pairs(clips, args.pairs, rng)
    swapped = [measure.measure_swap(stage, *pair) for pair in tqdm(pairs, "swapped sound", disable=hush)]
    rest = [measure.measure_rest(stage, clip, rng) for clip in tqdm(clips, "no sound", disable=hush)]
    drawn = {one.figures["clip"]: one.driven.opening for one in own}
    swaps = measure.summarise_swaps([swap for swap, _ in swapped], clips, drawn, rng) if swapped else None
    lag = measure.pooled_lag([one.openings(clip) for one, clip in zip(own, clips, strict=True)])
    own_rows, rest_rows = [one.figures for one in own], [figures for figures, _ in rest]
    losses = {
        "real": count_lost([clip.real for clip in clips]),
        "own sound": count_lost([one.driven for one in own]),
        "swapped": count_lost([driven for _, driven in swapped]),
        "no sound": count_lost([one for _, footage in rest for one in footage.values()]),
    }
    protocol = {
        "checkpoint": driver.name,
        "sha256": driver.sha256,
        "split": args.split,
        "clips": len(clips),
        "speakers": sorted({clip.speaker for clip in clips}),
        "pairs_per_target": args.pairs,
        "seed": args.seed,
        "optimise_face": args.optimise_face,
        "detector": f"{detector.name} {detector.version}, on crops enlarged three times, generated and real alike",
    }
    report = {
        "protocol": protocol,
        "headline": headline(own_rows, swaps, rest_rows, lag),
        "speakers": by_speaker(own_rows),
        "own": own_rows,
        "swaps": swaps,
        "rest": rest_rows,
        "detector_losses": losses,
    }
    return report, *pictures(clips, own, swapped, rest)


def by_speaker(rows):
    """{speaker: figures of (a)}, in the order of the names."""
    from benchmarks.held_out.measure import quantiles
    from metrics.formulas.bootstrap import interval

    table = {}
    for speaker in sorted({row["speaker"] for row in rows}):
        mine = [row for row in rows if row["speaker"] == speaker]
        medians = {key: quantiles([row[key] for row in mine])["median"] for key in ("lmd_raw", "lmd_raw_copy", "lag")}
        found = [row["correlation"] for row in mine if row["correlation"] is not None and np.isfinite(row["correlation"])]
        mean = {"mean": float(np.mean(found)) if found else None, "mean_interval": interval(found)}
        table[speaker] = {"clips": len(mine), "correlation": quantiles([row["correlation"] for row in mine]) | mean, **medians}
    return table


def pictures(clips, own, swapped, rest):
    """Curves and strips of the worst, the median and the best clip of (a), and of one swap."""
    order = np.argsort([one.figures["correlation"] for one in own])
    panels, strips = [], []
    for name, at in (("worst", order[0]), ("median", order[len(order) // 2]), ("best", order[-1])):
        clip, one = clips[at], own[at]
        title = f"{clip.id}, {name} of {len(own)}: own sound, r = {one.figures['correlation']:.2f}"
        silence = rest[at][1]["silence"].opening
        panels.append((title, {"real": clip.real.opening, "generated": one.driven.opening, "on silence": silence}))
        strips += [(f"{clip.id} real", clip.real.crops), (f"{clip.id} generated ({name})", one.driven.crops)]
    for swap, driven in swapped[:1]:
        title = f"{swap.target.id} with the sound of {swap.audio.id}"
        curves = {"real mouth that is heard": swap.audio.real.opening, "generated": driven.opening}
        panels.append((title, {**curves, "real mouth of the target": swap.target.real.opening}))
        strips += [(f"{swap.audio.id} real", swap.audio.real.crops), (title, driven.crops)]
    return panels, strips


def end_to_end(args, rows, detector):
    """The first clips through inference.py and evaluate.py's comparison, beside the figures from crops."""
    from datasets.corpora import list_clips
    from metrics.compare import compare_videos

    paths = {clip.id: clip.path.resolve() for clip in list_clips("grid", args.root)}
    made = []
    for row in rows:
        if row["clip"] not in paths:
            raise InputError(f"{args.root}: has no clip {row['clip']}")
        clip = paths[row["clip"]]
        with tempfile.TemporaryDirectory() as folder:
            outfile = Path(folder) / "driven.mp4"
            command = [sys.executable, ROOT / "inference.py", "--face", clip, "--audio", clip, "--outfile", outfile]
            command += ["--no_cache", "--checkpoint_path", args.checkpoint.resolve(), "--device", args.device]
            command += ["--optimise_face"] * args.optimise_face
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
            if done.returncode:
                raise InputError(f"inference.py failed on {row['clip']}: {done.stderr.strip().splitlines()[-1:]}")
            figures = compare_videos(outfile, clip, detector).values
        made.append({
            "clip": row["clip"],
            "correlation": figures["mouth_correlation"], "correlation_crops": row["correlation"],
            "lmd_raw": figures["lmd_raw"], "lmd_raw_crops": row["lmd_raw"],
            "ssim_mouth": figures["ssim_mouth"], "ssim_mouth_crops": row["ssim_mouth"],
        })  # fmt: skip
    return made


if __name__ == "__main__":
    sys.exit(run(main))
