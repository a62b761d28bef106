"""Can the generator read the mouth of the target from anything but the sound? Behaviour of a checkpoint with a spatial input.

    python -m benchmarks.held_out.leak --checkpoint runs/spatial/last.safetensors --control checkpoints/demo.safetensors \
        --prepared prepared/grid --split test --clips 12

Three questions, on clips that training never saw: (1) the bits of the drawn faces when the target's mouth is replaced by noise,
which must not change; (2) another clip's sound: the partial correlation of the drawn mouth with the target's own, the heard
clip's regressed out; (3) silence: the spread of the drawn mouth. (2) and (3) as in benchmarks.held_out, on the same pairs
for both checkpoints; own sound is there for comparison. Exit code 1 when a bit changes or (2) is beyond its bar.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from common.cli import EXIT_FAILED_JOB, run
from common.files import atomic_output

BAR = 0.15  # of the size of the pooled partial correlation, as in benchmarks.held_out


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.held_out.leak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--checkpoint", required=True, type=Path, help="generator with spatial_input")
    add("--control", type=Path, help="generator without it, measured alike")
    add("--prepared", required=True, type=Path, help="folder that prepare.py wrote")
    add("--split", default="test", choices=("val", "test", "unseen"), help="which clips (%(default)s)")
    add("--clips", type=int, default=12, help="at most so many clips, spread over the split (%(default)s)")
    add("--pairs", type=int, default=2, help="sounds for each target (%(default)s)")
    add("--out", type=Path, default=Path("results/leak.json"), help="JSON to write (%(default)s)")
    add("--seed", type=int, default=0, help="decides pairs and noise (%(default)s)")
    add("--device", default="cpu", help="where the generator runs (%(default)s)")
    return parser.parse_args(argv)


def main(argv):
    """Measure both checkpoints; print and write the figures."""
    args = parse(argv)
    from benchmarks.held_out.__main__ import choose_rows
    from datasets.prepared import PreparedCorpus
    from faces.detectors import build_detector
    from pipeline.drivers import load_driver

    corpus = PreparedCorpus.open_folder(args.prepared)
    rows = choose_rows(corpus, args.split, None, args.clips)
    detector, table = build_detector("mediapipe"), {}
    try:
        for name, path in (("checkpoint", args.checkpoint), ("control", args.control)):
            if path is not None:
                driver = load_driver(path, device=args.device, precision="fp32")
                has_input = driver.generator.wants_modules
                table[name] = {"file": driver.name, "sha256": driver.sha256, "spatial_input": has_input}
                table[name] |= measure(driver, detector, corpus, rows, args.pairs, args.seed)
    finally:
        detector.close()
    with atomic_output(args.out) as temporary:
        temporary.write_text(json.dumps({"split": args.split, "clips": len(rows), "seed": args.seed, **table}, indent=1) + "\n")
    print(as_text(table))
    print(f"written: {args.out}")
    failed = table["checkpoint"]["bytes_changed"] > 0 or not abs(table["checkpoint"]["partial"]) <= BAR
    return EXIT_FAILED_JOB if failed else None


def measure(driver, detector, corpus, rows, pairs, seed):
    """Figures of one generator."""
    from tqdm import tqdm

    from benchmarks.held_out import measure as held_out
    from benchmarks.held_out.drive import Stage

    stage, rng, hush = Stage(driver, detector, corpus), np.random.default_rng(seed), not sys.stderr.isatty()
    clips = [stage.open(row) for row in tqdm(rows, "real clips", disable=hush)]
    chosen = held_out.choose_pairs(clips, pairs, rng)
    own = [held_out.measure_own(stage, clip) for clip in tqdm(clips, "own sound", disable=hush)]
    swaps = [held_out.measure_swap(stage, *pair)[0] for pair in tqdm(chosen, "swapped sound", disable=hush)]
    rest = [held_out.measure_rest(stage, clip, rng)[0] for clip in tqdm(clips, "no sound", disable=hush)]
    drawn = {one.figures["clip"]: one.driven.opening for one in own}
    summary = held_out.summarise_swaps(swaps, clips, drawn, rng)
    return {
        "bytes_changed": sum(bytes_changed(driver.generator, clip, seed) for clip in clips),
        "partial": summary["partial"]["pooled"],
        "unrelated": summary["null"]["pooled"]["median"],
        "follows": summary["follows"]["pooled"],
        "silence_spread": held_out.quantiles([row["silence_spread"] for row in rest])["median"],
        "silence_level": held_out.quantiles([row["silence_level"] for row in rest])["median"],
        "correlation": held_out.quantiles([one.figures["correlation"] for one in own])["median"],
        "sharpness": held_out.quantiles([one.figures["sharpness"] for one in own])["median"],
        "ssim_mouth": held_out.quantiles([one.figures["ssim_mouth"] for one in own])["median"],
    }


def bytes_changed(generator, clip, seed, frames=8):
    """Bytes of the drawn faces that change when the target's masked part is replaced by noise; 0 unless something leaks."""
    from speech.windows import mel_windows

    chosen = np.flatnonzero(clip.away)[:: max(1, int(clip.away.sum()) // frames)][:frames]
    faces, reference = clip.real.crops[chosen], clip.real.crops[clip.reference][None]
    mels = mel_windows(clip.mel, chosen, clip.fps, mode=generator.data["audio_window"])
    other, top = faces.copy(), generator.mask_row
    other[:, top:] = np.random.default_rng(seed).integers(0, 256, other[:, top:].shape)
    return int((generator(mels, faces, reference) != generator(mels, other, reference)).sum())


def as_text(table):
    """Lines of figures, one checkpoint a column."""
    names = [name for name in table["checkpoint"] if name != "sha256"]
    lines = [f"{name:16}" + "".join(f"{_word(column[name]):>24}" for column in table.values()) for name in names]
    return "\n".join([f"{'':16}" + "".join(f"{name:>24}" for name in table), *lines])


def _word(value):
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(run(main))
