"""Phones of the prepared clips: aligned once, stored beside the clips, counted by where they come from."""

import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common.errors import InputError
from common.suggest import refuse_unknown
from datasets.clip_files import clip_path, open_clip, side_path, write_side
from datasets.corpora import ClipSource
from datasets.prepared import ClipRow, read_manifest
from datasets.preparing.report import reason_kind
from datasets.workers.jobs import Workers, append_rows, write_rows
from datasets.workers.pool import Task
from speech.aligners import Utterance, build_aligner
from speech.alignment import AlignmentError, fits_poorly, poor_fit
from speech.alignment.given import read_alignment
from speech.arpabet import NUMBER
from speech.text.languages import is_english
from speech.waveform import SAMPLE_RATE

KIND = "phones"
VERSION = 1  # of what is stored, and of how clips are aligned
WAYS = ("auto", "given", "pocketsphinx", "mfa", "none")

_aligner = None  # one per worker process, made by _start


def align_corpus(clips, folder, how="auto", workers=1, *, language="en", realign=False, retry_failed=False):
    """Align the good clips of a corpus that have no phones yet; shows progress, notes each in the manifest, prints the count.

    The ways: "auto": inside the word times that the corpus gives, else by the transcript, else phones are recognised, all with
    PocketSphinx; where the given times do not work, the next way is taken, and the clip's notes say so. "given": by the given
    times alone. "pocketsphinx": by the transcript, or recognised, even where times are given. "mfa": the Montreal Forced
    Aligner by the transcript, all clips in one run. "none": nothing. A file that gives phones is taken as it is.

    Args:
        clips: ClipSources; others of the corpus are left alone.
        folder: Path of the prepared corpus.
        how: one of WAYS.
        workers: datasets.workers.jobs.Workers, or a number of processes.
        language: of the transcripts, see `speech.aligners.build_aligner`.
        realign: align also the clips that have phones; retry_failed: those that could not be aligned before.

    Raises:
        InputError: an unknown way, or the aligner that was asked for is not installed. Under "auto" that is a warning.
    """
    refuse_unknown([how], WAYS, "way of --align")
    if how == "none":
        return
    rows, sources = read_manifest(folder), {clip.id: clip for clip in clips}
    good = [rows[name] for name in sorted(sources) if name in rows and not rows[name].error]
    todo = [row for row in good if realign or _is_open(row, folder, retry_failed)]
    print(f"{len(good)} clips, {len(good) - len(todo)} aligned before, {len(todo)} to align", flush=True)
    if todo:
        jobs = [Job(row, sources[row.id], folder, how, language) for row in todo]
        try:
            run = _align_in_one_run if how == "mfa" else _align_each
            done = run(jobs, folder, Workers.of(workers))
        except _NoAligner as error:
            print(f"warning: no phones: {error}", file=sys.stderr)
            return
        rows |= {row.id: row for row in done}
    for line in report([rows[row.id] for row in good]):
        print(line)
    _hint(how, [rows[row.id] for row in good])


def require_aligner(how, language="en"):
    """Refuse a way of `align_corpus` whose aligner is not installed, or does not know the language, before clips are prepared.

    Raises:
        InputError: so it is. Under "auto" with English it is a warning later.
    """
    if how == "mfa":
        build_aligner("mfa", language=language).close()
    elif how == "pocketsphinx" or (how != "none" and not is_english(language)):
        build_aligner("pocketsphinx", language=language).close()


def report(rows):
    """Lines that count rows by where their phones come from, and those without by reason."""
    sources = Counter(row.phones for row in rows if row.phones)
    parts = ", ".join(f"{count} {source}" for source, count in sources.most_common())
    reasons = Counter(reason_kind(row.phones_error) or "not aligned yet" for row in rows if not row.phones)
    yield f"phones: {parts or 'none'}; {sum(reasons.values())} clips without"
    if poor := sum(fits_poorly(row.phones or "", row.phones_score) for row in rows):
        yield f"  {poor} of them from words that fit the sound poorly, as wrong transcripts do (phones_score in the manifest)"
    for reason, count in reasons.most_common():
        yield f"  {count} x {reason}"


def align_clip(utterance, given, aligner, how="auto"):
    """Alignment of one clip by the best that is known of it.

    Args:
        utterance: speech.aligners.Utterance without word times.
        given: speech.alignment.given.Given, or None where the corpus gives no times, or an InputError why they cannot be read.
        aligner: speech.aligners.Aligner.
        how: "auto", "given" or "pocketsphinx".

    Raises:
        AlignmentError: it cannot be aligned.
    """
    if how == "pocketsphinx" or (how == "auto" and given is None):
        return aligner.align(utterance)
    try:
        return _align_as_given(utterance, given, aligner)
    except InputError as error:
        if how == "given":
            raise
        note = f"the given times could not be used ({_without_id(error, utterance.id)}); aligned without them"
    found = aligner.align(utterance)
    return replace(found, notes=(note, *found.notes))


