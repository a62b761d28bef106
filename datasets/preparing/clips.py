"""One clip of a corpus -> the arrays of a prepared clip. Everything that is slow happens here, once."""

import json
from dataclasses import asdict, dataclass

import numpy as np

from common.errors import InputError
from common.files import atomic_output, content_hash, require_file
from datasets.av_offset import measure_av_offset
from datasets.clip_files import clip_path, write_clip
from datasets.corpora import assign_split
from datasets.prepared import FORMAT, ClipRow, PreparedCorpus, read_manifest
from datasets.preparing import av_rows
from datasets.preparing.gates import MIN_FACE, check_faces, check_length, check_sound
from datasets.workers.jobs import write_rows
from datasets.workers.pool import Task

LIMIT_SECONDS, LIMIT_SECONDS_A_MEGABYTE = 600, 120  # for one clip; half an hour of talk has some 50 MB

_detector = None  # one per worker process, made by _start


@dataclass(frozen=True)
class PrepareSettings:
    """What decides how a prepared clip looks; stored in corpus.json.

    Attributes:
        crop: "aligned" or "box"; size: side of the stored crops in pixels; pads: of a box crop.
        fps: frame rate to which every clip is brought.
        detector: name, see faces.detectors.
        unseen_speakers: held out whole; val_share, test_share: of the other speakers' clips.
        min_face: height of the smallest face that is kept, in pixels of the source, see `datasets.preparing.gates`.
        av_offset: "correct": the AV offset is measured, and sound and picture are shifted where it is sure; "measure"; "off".
    """

    crop: str = "aligned"
    size: int = 96
    pads: tuple[int, int, int, int] = (0, 10, 0, 0)
    fps: int = 25
    detector: str = "mediapipe"
    unseen_speakers: tuple[str, ...] = ()
    val_share: float = 0.05
    test_share: float = 0.05
    min_face: int = MIN_FACE
    av_offset: str = "correct"

    def as_json(self):
        """Plain dict, as it comes back from JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def prepare_corpus(clips, settings, folder, workers=1, retry_failed=False):
    """Prepare the clips that a corpus does not hold yet; prints how many, shows progress, notes each in the manifest.

    Args:
        clips: ClipSources; settings: PrepareSettings; folder: of the prepared corpus.
        workers: datasets.workers.jobs.Workers, or a number of processes.
        retry_failed: try the clips again that failed before.

    Raises:
        InputError: the folder holds a corpus of other settings.
    """
    _check_settings(folder, settings)
    rows = read_manifest(folder)
    todo = [clip for clip in clips if _is_open(clip, rows.get(clip.id), folder, retry_failed)]
    print(f"{len(clips)} clips, {len(clips) - len(todo)} done before, {len(todo)} to prepare", flush=True)
    task = Task(_prepare_one, _lost, _start, (settings.detector,), _time_limit)
    write_rows(folder, task, [(clip, settings, folder) for clip in todo], workers)


def av_way(folder):
    """What a corpus does about AV offsets: as corpus.json says, "off" where that is older, "correct" where there is none."""
    path = folder / "corpus.json"
    if not path.is_file():
        return PrepareSettings.av_offset
    return PreparedCorpus.open_folder(folder).settings.get("av_offset", "off")


def _check_settings(folder, settings):
    """Write corpus.json, or make sure that the one there says the same."""
    path = folder / "corpus.json"
    wanted = {"format": FORMAT, "settings": settings.as_json()}
    if path.is_file():
        stored = json.loads(path.read_text(encoding="utf-8"))
        before = PrepareSettings(av_offset="off").as_json() | stored.get("settings", {})  # a key may be newer than the corpus
        if stored | {"settings": before} != wanted:
            other = [key for key in wanted["settings"] if before[key] != wanted["settings"][key]]
            raise InputError(f"{path}: was prepared with other settings ({', '.join(other) or 'format'}); choose another --out")
        return
    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")


def _is_open(clip, row, folder, retry_failed):
    """Whether a clip is still to be prepared."""
    if row is None:
        return True
    if row.error:
        return retry_failed
    return not clip_path(folder, clip.id).is_file()


def _start(detector):
    global _detector
    from faces.detectors import build_detector

    _detector = build_detector(detector)


def _prepare_one(job):
    clip, settings, folder = job
    row = prepare_clip(clip, settings, _detector, _split(clip, settings), folder)
    return row, row.error


def _split(clip, settings):
    shares = {"val_share": settings.val_share, "test_share": settings.test_share}
    return clip.split or assign_split(clip.id, clip.speaker, unseen_speakers=settings.unseen_speakers, **shares)


def _lost(job, reason):
    """(row, complaint) of a clip whose worker died, see `datasets.workers.pool.Task`."""
    clip, settings, _ = job
    row = _row(clip, settings, _split(clip, settings))
    row.error = f"{clip.path}: the decoder {reason}"
    return row, row.error


def _row(clip, settings, split):
    return ClipRow(clip.id, clip.speaker, split, clip.transcript, clip.path.name, fps=float(settings.fps))


def _time_limit(job):
    """Seconds after which a clip is given up, generous for any codec; the detector that is made for GPUs has none."""
    clip, settings, _ = job
    if settings.detector != "mediapipe" or not clip.path.is_file():
        return 0
    return LIMIT_SECONDS + LIMIT_SECONDS_A_MEGABYTE * clip.path.stat().st_size // 10**6


def prepare_clip(source, settings, detector, split, folder):
    """Prepare one clip and write its file.

    The stored arrays, for N frames: `face` (N, S, S, 3) uint8 RGB; `landmarks` (N, 68, 2) float32 crop pixels; `matrix`
    (N, 2, 3) float64 frame -> crop; `interpolated` (N,) bool; `mel` (80, m) float32; `mfcc` (13, k) float32; `waveform` (n,)
    int16 at 16 kHz. Sound and picture start together; the clip is cut to the shorter of the two. Where the sound of the source
    is sure to trail or to lead the picture, it is shifted first, by whole frames; the row says so.

    Args:
        source: datasets.corpora.ClipSource.
        settings: PrepareSettings.
        detector: faces.detectors.Detector.
        split: the row's split.
        folder: of the prepared corpus.

    Returns:
        ClipRow; its `error` says why the clip failed, "" when it was written.
    """
    row = _row(source, settings, split)
    try:
        require_file(source.path, "clip")
        row.source_hash = content_hash(source.path)
        arrays = _arrays(source.path, settings, detector, row)
        row.frames = len(arrays["face"])
        row.seconds = row.frames / settings.fps
        write_clip(clip_path(folder, source.id), arrays, {"format": FORMAT, "id": source.id, "fps": str(settings.fps)})
    except InputError as error:
        row.error = str(error)
    return row


def _arrays(path, settings, detector, row):
    """Arrays to store; notes in `row` the frames with a face, where the clip begins in its source, and the AV offset."""
    from faces.crops import CropSpec, plan_crops
    from faces.landmarks import apply_affine
    from faces.track import track_face
    from media import VideoReader
    from speech.mel import mel_spectrogram
    from speech.mfcc import mfcc
    from speech.waveform import load_waveform

    waveform = load_waveform(path)
    with VideoReader(path, fps=settings.fps, threads=1) as reader:
        track = track_face(reader, detector, fps=settings.fps)
        check_faces(track, settings.min_face, path)
        spec = CropSpec(settings.crop, settings.size, tuple(settings.pads))
        crops = plan_crops(track, spec, fps=settings.fps)
        run = _longest_run(crops)
        matrix = np.stack([crop.matrix for crop in crops[slice(*run)]])
        landmarks = apply_affine(matrix, track.landmarks[slice(*run)]).astype(np.float32)
        start, end = _cut(run, waveform, 0, settings.fps, path)
        if settings.av_offset != "off":
            heard = mel_spectrogram(_sound_of(waveform, start, end, settings.fps))
            found = measure_av_offset(heard, landmarks[: end - start], settings.fps)
            av_rows.note(row, found)
            if shift := av_rows.correction(found, settings.av_offset):
                start, end = _cut(run, waveform, shift, settings.fps, path)
                row.av_corrected, row.sound_offset = shift, (start + shift) / settings.fps
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


def _cut(run, waveform, shift, fps, path):
    """(first, end) frame of a run of frames that have sound, where frame t is heard at t + shift."""
    from speech.windows import frame_count

    start, end = max(run[0], -shift), min(run[1], frame_count(len(waveform), fps) - shift)
    check_length(end - start, fps, path)
    return start, end


def _sound_of(waveform, start, end, fps):
    from speech.waveform import SAMPLE_RATE

    return waveform[slice(*(int(round(edge * SAMPLE_RATE / fps)) for edge in (start, end)))]


def _longest_run(crops):
    """(start, end) of the longest run of frames with a face; the aligned sound is cut with it."""
    from faces.smoothing import segments

    return max(segments([crop is not None for crop in crops]), key=lambda run: run[1] - run[0])
