"""One clip of a corpus -> the arrays of a prepared clip. Everything that is slow happens here, once."""

import socket

import numpy as np

from common.errors import InputError
from common.files import content_hash, require_file
from datasets.au_layout.clips import example_arrays as units_example
from datasets.clip_files import clip_path, write_clip
from datasets.clip_ids import printable
from datasets.corpora import assign_split
from datasets.davs.clips import example_arrays as davs_example
from datasets.fields.speech import STORED, WIDE
from datasets.prepared import FORMAT, ClipRow, read_manifest
from datasets.preparing import av_rows
from datasets.preparing.cutting import begin, check_detector, detector_version
from datasets.preparing.requirements import check_faces, check_length, check_sound, check_uncovered
from datasets.workers.jobs import write_rows
from datasets.workers.pool import Task

EXAMPLES = {STORED: davs_example, WIDE: units_example}  # readers of layouts that hold windows of MFCC in place of a sound
LIMIT_SECONDS, LIMIT_SECONDS_A_MEGABYTE = 600, 120  # for one clip; half an hour of talk has some 50 MB

_detector = _measure = None  # one of each per worker process, made by _start


def prepare_corpus(clips, settings, folder, workers=1, retry_failed=False, trust_detector=False, sound_delay=0.0,
                   measure=None):  # fmt: skip
    """Prepare the clips that a corpus does not hold yet; prints how many, shows progress, notes each in the manifest.

    Args:
        clips: ClipSources; settings: PrepareSettings; folder: of the prepared corpus.
        workers: datasets.workers.jobs.Workers, or a number of processes.
        retry_failed: try the clips again that failed before.
        trust_detector: see `datasets.preparing.cutting.check_detector`.
        sound_delay: seconds by which the sound of all these clips is known to trail the picture; it is made up for.
        measure: of AV offsets, see `datasets.preparing.av_rows`; needed but where the settings say "off".

    Raises:
        InputError: the folder holds a corpus of other settings, or clips that another detector cut.
    """
    begin(folder, settings)
    rows = read_manifest(folder)
    todo = [clip for clip in clips if _is_open(clip, rows.get(clip.id), folder, retry_failed)]
    if todo:
        check_detector(folder, settings, trusted=trust_detector, any_cut=any(not row.error for row in rows.values()))
    print(f"{len(clips)} clips, {len(clips) - len(todo)} done before, {len(todo)} to prepare", flush=True)
    if not todo:
        return
    task = Task(_prepare_one, _lost, _start, (settings.detector, detector_version(folder), measure), _time_limit)
    splits = {clip.id: rows[clip.id].split if clip.id in rows else _split(clip, settings) for clip in todo}
    write_rows(folder, task, [(clip, splits[clip.id], settings, folder, sound_delay) for clip in todo], workers)


def _is_open(clip, row, folder, retry_failed):
    """Whether a clip is still to be prepared."""
    if row is None:
        return True
    if row.error:
        return retry_failed
    return not clip_path(folder, clip.id).is_file()


def _start(detector, version, measure):
    global _detector, _measure
    from faces.detectors import build_detector

    _detector, _measure = build_detector(detector), measure
    if _detector.version != version:
        raise InputError(f"{socket.gethostname()}: has {detector} {_detector.version}, the corpus is made with {version}; "
                         "install the same version on all machines")  # fmt: skip


def _prepare_one(job):
    clip, split, settings, folder, delay = job
    row = prepare_clip(clip, settings, _detector, split, folder, delay, _measure)
    return row, row.error


def _split(clip, settings):
    shares = {"val_share": settings.val_share, "test_share": settings.test_share, "seed": settings.split_seed}
    held_out = {"unseen_speakers": settings.unseen_speakers, "val_speakers": settings.val_speakers}
    return clip.split or assign_split(clip.id, clip.speaker, **held_out, **shares)


def _lost(job, reason):
    """(row, complaint) of a clip whose worker died, see `datasets.workers.pool.Task`."""
    clip, split, settings, *_ = job
    row = _row(clip, settings, split)
    row.error = f"{printable(str(clip.path))}: the decoder {reason}"
    return row, row.error


def _row(clip, settings, split):
    return ClipRow(clip.id, clip.speaker, split, clip.transcript, printable(clip.path.name), fps=float(settings.fps))


def _time_limit(job):
    """Seconds after which a clip is given up, generous for any codec; the detector that is made for GPUs has none."""
    clip, _, settings, *_ = job
    if settings.detector != "mediapipe" or not clip.path.exists():
        return 0
    return LIMIT_SECONDS + LIMIT_SECONDS_A_MEGABYTE * clip.path.stat().st_size // 10**6


