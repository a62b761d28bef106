"""Programs in processes of their own that start in no time: a server that has imported the heavy packages forks them.

A program that imports torch takes seconds of a core before its first line.
"""

import multiprocessing
import os
import runpy
import signal
import socket
import sys
import time
from contextlib import suppress
from multiprocessing import connection, forkserver, reduction
from pathlib import Path
from unittest import mock

from tests.conftest import ROOT

CONTEXT = multiprocessing.get_context("forkserver")
PRELOADED = ["torch.distributed", "accelerate", "training.run", "training.loop", "training.validation",
             "training.storage.store", "training.forecast.dry_run", "mediapipe", "faces.detectors.mesh", "faces.crops",
             "faces.tracking.track", "media", "speech.mel", "speech.mfcc", "datasets.preparing.clips",
             "tests.forks_kit"]  # fmt: skip


def start_server():
    """Start the server, where there is none yet; its processes have one thread. What packages say as they load is lost."""
    kept = [os.dup(number) for number in (1, 2)]
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in (1, 2):
            os.dup2(null, number)
        with mock.patch.dict(os.environ, {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}):
            CONTEXT.set_forkserver_preload(PRELOADED)
            forkserver.ensure_running()
    finally:
        for number, copy in enumerate(kept, 1):
            os.dup2(copy, number)
        for copy in (*kept, null):
            os.close(copy)


class Spawning:
    """Stands for multiprocessing.get_context("spawn"): a process has the environment and the outputs of its parent."""

    Pipe = CONTEXT.Pipe

    def __init__(self):
        start_server()

    @staticmethod
    def Process(target, args, daemon):
        """multiprocessing.Process."""
        return CONTEXT.Process(target=_as_spawned, args=(_Surroundings(), target, args), daemon=daemon)


class _Surroundings:
    """What a process inherits, as it is when the process is started."""

    def __reduce__(self):
        return tuple, ((dict(os.environ), *map(reduction.DupFd, (1, 2))),)


def _as_spawned(surroundings, target, arguments):
    environment, *outputs = surroundings
    os.environ.clear()
    os.environ.update(environment)
    copies = [output.detach() for output in outputs]
    _speak_to(*copies)
    for copy in copies:
        os.close(copy)
    target(*arguments)


def _speak_to(*outputs):
    """Lay outputs and errors on these descriptors; the streams of the server do not know what kind of file these are."""
    for number, output in enumerate(outputs, 1):
        os.dup2(output, number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115


class Program:
    """A script in a process of its own, with those methods of subprocess.Popen that tests use.

    Args:
        script: .py file, which runs as `__main__`; arguments: list of str.
        environment: dict of str, laid over the usual one; session: whether it leads a session of its own.
        first: a function of a module that the process calls before the script, or None.

    Attributes:
        pid: its number; stdout: text file of what it says, errors too.
    """

    def __init__(self, script, arguments=(), environment=None, session=False, first=None):
        reader, writer = CONTEXT.Pipe(duplex=False)
        given = (str(script), [str(one) for one in arguments], environment or {}, session, first, writer)
        start_server()
        self._process = CONTEXT.Process(target=_work, args=given)
        self._process.start()
        writer.close()
        self.pid, self.stdout = self._process.pid, os.fdopen(os.dup(reader.fileno()), encoding="utf-8", errors="replace")
        reader.close()

    def send_signal(self, number):
        """Send it a signal, unless it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    @property
    def ended(self):
        """What multiprocessing.connection.wait waits for until it has ended."""
        return self._process.sentinel

    @property
    def code(self):
        """Its exit code, negative where a signal ended it; None while it goes on."""
        return self._process.exitcode

    def wait(self, seconds=None):
        """Its exit code once it has ended; TimeoutError where it goes on for longer."""
        self._process.join(seconds)
        if self.code is None:
            raise TimeoutError(f"process {self.pid} goes on after {seconds} s")
        return self.code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stdout.close()
        self._process.join()


def _work(script, arguments, environment, session, first, writer):
    """What the process does."""
    _speak_to(writer.fileno(), writer.fileno())
    writer.close()
    if session:
        os.setsid()
    if first is not None:
        first()
    os.environ.update(environment)
    os.chdir(ROOT)
    sys.argv = [script, *arguments]
    sys.path[0:0] = [str(Path(script).parent)]
    runpy.run_path(script, run_name="__main__")


def run_ranks(script, *arguments, size=2, seconds=200):
    """Run a script in `size` processes of one group, as torchrun starts them; all must end well. What all of them say."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": str(size),
                 "LOCAL_WORLD_SIZE": str(size), "CUDA_VISIBLE_DEVICES": ""}  # fmt: skip
    ranks = [Program(script, arguments, {**group, "RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in range(size)]
    end, going = time.monotonic() + seconds, list(ranks)
    while going and connection.wait([rank.ended for rank in going], end - time.monotonic()):
        going = [rank for rank in going if rank.code is None]
        if any(rank.code for rank in ranks):
            break  # the others would wait for it
    for rank in going:
        rank.send_signal(signal.SIGKILL)
    said = "\n".join(rank.stdout.read() for rank in ranks)
    assert [rank.wait() for rank in ranks] == [0] * size, said
    return said
