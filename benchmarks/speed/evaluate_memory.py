"""Peak memory of evaluate.py: independent of the number of videos.

    python -m benchmarks.speed.evaluate_memory [--videos 4] [--times 6]

The clips are made here: the moving portrait with the sample speech, 3 s each, every one with other pictures. One process
measures few of them, one many; what counts is its largest resident set. Writes OUT.json and OUT.md; exit code 1 above the bar.
"""

import argparse
import subprocess
import sys
import tempfile
from fractions import Fraction
from itertools import islice
from pathlib import Path

from benchmarks.outputs import write_outputs
from benchmarks.speed.memory import peak_of
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
GROWTH_BAR, FRAMES, SIDE = 1.10, 75, 256


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.evaluate_memory", description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--videos", type=int, default=4, help="few videos (%(default)s)")
    add("--times", type=int, default=6, help="how many times as many are many (%(default)s)")
    add("--out", type=Path, default=Path("results/evaluate_memory"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if args.videos < 1 or args.times < 2:
        raise InputError("--videos must be 1 or more, --times 2 or more")
    return args


def main(argv):
    """Measure both; exit code 1 when the many need more than the bar."""
    args = parse(argv)
    rows = {count: measure(count) for count in (args.videos, args.videos * args.times)}
    growth = rows[args.videos * args.times]["peak_mb"] / rows[args.videos]["peak_mb"]
    lines = ["| videos | peak MB | seconds |", "|---|---|---|"]
    lines += [f"| {count} | {row['peak_mb']:.0f} | {row['seconds']:.0f} |" for count, row in rows.items()]
    table = "\n".join([*lines, "", f"{growth:.2f} times as much (bar {GROWTH_BAR})"])
    write_outputs(args.out, {"videos": rows, "growth": growth}, table)
    print(table)
    return None if growth <= GROWTH_BAR else EXIT_FAILED_JOB


def measure(count):
    """{"peak_mb", "seconds"} of evaluate.py over `count` videos."""
    with tempfile.TemporaryDirectory() as folder:
        make = f"from benchmarks.speed.evaluate_memory import make_clips; make_clips({folder!r}, {count})"
        subprocess.run([sys.executable, "-c", make], cwd=ROOT, check=True, capture_output=True)
        place = Path(folder)
        command = [sys.executable, ROOT / "evaluate.py", "--generated", place / "made", "--real", place / "real", "--out",
                   place / "table", "--device", "cpu"]
        peak, seconds = peak_of(command, ROOT)
    return {"peak_mb": peak, "seconds": seconds}


def make_clips(folder, count):
    """Write folders `real` and `made` of `count` clips with sound: the portrait from other moments on, the second blurred."""
    from benchmarks.material import face_frames, write_speech
    from media import VideoWriter, decode_audio

    place = Path(folder)
    samples, rate = decode_audio(write_speech(place / "speech.wav", FRAMES / 25))
    for name, crf in (("real", 18), ("made", 32)):
        (place / name).mkdir()
        for at in range(count):
            frames = islice(face_frames(FRAMES + at, SIDE, SIDE), at, None)
            options = {"width": SIDE, "height": SIDE, "fps": Fraction(25), "audio": samples, "sample_rate": rate, "crf": crf}
            with VideoWriter(place / name / f"clip{at:03d}.mp4", **options) as writer:
                for frame in frames:
                    writer.write(frame)


if __name__ == "__main__":
    sys.exit(run(main))
