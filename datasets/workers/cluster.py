"""A pool of Ray actors: the jobs of prepare.py on the machines of a cluster.

The jobs name files, so the corpus, the prepared folder and this checkout lie at the same paths on all machines, on a shared
folder. Clip files are written by the actors; the manifest is written by the process that asks, and by no one else.
"""

import os
import socket
from contextlib import contextmanager
from importlib import import_module

from common.errors import InputError
from datasets.workers.jobs import Workers
from datasets.workers.pool import DEAD, DONE, READY, REFUSED, attempt

KNOCK_SECONDS = 10
INSTALL = "pip install 'ray==2.60.0'"


@contextmanager
def ray_workers(address, count=None, time_limit=None):
    """Yield datasets.workers.jobs.Workers whose pool are Ray actors, one CPU of the cluster each; afterwards Ray is left again.

    Args:
        address: "auto" takes the cluster that runs on this machine, else one that is started here for the time being; "local"
            starts one in any case; else the address of a cluster, host:port.
        count: actors at the same time; None: one for each CPU of the cluster.
        time_limit: see Workers.

    Raises:
        InputError: Ray is not installed, or there is no cluster at the address.
    """
    ray = _ray()
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, address, count)
    try:
        cpus = int(ray.cluster_resources().get("CPU", 0))
        if not cpus:
            raise InputError(f"--ray {address}: the cluster has no CPU to give")
        yield Workers(count or cpus, Actors, time_limit)
    finally:
        if ours:
            ray.shutdown()


def _ray():
    try:
        return import_module("ray")
    except ImportError as error:
        raise InputError(f"--ray needs Ray, which is not installed; run  {INSTALL}") from error


def _connect(ray, address, count):
    options = {"log_to_driver": False, "logging_level": "ERROR"}
    if address != "local":
        try:
            _knock(address)
            ray.init(address, **options)
            return
        except (ConnectionError, ValueError, RuntimeError, ImportError, OSError) as error:
            if address != "auto":
                raise InputError(f"--ray {address}: no cluster there ({' '.join(str(error).split())[:200]})") from error
    ray.init("local", num_cpus=count or os.cpu_count(), include_dashboard=False, **options)


def _knock(address):
    """OSError when nobody listens at host:port, which Ray itself would wait for, for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()


class Actors:
    """See `datasets.workers.pool.Pool`. The machine of an actor may be at fault as well as its job: a job is begun twice.

    Args:
        task: datasets.workers.pool.Task.
    """

    tries = 2

    def __init__(self, task):
        self._ray, self._task = _ray(), task
        self._class = self._ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Actor)
        self._answers, self._workers = {}, {}  # reference -> worker it comes from, worker -> actor

    def add_worker(self):
        worker, task = object(), self._task
        self._workers[worker] = actor = self._class.remote()
        self._answers[actor.begin.remote(task.work, task.start, task.arguments)] = worker

    def assign(self, worker, job):
        self._answers[self._workers[worker].do.remote(job)] = worker

    def wait(self, timeout):
        done, _ = self._ray.wait(list(self._answers), num_returns=1, timeout=timeout)
        return [(self._answers.pop(one), *self._answer(one)) for one in done]

    def release(self, worker, *, now=False):
        self._answers = {reference: other for reference, other in self._answers.items() if other is not worker}
        self._ray.kill(self._workers.pop(worker), no_restart=True)

    def close(self):
        for worker in list(self._workers):
            self.release(worker)

    def _answer(self, reference):
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except (errors.RayActorError, errors.WorkerCrashedError, errors.NodeDiedError, errors.OutOfMemoryError):
            return DEAD, "crashed (its Ray worker died)"
        except errors.RayTaskError as error:  # what an actor's method itself raises is caught there
            return REFUSED, f"a machine of the cluster cannot do the work: {error.cause}"


class _Actor:
    """What runs on the cluster."""

    def begin(self, work, start, arguments):
        os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")  # Ray itself sees to OMP_NUM_THREADS
        self._work = work
        return attempt(READY, start, *arguments) if start else (READY, None)

    def do(self, job):
        return attempt(DONE, self._work, job)
