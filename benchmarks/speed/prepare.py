"""Speed and memory of prepare.py: how many times real time one core prepares, and what one worker takes.

    python -m benchmarks.speed.prepare --corpus_root GRID [--clips 40] [--workers 1,2] [--rounds 3]

Clips of 360x288 of a folder in GRID's layout are prepared without phones, from the start of the program to its end, loading
included; numbers of workers take turns. "By wall" is seconds of video over seconds of the clock, for each core in use; "by CPU"
is seconds of video over processor time of all processes, which says the same on an idle machine and still holds on a busy one.
Memory is sampled from /proc all the while: RSS counts pages that workers share in each of them, PSS counts its share.
Writes OUT.json and OUT.md; exit code 1 when a median misses its bar: 3 times real time per core by CPU, 400 MB of RSS a worker.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from benchmarks.material import busy_note, machine
from benchmarks.outputs import write_outputs
from common.cli import EXIT_FAILED_JOB, run
from common.errors import InputError
from datasets.corpora import list_clips
from datasets.prepared import read_manifest

ROOT = Path(__file__).resolve().parents[2]
SIZE = (360, 288)
FACTOR_BAR, MEMORY_BAR = 3.0, 400.0
SAMPLE_SECONDS = 0.05
COLUMNS = ("by_wall", "by_cpu", "rss", "pss")


def parse(argv):
    """Command line -> argparse.Namespace."""
    cores = os.cpu_count() or 1
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.prepare", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--corpus_root", type=Path, required=True, help="folder in GRID's layout: s1/video/*.mpg or *.mp4")
    add("--clips", type=int, default=40, help="so many clips, spread over the corpus (%(default)s)")
    add("--rounds", type=int, default=3, help="runs with each number of workers (%(default)s)")
    add("--workers", default=",".join(map(str, sorted({1, 2, cores}))), help="numbers of workers, by commas (%(default)s)")
    add("--out", type=Path, default=Path("results/prepare_speed"), help="name of the outputs, without suffix (%(default)s)")
    args = parser.parse_args(argv)
    try:
        args.workers = [int(word) for word in args.workers.split(",")]
    except ValueError as error:
        raise InputError(f"--workers {args.workers}: give whole numbers, separated by commas") from error
    if min(args.clips, args.rounds, *args.workers) < 1:
        raise InputError("--clips, --rounds and --workers must be 1 or more")
    if not Path("/proc/self/smaps_rollup").is_file():
        raise InputError("memory is sampled from /proc/PID/smaps_rollup, which this system does not have")
    return args


def main(argv):
    """Measure, print and write the table; exit code 1 when a bar is missed."""
    args = parse(argv)
    facts = machine()
    clips = choose(list_clips("grid", args.corpus_root), args.clips)
    runs = {workers: [] for workers in args.workers}
    for _ in range(args.rounds):
        for workers in args.workers:
            runs[workers].append(measure(clips, workers, facts["cores"]))
    table, missed = summary(runs)
    table = "\n".join([*table, "", f"{len(clips)} clips, {args.rounds} rounds: median (range). {busy_note(facts)}".rstrip()])
    write_outputs(args.out, {"machine": facts, "runs": runs}, table)
    print(table, *missed, sep="\n")
    return EXIT_FAILED_JOB if missed else None


def choose(clips, count):
    """`count` of the ClipSources, evenly spread, whose video is 360x288."""
    from media import probe

    clips = [clip for clip in clips if (info := probe(clip.path)) and (info.width, info.height) == SIZE]
    if len(clips) < count:
        raise InputError(f"--clips {count}: the corpus has {len(clips)} clips of 360x288")
    return [clips[at * len(clips) // count] for at in range(count)]


def measure(clips, workers, cores):
    """One run of prepare.py.

    Returns:
        dict: `video` seconds, `wall` and `cpu` seconds; `by_wall` and `by_cpu`, times real time per core; `rss` and `pss`, peak
        megabytes of the largest worker; `main_rss` of the process that they serve.
    """
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "root", Path(folder) / "out"
        for clip in clips:
            link = root / clip.speaker / "video" / clip.path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(clip.path.resolve())
        command = [sys.executable, str(ROOT / "prepare.py"), "--corpus", "grid", "--root", str(root), "--out", str(out),
                   "--align", "none", "--workers", str(workers)]  # fmt: skip
        began = time.perf_counter()
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        sampler = Sampler(child.pid)
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.terminate()
            raise
        finally:
            sampler.stop()
        wall, child.returncode = time.perf_counter() - began, os.waitstatus_to_exitcode(status)
        rows = read_manifest(out)
        video = sum(row.seconds for row in rows.values())
        if child.returncode or not video:
            raise InputError(f"prepare.py ended with code {child.returncode}: {[row.error for row in rows.values()][:1]}")
    cpu = usage.ru_utime + usage.ru_stime
    return {
        "video": video, "wall": wall, "cpu": cpu, "by_wall": video / wall / min(workers, cores), "by_cpu": video / cpu,
        "rss": max(rss for rss, _ in sampler.workers.values()), "pss": max(pss for _, pss in sampler.workers.values()),
        "main_rss": sampler.main_rss,
    }  # fmt: skip


class Sampler:
    """Peak memory of a run of prepare.py and its workers, in megabytes, looked at from a thread.

    Attributes:
        workers: {process number: [RSS, PSS]}; main_rss: of the process itself.
    """

    def __init__(self, pid):
        self.workers, self.main_rss = {}, 0.0
        self._pid, self._ended = pid, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self):
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _watch(self):
        while not self._ended.wait(SAMPLE_SECONDS):
            self.main_rss = max(self.main_rss, memory(self._pid)[0])
            for pid in workers_of(self._pid):
                peak = self.workers.setdefault(pid, [0.0, 0.0])
                peak[:] = map(max, peak, memory(pid))


def workers_of(pid):
    """Numbers of the worker processes that a process has started."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and "spawn_main" in (folder / "cmdline").read_text():
                found.append(int(folder.name))
        except (OSError, ValueError):  # it has ended meanwhile
            continue
    return found


def memory(pid):
    """(RSS, PSS) of a process in megabytes; zeros when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    return sizes["Rss"] * 1024 / 1e6, sizes["Pss"] * 1024 / 1e6


def summary(runs):
    """(lines of the table, sentences on missed bars) of {workers: list of what `measure` returns}."""
    heads = ("workers", "times real time per core, by wall", "by CPU", "RSS of a worker, MB", "PSS, MB")
    lines, missed = [f"| {' | '.join(heads)} |", "|---|---|---|---|---|"], []
    for workers, rounds in runs.items():
        values = {name: [one[name] for one in rounds] for name in COLUMNS}
        digits = {"rss": 0, "pss": 0}
        cells = [f"{median(v):.{(d := digits.get(n, 1))}f} ({min(v):.{d}f}-{max(v):.{d}f})" for n, v in values.items()]
        lines.append(f"| {workers} | {' | '.join(cells)} |")
        if median(values["by_cpu"]) < FACTOR_BAR:
            missed.append(f"{workers} workers: below {FACTOR_BAR:g} times real time per core")
        if median(values["rss"]) > MEMORY_BAR:
            missed.append(f"{workers} workers: above {MEMORY_BAR:g} MB a worker")
    return lines, missed


if __name__ == "__main__":
    sys.exit(run(main))
