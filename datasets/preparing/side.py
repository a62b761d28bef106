"""Side files of prepared clips: made without cutting faces again, each clip's origin or reason noted in the manifest, counted.

A kind of side files is one `SideKind`: its folder, what decides its arrays, and the function that makes them. `add_side` does
the rest: which clips lack it, the workers, the notes and the report.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from common.errors import InputError
from datasets.clip_files import is_current, parameters_hash, side_path, write_side
from datasets.prepared import read_manifest
from datasets.preparing.report import count_side
from datasets.workers.jobs import Workers, write_rows
from datasets.workers.pool import Task


@dataclass(frozen=True)
class SideKind:
    """One kind of side files.

    Attributes:
        name: of their folder in the corpus, and of their entry in `ClipRow.side`.
        make: module-level function of (ClipRow, ClipSource, folder) -> (dict of numpy arrays, notes that JSON can hold,
            origin); InputError: why the clip gets none.
        parameters: module-level function of (ClipRow, ClipSource) -> what decides the arrays, for JSON; where it changes, the
            file is made anew, and a clip that got none is tried again. InputError: why they cannot be known.
    """

    name: str
    make: Callable
    parameters: Callable

    def of(self, row):
        """The kind as the worker of a clip (ClipRow) gets it; another one may leave out what only other clips need."""
        return self


def add_side(kind, clips, folder, workers=1, *, retry_failed=False):
    """Make the side files that good clips of a corpus lack; shows progress, notes each in the manifest, prints the count.

    Args:
        kind: SideKind, or an object with its attributes.
        clips: ClipSources; other clips of the corpus are left alone.
        folder: Path of the prepared corpus.
        workers: datasets.workers.jobs.Workers, or a number of processes.
        retry_failed: try the clips again that got none before; else those alone for which other parameters hold now.
    """
    rows, sources = read_manifest(folder), {clip.id: clip for clip in clips}
    good = [rows[name] for name in sorted(sources) if name in rows and not rows[name].error]
    todo = [row for row in good if _is_open(kind, row, sources[row.id], folder, retry_failed)]
    print(f"{kind.name}: {len(good)} clips, {len(good) - len(todo)} done before, {len(todo)} to do", flush=True)
    jobs = [(kind.of(row), row, sources[row.id], folder) for row in todo]
    done = write_rows(folder, Task(_make, _lost, trusted=True), jobs, Workers.of(workers)) if jobs else []
    rows |= {row.id: row for row in done}
    for line in report(kind.name, [rows[row.id] for row in good]):
        print(line)


def report(name, rows):
    """Lines that count good rows by the origin of their side files of one kind, and those without by reason."""
    counts = count_side(name, rows)
    parts = ", ".join(f"{number} {origin}" for origin, number in counts["from"].items())
    yield f"{name}: {parts or 'none'}; {sum(counts['missing'].values())} clips without"
    for reason, number in counts["missing"].items():
        yield f"  {number} x {reason}"


def _is_open(kind, row, source, folder, retry_failed):
    entry = row.side.get(kind.name, {})
    if "from" not in entry:
        return retry_failed or "error" not in entry or entry.get("made_with") != _decided_by(kind, row, source)
    try:
        return not is_current(folder, kind.name, row.id, kind.parameters(row, source))
    except InputError:  # `make` will say why
        return True


def _make(job):
    kind, row, source, folder = job
    try:
        arrays, notes, origin = kind.make(row, source, folder)
        write_side(folder, kind.name, row.id, arrays, kind.parameters(row, source), notes)
    except InputError as error:
        return _without(job, str(error))
    return _noted(kind, row, {"from": origin}), ""


def _lost(job, reason):
    return _without(job, f"the worker {reason}")


def _without(job, reason):
    kind, row, source, folder = job
    side_path(folder, kind.name, row.id).unlink(missing_ok=True)
    return _noted(kind, row, {"error": reason, "made_with": _decided_by(kind, row, source)}), f"no {kind.name}: {reason}"


def _decided_by(kind, row, source):
    """Hash of what decides whether a clip gets a side file: the parameters, or why they cannot be known."""
    try:
        return parameters_hash(kind.parameters(row, source))
    except InputError as error:
        return parameters_hash({"error": str(error)})


def _noted(kind, row, entry):
    return replace(row, side={**row.side, kind.name: entry})
