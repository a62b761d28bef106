"""Peak memory of inference.py: independent of the length of the video, and small for 1080p.

    python -m benchmarks.speed.memory [--checkpoint checkpoints/lipwarp.safetensors]

Each case is a process of its own, on the CPU, with faces detected anew; what counts is its largest resident set, as the
operating system tells it. The clips are made here. Cases: a short clip; one ten times as long; the long sound over the short
face, which is then played forth and back; a minute of 1080p. Writes OUT.json and OUT.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.process import measure_process, own_peak_mb
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError
from common.files import atomic_output, require_file

ROOT = Path(__file__).resolve().parents[2]
GROWTH_BAR, HD_BAR_MB = 1.10, 1500.0


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.memory", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--checkpoint", type=Path, default=ROOT / "checkpoints" / "lipwarp.safetensors", help="what draws (%(default)s)")
    add("--seconds", type=float, default=10.0, help="length of the short clip (%(default)s)")
    add("--times", type=float, default=10.0, help="how much longer the long one is (%(default)s)")
    add("--hd_seconds", type=float, default=60.0, help="length of the 1080p clip; 0 leaves it out (%(default)s)")
    add("--out", type=Path, default=Path("results/memory"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    if args.seconds < 1 or args.times <= 1 or args.hd_seconds < 0:
        raise InputError("--seconds must be 1 or more, --times more than 1, --hd_seconds 0 or more")
    return args


def main(argv):
    """Run the cases; exit code 1 when a bar is missed."""
    args = parse(argv)
    checkpoint = require_file(args.checkpoint, "checkpoint").resolve()
    long = args.seconds * args.times
    cases = {"short": (args.seconds, args.seconds, 512, 512), "long": (long, long, 512, 512)}
    cases["long sound, short face"] = (args.seconds, long, 512, 512)
    if args.hd_seconds:
        cases["1080p"] = (args.hd_seconds, args.hd_seconds, 1920, 1080)
    rows = {}
    for name, case in cases.items():
        rows[name] = measure(case, checkpoint)
        print(f"{name}: {rows[name]['peak_mb']:.0f} MB, {rows[name]['seconds']:.0f} s", file=sys.stderr)
    checks = {"long / short": (rows["long"]["peak_mb"] / rows["short"]["peak_mb"], GROWTH_BAR)}
    if "1080p" in rows:
        checks["1080p, MB"] = (rows["1080p"]["peak_mb"], HD_BAR_MB)
    report = {"cases": rows, "checks": {name: {"value": value, "bar": bar} for name, (value, bar) in checks.items()}}
    table = markdown(rows, checks)
    for suffix, text in ((".json", json.dumps(report, indent=1) + "\n"), (".md", table)):
        with atomic_output(f"{args.out}{suffix}") as path:
            path.write_text(text, encoding="utf-8")
    print(table)
    return None if all(value <= bar for value, bar in checks.values()) else EXIT_FAILED_JOB


def measure(case, checkpoint):
    """One case: {"video_seconds", "sound_seconds", "size", "peak_mb", "seconds"}."""
    video, sound, width, height = case
    with tempfile.TemporaryDirectory() as folder:
        make = f"from benchmarks.material import *; write_face_video('face.mp4', round({video} * FPS), {width}, {height}); "
        make += f"write_speech('speech.wav', {sound})"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-c", make], cwd=folder, env=environment, check=True, capture_output=True)
        command = [sys.executable, ROOT / "inference.py", "--face", "face.mp4", "--audio", "speech.wav", "--outfile", "out.mp4"]
        command += ["--no_cache", "--device", "cpu", "--checkpoint_path", checkpoint]
        peak, seconds = peak_of(command, folder)
    return {"video_seconds": video, "sound_seconds": sound, "size": f"{width}x{height}", "peak_mb": peak, "seconds": seconds}


def peak_of(command, folder):
    """(peak resident megabytes, wall seconds) of one process.

    A child starts with its parent's peak, so this process must stay smaller than what it measures; it is checked.
    """
    done = measure_process(command, folder=folder, what="inference.py")
    if own_peak_mb() >= done.peak_mb:
        raise InputError("this process is larger than the one it measures; run the benchmark on its own")
    return done.peak_mb, done.seconds


def markdown(rows, checks):
    """The table as Markdown."""
    lines = ["# Peak memory of inference.py, CPU", "", "| case | face | sound | size | peak | time |", "|" + "---|" * 6]
    for name, row in rows.items():
        face, sound = f"{row['video_seconds']:g} s", f"{row['sound_seconds']:g} s"
        lines.append(f"| {name} | {face} | {sound} | {row['size']} | {row['peak_mb']:.0f} MB | {row['seconds']:.0f} s |")
    lines += ["", "| check | value | bar | holds |", "|---|---|---|---|"]
    for name, (value, bar) in checks.items():
        lines.append(f"| {name} | {value:.2f} | <= {bar:g} | {'yes' if value <= bar else 'no'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(run(main))
