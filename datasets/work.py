"""Jobs spread over processes, their results noted in a corpus's manifest as they come."""

import json
import multiprocessing
import sys

from datasets.prepared import manifest_path


def write_rows(folder, work, jobs, workers, start, arguments):
    """Do jobs and append their rows to the manifest, with a progress bar; complaints are printed as they come.

    Args:
        folder: of the corpus.
        work: module-level function of one job -> (ClipRow, complaint or "").
        jobs: list.
        workers: processes; 1, or a single job, stays in this one.
        start: module-level function that each process calls first, with `arguments`; not called when there are no jobs.

    Returns:
        list of the ClipRows.
    """
    return append_rows(folder, results(work, jobs, workers, start, arguments), len(jobs))


def append_rows(folder, results, total):
    """Append (ClipRow, complaint) pairs to the manifest as they come, see `write_rows`."""
    from tqdm import tqdm

    rows = []
    with _open_manifest(folder) as manifest, tqdm(total=total, unit="clip", disable=not total) as bar:
        for row, complaint in results:
            manifest.write(json.dumps(vars(row)).encode() + b"\n")
            manifest.flush()
            if complaint:
                tqdm.write(f"{row.id}: {complaint}", file=sys.stderr)
            rows.append(row)
            bar.update()
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


def results(work, jobs, workers, start, arguments):
    """Results of jobs as they come, not in order; arguments as of `write_rows`."""
    if workers <= 1 or len(jobs) < 2:
        if jobs:
            start(*arguments)
        yield from map(work, jobs)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(jobs)), start, arguments) as pool:
        yield from pool.imap_unordered(work, jobs)
