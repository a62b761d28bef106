"""Jobs in processes: one that crashes, hangs or fails, none of which the others notice; and the way a run ends."""

import ctypes
import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.speed.prepare import FACTOR_BAR, MEMORY_BAR, Sampler, summary
from common.errors import InputError
from datasets.prepared import ClipRow, read_manifest
from datasets.workers.jobs import Workers, results, write_rows
from datasets.workers.pool import Task
from tests.conftest import ROOT

pytestmark = pytest.mark.usefixtures("spawned_workers")
_ready = None


def start(word):
    global _ready
    _ready = word
    if word == "refuse":
        raise InputError("no such detector; install it")
    if word == "die":
        os._exit(3)
    if word == "fault":
        raise KeyError("a fault of ours")


def work(job):
    """Does what the job says, and answers with what it was made ready with."""
    deeds = {
        "segfault": lambda: ctypes.string_at(0),
        "exit": lambda: os._exit(9),
        "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "hang": lambda: time.sleep(600),
        "fault": lambda: [][1],
        "memory": lambda: bytearray(1 << 60),
        "disk": lambda: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")),
        "mistake": lambda: (_ for _ in ()).throw(InputError("x.mp4: wrong")),
        "threads": threads,
        "pid": os.getpid,
    }
    made = deeds.get(job.split()[0], lambda: None)()
    return f"{job}: {_ready if made is None else made}"


def threads():
    import cv2

    return f"{cv2.getNumThreads()} {os.environ['OMP_NUM_THREADS']}"


def lost(job, reason):
    return f"{job}: lost, it {reason}"


def done(jobs, count=2, word="ready", time_limit=None, **options):
    task = Task(work, lost, start, (word,), **options)
    return sorted(results(task, jobs, Workers(count, time_limit=time_limit)))


@pytest.mark.parametrize("count", [1, 2])
def test_a_job_that_kills_its_process_is_lost_alone(count):
    jobs = ["1 good", "segfault", "exit", "2 good", "kill", "3 good"]
    assert done(jobs, count) == [
        "1 good: ready",
        "2 good: ready",
        "3 good: ready",
        "exit: lost, it crashed (exit code 9)",
        "kill: lost, it was killed (signal 9), as a system out of memory does",
        "segfault: lost, it crashed (signal 11)",
    ]


def test_a_fault_costs_one_job_and_is_told(capfd):
    found = done(["fault", "good", "memory"])
    assert found[0] == "fault: lost, it failed (IndexError: list index out of range)" and found[1] == "good: ready"
    assert found[2].startswith("memory: lost, it failed (MemoryError")
    assert "line" in (told := capfd.readouterr().err) and "IndexError" in told


def test_a_job_that_takes_too_long_is_given_up():
    began = time.monotonic()
    limits = {"hang": 1.5, "good": 0}
    assert done(["hang", "good"], limit=limits.get) == ["good: ready", "hang: lost, it took longer than 1.5 s"]
    assert done(["hang"], 1, time_limit=0.5, limit=limits.get) == ["hang: lost, it took longer than 0.5 s"]
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("jobs", "word", "message"),
    [
        (["good", "mistake"], "ready", "x.mp4: wrong"),
        (["good", "disk"], "ready", "No space left on device; mend it"),
        (["good"], "refuse", "no such detector; install it"),
        (["good"], "die", "workers cannot start: the last one crashed"),
        (["good"], "fault", "workers cannot start: KeyError"),
    ],
)
def test_what_ends_the_run(jobs, word, message):
    with pytest.raises(InputError, match=message):
        done(jobs, 2, word)


