"""Moves the stored sound of prepared clips against their picture where the AV offset is sure; faces are never cut again.

Everything that is counted in the time of the sound moves with it: waveform, mel, MFCC, phones, words. Speech features are out
of date then and made anew. Each file says how far it has been moved, so a run that was interrupted moves nothing twice.
"""

import json
import sys
from dataclasses import replace

import numpy as np

from common.errors import InputError
from datasets.clip_files import clip_path, open_arrays, read_side, side_path, write_clip, write_side
from datasets.prepared import read_manifest
from datasets.preparing.speech import add_speech, stored_voices
from datasets.words import KIND as WORDS
from datasets.workers.jobs import write_rows
from datasets.workers.pool import Task
from speech.mel import mel_spectrogram
from speech.mfcc import mfcc
from speech.waveform import SAMPLE_RATE

MOVED = "sound_moved"  # key of clip files and of the notes of side files: frames in all, as ClipRow.av_corrected
FULL_SCALE = 32767  # of the stored samples
SILENCE = 0  # class of silence, speech.arpabet.PHONES


def correct_corpus(folder, workers=1, ids=None):
    """Move the sound of the good clips of a corpus whose AV offset is sure and rounds to another one than is made up for.

    Args:
        folder: Path of the prepared corpus.
        workers: datasets.workers.jobs.Workers, or a number of processes.
        ids: of the clips; None takes all.

    Raises:
        InputError: a clip cannot be read.
    """
    rows = [row for name, row in sorted(read_manifest(folder).items()) if not row.error and (ids is None or name in ids)]
    todo = [row for row in rows if row.av_is_sure and int(np.rint(row.av_offset)) != row.av_corrected]
    print(f"AV offset: {len(rows)} clips, {len(todo)} to correct", flush=True)
    write_rows(folder, Task(_correct, _lost, trusted=True), [(row, folder) for row in todo], workers)
    for voices in sorted({count for row in rows if (count := stored_voices(folder, row)) is not None}):
        stored = {row.id for row in rows if stored_voices(folder, row) == voices}
        try:
            add_speech(folder, voices, workers, stored)
        except InputError as error:
            print(f"warning: the speech features of the moved clips are out of date: {error}", file=sys.stderr)


def _correct(job):
    row, folder = job
    total = int(np.rint(row.av_offset))
    frames = total - row.av_corrected
    _move_clip(folder, row, total)
    for kind, moved in (("phones", _moved_phones), (WORDS, _moved_words)):
        if side_path(folder, kind, row.id).is_file():
            _move_side(folder, row, kind, total, moved)
    begins = round(row.sound_begins + frames / row.fps, 6)
    return replace(row, av_corrected=total, sound_offset=begins), ""


def _lost(job, reason):
    raise InputError(f"{job[0].id}: its sound was not moved: the worker {reason}; run the same command again")


def _move_clip(folder, row, total):
    path = clip_path(folder, row.id)
    arrays, notes = open_arrays(path)
    frames = total - int(notes.get(MOVED, row.av_corrected))
    if not frames:
        return
    moved = shifted(np.array(arrays["waveform"]), round(frames * SAMPLE_RATE / row.fps))
    sound = moved.astype(np.float32) / np.float32(FULL_SCALE)
    arrays = {name: np.array(array) for name, array in arrays.items()} | {"waveform": moved}
    arrays["mel"] = np.ascontiguousarray(mel_spectrogram(sound), np.float32)
    arrays["mfcc"] = np.ascontiguousarray(mfcc(sound), np.float32)
    write_clip(path, arrays, notes | {MOVED: str(total)})


def shifted(samples, by):
    """Samples that begin `by` later in the sound: (n,) -> (n,), silence where nothing is stored."""
    inside = samples[max(0, by) : max(0, len(samples) + min(0, by))]
    before = min(len(samples), max(0, -by))
    return np.pad(inside, (before, len(samples) - before - len(inside)))


def _move_side(folder, row, kind, total, moved):
    arrays, notes = read_side(folder, kind, row.id)
    parameters = notes.pop("parameters")
    notes.pop("made_with")
    frames = total - int(notes.get(MOVED, row.av_corrected))
    if frames:
        arrays, notes = moved({name: np.array(array) for name, array in arrays.items()}, notes, frames / row.fps, row.seconds)
        write_side(folder, kind, row.id, arrays, parameters, json.loads(json.dumps(notes)) | {MOVED: total})


def _moved_phones(arrays, notes, by, seconds):
    """Phones `by` seconds earlier; what is left open at either end is silence."""
    edges = arrays["phone_times"] - by
    kept = (edges[1:] > 0) & (edges[:-1] < seconds)
    starts, ends = np.clip(edges[:-1][kept], 0, seconds), np.clip(edges[1:][kept], 0, seconds)
    phone, stress = arrays["phone"][kept], arrays["stress"][kept]
    times = np.append(starts, ends[-1:]) if len(starts) else np.array([0.0, seconds])
    if not len(starts):
        phone, stress = np.array([SILENCE], phone.dtype), np.array([-1], stress.dtype)
    for side, gap in ((0, times[0] > 0), (len(phone), times[-1] < seconds)):
        if gap and phone[min(side, len(phone) - 1)] != SILENCE:
            phone, stress = np.insert(phone, side, SILENCE), np.insert(stress, side, -1)
            times = np.insert(times, 0, 0.0) if side == 0 else np.append(times, seconds)
    times[0], times[-1] = 0.0, seconds
    words = [[max(0.0, start - by), min(seconds, end - by), label] for start, end, label in notes.get("words", [])]
    notes = notes | {"words": [word for word in words if word[0] < word[1]]}
    return {"phone_times": times, "phone": phone, "stress": stress}, notes


def _moved_words(arrays, notes, by, seconds):
    """Words `by` seconds earlier, those inside the clip."""
    times = np.clip(arrays["word_times"] - by, 0, seconds)
    kept = times[:, 0] < times[:, 1]
    return {"word_times": times[kept]}, notes | {"words": [word for word, one in zip(notes["words"], kept, strict=True) if one]}
