"""Two runs of one name: the second is told who is there; nothing that ended, however, is in the way."""

import errno
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest

import train as train_script
from common import folder_lock
from common.cli import run
from common.errors import InputError
from tests.conftest import ROOT
from tests.training_kit import ENVIRONMENT, launch_training
from training.storage.lock import RunLock
from training.storage.state import StorageError

HOLD = """
import os, sys, time
from training.storage.lock import RunLock
with RunLock(sys.argv[1]):
    child = os.fork() if sys.argv[2] == "forks" else None
    if child is None or child > 0:
        print("child", child, flush=True)
    time.sleep(60)
"""


@contextmanager
def held(folder, how="alone"):
    """A process that holds the lock of a folder until it is killed, and the words that it has said."""
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD, str(folder), how]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as holder:
        try:
            yield holder, holder.stdout.readline().split()
        finally:
            holder.kill()


def test_the_second_is_told_who_is_there(tmp_path):
    folder = tmp_path / "run"
    with held(folder) as (holder, _):
        with pytest.raises(InputError) as error:
            RunLock(folder).__enter__()
    told = f"{folder}: is in use by process {holder.pid} on {socket.gethostname()} since 2"
    assert str(error.value).startswith(told) and len(str(error.value).splitlines()) == 1
    with RunLock(folder):  # killed with -9: nothing to clear away
        assert json.loads((folder / "run.lock").read_text())["process"] == os.getpid()
        with pytest.raises(InputError, match=f"process {os.getpid()} "):
            RunLock(folder).__enter__()
    assert (folder / "run.lock").read_text() == ""


def enter_soon(folder, seconds=10):
    """Take the lock of a folder and let it go: a child that has just been forked may not have dropped its copy yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            with RunLock(folder):
                return
        except InputError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_children_that_outlive_a_killed_run_do_not_hold_its_lock(tmp_path):
    with held(tmp_path / "run", "forks") as (holder, said):
        child = int(said[1])
        try:
            holder.kill()
            holder.wait()
            os.kill(child, 0)  # it lives
            enter_soon(tmp_path / "run")
        finally:
            os.kill(child, signal.SIGKILL)


def test_what_a_lock_file_says_does_not_matter(tmp_path):
    for text in ("", "x", '{"process": 1}', '{"process": 1, "machine": "other", "since": "2020"}'):
        (tmp_path / "run.lock").write_text(text)
        with RunLock(tmp_path):
            (tmp_path / "run.lock").write_text(text)
            with pytest.raises(InputError, match="process"):
                RunLock(tmp_path).__enter__()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(InputError, match="train.runs"):
            RunLock(folder).__enter__()


def test_a_file_system_without_locks_is_said_and_not_in_the_way(tmp_path, monkeypatch):
    def refuse(code):
        def flock(*_):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(folder_lock.fcntl, "flock", flock)

    refuse(errno.ENOLCK)
    lines = []
    with RunLock(tmp_path, lines.append):
        assert len(lines) == 1 and "no locks" in lines[0] and "run.lock" in lines[0]
    refuse(errno.EIO)
    with pytest.raises(InputError, match="cannot be locked"):
        RunLock(tmp_path).__enter__()


@pytest.mark.slow
def test_all_processes_of_a_second_run_end_with_one_message(write_config, tmp_path):
    folder = tmp_path / "runs" / "try"
    path = write_config()
    with RunLock(folder), launch_training(path) as second:
        told = second.stdout.read()
        assert second.wait(100) == 1, told  # torchrun's own code
    assert f"{folder}: is in use by process {os.getpid()} on {socket.gethostname()} since" in told
    assert "going on" not in told and 'train.py", line' not in told  # the stack trace of torchrun names its own files


@pytest.mark.slow
def test_a_second_run_leaves_the_folder_of_the_first_alone(write_config, tmp_path, capsys):
    """The first has two processes, of which one holds the lock; after a kill -9 of that one its loader's worker may live on."""
    folder = tmp_path / "runs" / "try"
    path = write_config(train={"steps": 5000, "validate_every": 5000, "checkpoint_every": 1}, data={"workers": 1})
    with launch_training(path, start_new_session=True) as first:
        try:
            next(line for line in first.stdout if line.startswith("step 3 "))
            assert run(train_script.main, [str(path)]) == 2
            said, told = capsys.readouterr()
            holder = json.loads((folder / "run.lock").read_text())["process"]
            assert f"{folder}: is in use by process {holder} on {socket.gethostname()} since" in told
            assert holder != first.pid and "going on" not in said and len(told.splitlines()) == 1
            os.kill(holder, signal.SIGKILL)
            enter_soon(folder)
        finally:
            with suppress(ProcessLookupError):  # all have ended
                os.killpg(first.pid, signal.SIGKILL)
    steps = [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert len(set(steps)) == len(steps) >= 3


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), RuntimeError("failed\nmore"), RuntimeError()])
def test_a_full_disk_reaches_the_other_processes_as_what_it_is(error):
    """The first process sends it to the others, which must not end in a TypeError of pickle."""
    sent = StorageError("runs/a/checkpoint.pt", error)
    come = pickle.loads(pickle.dumps(sent))
    assert type(come) is StorageError and str(come) == str(sent) and come.args == sent.args
    assert str(sent).startswith("runs/a/checkpoint.pt: cannot be written (") and len(str(sent).splitlines()) == 1