def _align_as_given(utterance, given, aligner):
    if given is None:
        raise AlignmentError("the corpus gives no times for it")
    if isinstance(given, InputError):
        raise given
    if given.phones:
        return given.as_alignment(len(utterance.waveform) / SAMPLE_RATE)
    if not any(word.label for word in given.words):
        raise AlignmentError("no given word lies inside the clip")
    return aligner.align(replace(utterance, words=given.words))


def store(folder, clip_id, alignment, how):
    """Write an alignment as the clip's side file: `phone` (K,) uint8 classes, `phone_times` (K + 1,) float64 edges in seconds
    from the clip's beginning to its end, `stress` (K,) int8, -1 where there is none.
    """
    phones = alignment.phones
    arrays = {
        "phone_times": np.array([0.0, *(one.end for one in phones)], np.float64),
        "phone": np.array([NUMBER[one.label] for one in phones], np.uint8),
        "stress": np.array([-1 if one.stress is None else one.stress for one in phones], np.int8),
    }
    notes = {
        "source": alignment.source,
        "score": alignment.score,
        "unknown": list(alignment.unknown),
        "notes": list(alignment.notes),
        "words": [[word.start, word.end, word.label] for word in alignment.words],
    }
    write_side(folder, KIND, clip_id, arrays, {"version": VERSION, "align": how}, notes)


class Job(NamedTuple):
    """One clip to align: its row of the manifest, its ClipSource, the prepared folder, the way, and the language."""

    row: ClipRow
    source: ClipSource
    folder: Path
    how: str
    language: str


class _NoAligner(InputError):
    """PocketSphinx is missing where nobody asked for it by name."""


def _is_open(row, folder, retry_failed):
    if row.phones:
        return not side_path(folder, KIND, row.id).is_file()
    return retry_failed or not row.phones_error


def _align_each(jobs, folder, workers):
    how, language = jobs[0].how, jobs[0].language
    try:
        build_aligner("pocketsphinx", language=language).close()  # one clear word before many processes begin
    except InputError as error:
        raise _NoAligner(str(error)) if how == "auto" and is_english(language) else error from error
    return write_rows(folder, Task(_align_one, _lost, _start, (language,), trusted=True), jobs, workers)


def _start(language):
    global _aligner
    _aligner = build_aligner("pocketsphinx", language=language)


def _align_one(job):
    try:
        utterance, given = _known_of(job.row, job.source, job.folder)
        return _finish(job, align_clip(utterance, given, _aligner, job.how))
    except InputError as error:
        return _finish(job, error)


def _lost(job, reason):
    return _finish(job, AlignmentError(f"the aligner {reason}"))


def _align_in_one_run(jobs, folder, workers):
    by_id = {job.row.id: job for job in jobs}
    utterances = (_known_of(job.row, job.source, job.folder)[0] for job in jobs)
    with closing(build_aligner("mfa", language=jobs[0].language, jobs=workers.count)) as aligner:
        return append_rows(folder, (_finish(by_id[name], found) for name, found in aligner.align_many(utterances)), len(jobs))


def _known_of(row, source, folder):
    """(Utterance without word times, Given or InputError or None) of a prepared clip."""
    samples = open_clip(clip_path(folder, row.id))["waveform"]
    waveform = samples.astype(np.float32) / 32767
    given, transcript = None, source.transcript if source.complete else ""
    if source.align is not None:
        try:
            # a clip may have been cut at either end, so what lies outside it is no mistake of the file
            given = read_alignment(source.align, len(waveform) / SAMPLE_RATE, row.sound_begins, part=True)
            words = " ".join(word.label for word in given.words if word.label)
            transcript = words or transcript  # those inside the clip
        except InputError as error:
            given = error
    return Utterance(row.id, waveform, transcript), given


def _finish(job, found):
    """(row, complaint) of a clip whose Alignment, or InputError why there is none, was found; the side file is written."""
    row, folder = job.row, job.folder
    row = replace(row, transcript=job.source.transcript, phones="", phones_error="", phones_score=None)
    if isinstance(found, InputError):
        row.phones_error = _without_id(found, row.id)
        side_path(folder, KIND, row.id).unlink(missing_ok=True)
        return row, f"no phones: {row.phones_error}"
    store(folder, row.id, found, job.how)
    row.phones, row.phones_score = found.source, found.score
    return row, f"the words fit the sound poorly (score {found.score:.1f})" if poor_fit(found) else ""


def _without_id(error, clip_id):
    return str(error).removeprefix(f"{clip_id}: ")


def _hint(how, rows):
    """Say so where clips hold phones that this way would not have given."""
    other = sum(bool(row.phones) and (row.phones == "mfa") != (how == "mfa") for row in rows) if how != "auto" else 0
    if other:
        print(f"{other} clips hold phones from elsewhere; --realign makes theirs anew by --align {how}")
