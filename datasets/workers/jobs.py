"""Jobs spread over workers, their results noted in a corpus's manifest as they come."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

from common.terminal import counting
from datasets.prepared import manifest_path
from datasets.workers.pool import run_jobs
from datasets.workers.processes import Processes


@dataclass(frozen=True)
class Workers:
    """Who does the jobs.

    Attributes:
        count: jobs at the same time, 1 or more.
        pool: function of a datasets.workers.pool.Task -> datasets.workers.pool.Pool; None: processes of this machine.
        time_limit: seconds for one job, 0 for no limit; None leaves it to the task.
    """

    count: int = 1
    pool: Callable | None = None
    time_limit: float | None = None

    @staticmethod
    def of(workers):
        """Workers as they are, or for a number of processes."""
        return workers if isinstance(workers, Workers) else Workers(max(1, workers))


def write_rows(folder, task, jobs, workers):
    """Do jobs and append their rows to the manifest, with a progress bar; complaints are printed as they come.

    Args:
        folder: of the corpus.
        task: datasets.workers.pool.Task of one job -> (ClipRow, complaint or "").
        jobs: list.
        workers: Workers, or a number of processes.

    Returns:
        list of the ClipRows.
    """
    return append_rows(folder, results(task, jobs, workers), len(jobs))


def append_rows(folder, results, total):
    """Append (ClipRow, complaint) pairs to the manifest as they come, see `write_rows`."""
    rows = []
    with _open_manifest(folder) as manifest, counting(total, "clip") as progress:
        for row, complaint in results:
            manifest.write(json.dumps(vars(row)).encode() + b"\n")
            manifest.flush()
            if complaint:
                progress.note(f"{row.id}: {complaint}")
            rows.append(row)
            progress.update()
    return rows


def _open_manifest(folder):
    """The manifest, open for appending; a last line that a crash tore is cut off, so that the next one begins anew."""
    path = manifest_path(folder)
    if path.is_file():
        with open(path, "rb+") as file:
            whole, newline, last = file.read().rpartition(b"\n")
            if last and _is_json(last):
                file.write(b"\n")
            else:
                file.truncate(len(whole) + len(newline))
    return open(path, "ab")


def _is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def results(task, jobs, workers):
    """Yield the results of jobs as they come, not in order; arguments as of `write_rows`."""
    workers = Workers.of(workers)
    if task.trusted and workers.pool is None and (workers.count == 1 or len(jobs) < 2):
        if jobs and task.start:
            task.start(*task.arguments)
        yield from map(task.work, jobs)
    elif jobs:
        threads = max(1, (os.cpu_count() or 1) // workers.count)
        pool = workers.pool(task) if workers.pool else Processes(task, threads)
        yield from run_jobs(task, jobs, pool, workers.count, workers.time_limit)
