"""Every case through an aligner, in several processes, and what became of it."""

import re
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from speech.aligners import Utterance, build_aligner
from speech.alignment import Alignment, AlignmentError, poor_fit

CHUNK = 8
_aligner = None  # of a worker process: its model takes longer to load than an utterance to align


@dataclass(frozen=True)
class Outcome:
    """What an aligner made of a case.

    Attributes:
        id: of the case.
        alignment: Alignment, or None where it failed.
        reason: message of the failure, or "".
    """

    id: str
    alignment: Alignment | None
    reason: str = ""

    @property
    def marked(self):
        """True for an alignment that was passed on as one that fits poorly."""
        return self.alignment is not None and poor_fit(self.alignment)


def align_cases(cases, aligner, jobs, texts=None):
    """Align every case.

    Args:
        cases: list of Case, ids unique.
        aligner: name of a backend; "mfa" gets all of them in one call.
        jobs: processes.
        texts: {id: text} said instead of the case's own.

    Returns:
        {id: Outcome}, in the order of `cases`.
    """
    utterances = [Utterance(case.id, case.waveform, case.text if texts is None else texts[case.id]) for case in cases]
    if jobs <= 1 or aligner == "mfa" or len(utterances) <= CHUNK:
        with closing(build_aligner(aligner)) as backend:
            outcomes = _align(backend, utterances)
    else:
        chunks = [utterances[at : at + CHUNK] for at in range(0, len(utterances), CHUNK)]
        with ProcessPoolExecutor(jobs, initializer=_load, initargs=(aligner,)) as pool:
            outcomes = [one for part in pool.map(_align_here, chunks) for one in part]
    found = {one.id: one for one in outcomes}
    return {case.id: found[case.id] for case in cases}


def _load(name):
    global _aligner
    _aligner = build_aligner(name)


def _align_here(utterances):
    return _align(_aligner, utterances)


def _align(backend, utterances):
    outcomes = []
    for name, result in backend.align_many(utterances):
        failed = isinstance(result, AlignmentError)
        outcomes.append(Outcome(name, None if failed else result, str(result) if failed else ""))
    return outcomes


def kind_of(reason, names=()):
    """A failure's message without what differs from one utterance to the next: quoted words, numbers and its name."""
    for name in names:
        reason = reason.replace(name, "").lstrip(": ")
    return re.sub(r"\d+(\.\d+)?", "#", re.sub(r"'[^']*'|\"[^\"]*\"", "...", reason))


def measure_speed(cases, aligner, rounds):
    """Time one process takes, loading apart, over the same utterances again and again.

    Returns:
        {"load_s", "utterances", "audio_s", "rounds": [seconds of compute per second of sound, ...], "factor": their median,
        "cpu_factor": median of processor time likewise}.
    """
    began = time.perf_counter()
    backend = build_aligner(aligner)
    with closing(backend):
        _align(backend, [Utterance("first", cases[0].waveform, cases[0].text)])
        loading = time.perf_counter() - began
        utterances = [Utterance(case.id, case.waveform, case.text) for case in cases]
        audio, walls, cpus = sum(case.seconds for case in cases), [], []
        for _ in range(rounds):
            wall, cpu = time.perf_counter(), time.process_time()
            _align(backend, utterances)
            walls.append((time.perf_counter() - wall) / audio)
            cpus.append((time.process_time() - cpu) / audio)
    return {
        "load_s": loading,
        "utterances": len(cases),
        "audio_s": audio,
        "rounds": walls,
        "factor": statistics.median(walls),
        "cpu_factor": statistics.median(cpus),
    }