def prepare_clip(source, settings, detector, split, folder, sound_delay=0.0, measure=None):
    """Prepare one clip and write its file.

    The stored arrays, for N frames: `face` (N, S, S, 3) uint8 RGB; `landmarks` (N, 68, 2) float32 crop pixels; `matrix`
    (N, 2, 3) float64 frame -> crop; `interpolated` (N,) bool; `mel` (80, m) float32; `mfcc` (13, k) float32; `waveform` (n,)
    int16 at 16 kHz. Sound and picture start together; the clip is cut to the shorter of the two. Where the sound of the source
    is sure to trail or to lead the picture, it is shifted first, by whole frames; the row says so. Where the settings say that
    clips hold windows of MFCC, the source is an example of a published layout, see `datasets.davs.clips` and
    `datasets.au_layout.clips`.

    Args:
        source: datasets.corpora.ClipSource.
        settings: PrepareSettings.
        detector: faces.detectors.Detector.
        split: the row's split.
        folder: of the prepared corpus.
        sound_delay: seconds by which the sound is known to trail the picture.
        measure: of AV offsets, see `prepare_corpus`.

    Returns:
        ClipRow; its `error` says why the clip failed, "" when it was written.
    """
    row = _row(source, settings, split)
    row.sound_delay = float(sound_delay)
    if source.fault:
        row.error = f"{printable(str(source.path))}: {source.fault}"
        return row
    try:
        if settings.sound in EXAMPLES:
            arrays = EXAMPLES[settings.sound](source.path, settings, detector, row)
        else:
            require_file(source.path, "clip")
            row.source_hash = content_hash(source.path)
            arrays = _arrays(source.path, settings, detector, row, measure)
        row.frames = len(arrays["face"])
        row.seconds = row.frames / settings.fps
        write_clip(clip_path(folder, source.id), arrays, {"format": FORMAT, "id": source.id, "fps": str(settings.fps)})
    except InputError as error:
        row.error = str(error)
    return row


def _arrays(path, settings, detector, row, measure):
    """Arrays to store; notes in `row` the frames with a face, where the clip begins in its source, and the AV offset."""
    from faces.crops import CropSpec, plan_crops
    from faces.landmarks import apply_affine
    from faces.tracking.track import track_face
    from media import VideoReader
    from speech.mel import mel_spectrogram
    from speech.mfcc import mfcc
    from speech.waveform import load_waveform

    waveform = delayed(load_waveform(path, what="clip"), row.sound_delay)
    with VideoReader(path, fps=settings.fps, threads=1, what="clip") as reader:
        track = track_face(reader, detector, fps=settings.fps)
        row.notes = list(reader.notes)
        check_faces(track, settings.min_face, path)
        spec = CropSpec(settings.crop, settings.size, tuple(settings.pads))
        crops = plan_crops(track, spec, fps=settings.fps, smooth=not settings.raw_crops)
        row.covered = int(track.covered.sum())
        run = longest_run(crops, track)
        check_uncovered(run, longest_run(crops, track, covered=True), row.covered, settings.fps, path)
        matrix = np.stack([crop.matrix for crop in crops[slice(*run)]])
        landmarks = apply_affine(matrix, track.landmarks[slice(*run)]).astype(np.float32)
        start, end = _cut(run, waveform, 0, settings.fps, path)
        if settings.av_offset != "off":
            heard = _sound_of(waveform, start, end, settings.fps)
            found = measure(heard, landmarks[start - run[0] : end - run[0]], settings.fps)
            av_rows.note(row, found, measure)
            if shift := av_rows.correction(found, settings.av_offset):
                start, end = _cut(run, waveform, shift, settings.fps, path)
                row.av_corrected, row.sound_offset = shift, (start + shift) / settings.fps
        if row.sound_delay:
            row.sound_offset = (start + row.av_corrected) / settings.fps + row.sound_delay
        waveform = _sound_of(waveform, start + row.av_corrected, end + row.av_corrected, settings.fps)
        check_sound(waveform, path)
        faces = np.empty((end - start, settings.size, settings.size, 3), np.uint8)
        for index, frame in enumerate(reader):
            if index >= end:
                break
            if index >= start:
                faces[index - start] = crops[index].extract(frame)
    row.faces, row.offset = int(track.present[start:end].sum()), start / settings.fps
    kept = slice(start - run[0], end - run[0])
    return {
        "face": faces,
        "landmarks": landmarks[kept],
        "matrix": matrix[kept],
        "interpolated": track.interpolated[start:end],
        "mel": np.ascontiguousarray(mel_spectrogram(waveform), np.float32),
        "mfcc": np.ascontiguousarray(mfcc(waveform), np.float32),
        "waveform": np.clip(np.rint(waveform * 32767), -32768, 32767).astype(np.int16),
    }


def delayed(waveform, seconds):
    """The sound of a clip whose sound trails its picture by `seconds` (negative: leads it), moved back into step."""
    from speech.waveform import SAMPLE_RATE

    samples = round(seconds * SAMPLE_RATE)
    return waveform[samples:] if samples >= 0 else np.concatenate([np.zeros(-samples, waveform.dtype), waveform])


def _cut(run, waveform, shift, fps, path):
    """(first, end) frame of a run of frames that have sound, where frame t is heard at t + shift."""
    from speech.windows import frame_count

    start, end = max(run[0], -shift), min(run[1], frame_count(len(waveform), fps) - shift)
    check_length(end - start, fps, path)
    return start, end


def _sound_of(waveform, start, end, fps):
    from speech.waveform import SAMPLE_RATE

    return waveform[slice(*(int(round(edge * SAMPLE_RATE / fps)) for edge in (start, end)))]


def longest_run(crops, track, *, covered=False):
    """The longest run of frames of one shot whose mouth can be seen; the aligned sound is cut with it.

    Args:
        crops: N crops, None where there is no face.
        track: FaceTrack of the N frames.
        covered: frames whose mouth is covered count, too.

    Returns:
        (start, end), end exclusive; (0, 0) where there is none.
    """
    from faces.tracking.smoothing import segments

    free = [crop is not None and (covered or not hidden) for crop, hidden in zip(crops, track.covered, strict=True)]
    return max(segments(free, track.shots), key=lambda run: run[1] - run[0], default=(0, 0))