def test_libraries_in_a_process_share_the_cores(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert done(["threads"] * 2, 2) == ["threads: 2 2"] * 2
    assert done(["threads"] * 2, 64) == ["threads: 1 1"] * 2
    assert "OMP_NUM_THREADS" not in os.environ


def test_processes_are_used_again_and_no_more_than_there_are_jobs():
    assert len(set(done(["pid"] * 5, 1))) == 1
    assert done([], 4) == []
    assert f"pid: {os.getpid()}" not in done(["pid"], 1)
    assert done(["pid"], 1, trusted=True) == [f"pid: {os.getpid()}"]


def make_row(job):
    work(job)
    return ClipRow(job, "s1", "train"), ""


def lost_row(job, reason):
    return ClipRow(job, "s1", "train", error=f"the decoder {reason}"), reason


def test_rows_of_lost_jobs_stand_in_the_manifest(tmp_path):
    rows = write_rows(tmp_path, Task(make_row, lost_row), ["a", "segfault", "b"], 1)
    assert {row.id: row.error for row in rows} == {"a": "", "b": "", "segfault": "the decoder crashed (signal 11)"}
    assert {name: row.error for name, row in read_manifest(tmp_path).items()} == {row.id: row.error for row in rows}


LONG_RUN = """
import sys
from datasets.workers.pool import Task
from datasets.workers.jobs import results
from tests.test_prepare_work import lost, note_and_wait
if __name__ == "__main__":
    print("running", flush=True)
    list(results(Task(note_and_wait, lost), [sys.argv[1] + "/" + name for name in "abcd"], 2))
"""


def note_and_wait(path):
    """Leave the process's number in a file; the one of a half-written output is gone when the process ends in order."""
    half = f"{path}.half"
    try:
        with open(half, "w") as file:
            file.write("half")
        with open(f"{path}.tmp", "w") as file:
            file.write(str(os.getpid()))
        os.rename(f"{path}.tmp", path)
        time.sleep(600)
    finally:
        os.remove(half)


def alive(pid):
    """Whether a process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes under /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_run(tmp_path, how):
    (tmp_path / "run.py").write_text(LONG_RUN)
    command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path)]
    run = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, start_new_session=True)
    try:
        until = time.monotonic() + 60
        while len(list(tmp_path.glob("[a-d]"))) < 2:
            assert time.monotonic() < until and run.poll() is None
            time.sleep(0.05)
        pids = [int(path.read_text()) for path in tmp_path.glob("[a-d]")]
        assert all(map(alive, pids))
        if how == signal.SIGINT:
            os.killpg(run.pid, how)  # as a terminal does it
        else:
            run.kill()
        run.wait(30)
        while any(map(alive, pids)):
            assert time.monotonic() < until
            time.sleep(0.05)
        told = run.stderr.read().decode()
        assert told.count("Traceback") <= 1, told  # of the run itself, whose script does not catch it
        assert not list(tmp_path.glob("*.half"))
    finally:
        run.kill()
        run.wait()
        run.stderr.close()


@pytest.mark.skipif(not os.path.isfile("/proc/self/smaps_rollup"), reason="the benchmark samples /proc/PID/smaps_rollup")
def test_the_benchmark_sees_the_memory_of_each_worker():
    sampler = Sampler(os.getpid())
    try:
        pids = {int(one.split()[1]) for one in results(Task(large, lost), ["a", "b"], 2)}
    finally:
        sampler.stop()
    assert pids <= set(sampler.workers)
    for pid in pids:
        rss, pss = sampler.workers[pid]
        assert rss > 80 and 80 < pss <= rss


def large(job):
    block = b"x" * 80_000_000
    time.sleep(1)
    return f"{job}: {os.getpid()} {len(block)}"


def test_the_benchmarks_table_and_bars():
    good = {"by_wall": 5.0, "by_cpu": FACTOR_BAR + 1, "rss": MEMORY_BAR - 100, "pss": 200.0}
    lines, missed = summary({1: [good, good | {"by_wall": 9.0}, good | {"by_wall": 1.0, "rss": 900.0}]})
    assert lines[-1] == "| 1 | 5.0 (1.0-9.0) | 4.0 (4.0-4.0) | 300 (300-900) | 200 (200-200) |" and not missed
    slow, fat = good | {"by_cpu": FACTOR_BAR - 0.1}, good | {"rss": MEMORY_BAR + 1}
    assert summary({1: [slow] * 3, 2: [fat] * 3})[1] == [
        "1 workers: below 3 times real time per core",
        "2 workers: above 400 MB a worker",
    ]
