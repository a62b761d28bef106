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
    """Look at all jobs, then do those that can start; the exit code is 1 when one is not done.

    A job that cannot start is named at once, one that failed at the end; the last line counts both.
    """
    for note in jobs.notes:
        print(f"note: {one_line(note)}", file=sys.stderr)
    ready, unready = runner.look_at_all(jobs)
    for one in unready:
        print(one_line(f"{one.label}: cannot start: {one.message}"), file=sys.stderr, flush=True)
    if ready:
        runner.driver()  # a bad checkpoint is no job's fault
    failed = run_rows(ready, runner.run, lambda report: print(_summary(report), flush=True))
    for one in sorted(failed):
        print(one_line(f"{one.label}: failed: {one.message}"), file=sys.stderr)
    counts = "".join(f"; {len(some)} {what}" for some, what in ((unready, "could not start"), (failed, "failed")) if some)
    print(f"{jobs.source}: {len(jobs) - len(unready) - len(failed)} of {_counted(jobs, 'job')} done{counts}")
    return EXIT_FAILED_JOB if unready or failed else None


def _counted(things, noun):
    """How many things there are, with their noun: "1 frame", "2 frames"."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _summary(report):
    """One line on a finished job."""
    from pipeline.playback.timeline import ranges

    speed = report.frames / max(report.elapsed, 1e-9)
    remarks = "" if report.faceless or report.left_out or report.covered else "; a face in every frame"
    become = "left as they are" if report.output == "frame" else "black in the result"
    if report.faceless:
        remarks += f"; no face in {_counted(report.faceless, 'frame')} of the face video, {become}: {ranges(report.faceless)}"
    if report.left_out:
        where = ranges(report.left_out)
        remarks += f"; not drawn in {_counted(report.left_out, 'frame')}, {become}, because {report.why}: {where}"
    if report.covered:
        what = "left as they are (--covered draw draws them)" if report.kept else "drawn nevertheless"
        remarks += f"; the mouth is covered in {_counted(report.covered, 'frame')}, {what}: {ranges(report.covered)}"
    return (
        f"{report.outfile}: {_counted(range(report.frames), 'frame')}, {report.video_seconds:.2f} s of video in "
        f"{report.elapsed:.1f} s ({speed:.1f} frames/s){remarks}"
    )


def _interrupt(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)  # clean up as after Ctrl-C
    sys.exit(run(main))
