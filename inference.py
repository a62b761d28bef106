"""Talking video from a face and speech: python inference.py --face x.mp4 --audio y.wav"""

import logging
import signal
import sys
from pathlib import Path

from common.cli import EXIT_FAILED_JOB, one_line, run
from pipeline.jobs.arguments import DEFAULT_OUTFILE, parse
from pipeline.jobs.folders import has_folder, pair_folders
from pipeline.jobs.rows import Row, run_rows
from pipeline.jobs.table import read_jobs

DEFAULT_CHECKPOINT = Path(__file__).resolve().parent / "checkpoints" / "lipwarp.safetensors"


def main(argv):
    """Run what the arguments ask for; returns the exit code."""
    args = parse(argv, __doc__)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    jobs = None
    if args.jobs:
        jobs = read_jobs(args.jobs)
    elif has_folder(args.face, args.audio):
        jobs = pair_folders(args.face, args.audio, args.outfile, drive=args.drive, pose=args.pose)
    from pipeline.jobs.runner import JobRunner

    runner = JobRunner(args, args.checkpoint_path or DEFAULT_CHECKPOINT, keep=jobs.keep if jobs else ())
    outfile = args.outfile or DEFAULT_OUTFILE
    if jobs is not None:
        return _run_all(runner, jobs)
    if args.preview:
        print(runner.preview(args.face, outfile))
    else:
        print(_summary(runner.run(runner.look(Row(1, args.face, args.audio, outfile, args.drive, args.pose)))))
    return None


def _run_all(runner, jobs):
    """Look at all jobs, then do those that can be done; the exit code is 1 when one failed, with a line for each at the end."""
    for note in jobs.notes:
        print(f"note: {one_line(note)}", file=sys.stderr)
    ready, failed = runner.look_at_all(jobs)
    for one in failed:
        print(one_line(f"{one.label}: cannot be done: {one.message}"), file=sys.stderr, flush=True)
    if ready:
        runner.driver()  # a bad checkpoint is no job's fault
    failed += run_rows(ready, runner.run, lambda report: print(_summary(report), flush=True))
    for one in sorted(failed):
        print(one_line(f"{one.label}: failed: {one.message}"), file=sys.stderr)
    print(f"{jobs.source}: {len(jobs) - len(failed)} of {len(jobs)} jobs done")
    return EXIT_FAILED_JOB if failed else None


def _summary(report):
    """One line on a finished job."""
    from pipeline.playback.timeline import ranges

    speed = report.frames / max(report.elapsed, 1e-9)
    quiet = report.faceless or report.left_out or report.covered
    faceless = "" if quiet else "; a face in every frame"
    become = "left as they are" if report.output == "frame" else "black in the result"
    if report.faceless:
        faceless += f"; no face in {len(report.faceless)} frames of the face video, {become}: {ranges(report.faceless)}"
    if report.left_out:
        faceless += f"; not drawn in {len(report.left_out)} frames, {become}, for {report.why}: {ranges(report.left_out)}"
    if report.covered:
        what = "left as they are (--covered draw draws them)" if report.kept else "drawn all the same"
        faceless += f"; the mouth is covered in {len(report.covered)} frames, {what}: {ranges(report.covered)}"
    return (
        f"{report.outfile}: {report.frames} frames, {report.video_seconds:.2f} s of video in {report.elapsed:.1f} s "
        f"({speed:.1f} frames/s){faceless}"
    )


def _interrupt(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)  # clean up as after Ctrl-C
    sys.exit(run(main))
