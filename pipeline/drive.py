"""Drive a tracked face with audio: one pass over the video, each stage in a thread of its own, queues bounded in bytes.

    reader: decode, cut the face out  ->  model, in batches  ->  this thread: paste, encode

The sound is encoded once, beside the picture; a frame without a face passes through as it is.
"""

import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from common.errors import InputError
from faces.crops import AlignedCrop, BoxCrop, fixed_box, paste_mask, plan_crops
from media import VideoWriter, decode_audio
from pipeline.compat import smooth_crops
from pipeline.marking import draw_mark, synthetic_tags
from pipeline.prefetch import prefetch
from pipeline.progress import bar
from pipeline.reference import choose_reference
from pipeline.source import FaceSource
from pipeline.tracking import prepare
from speech.mel import mel_spectrogram
from speech.waveform import to_waveform
from speech.windows import frame_count, gather_windows, mel_window_start, wav2lip_inference_starts

QUEUE_BYTES = 48 << 20
BATCH_BYTES = 96 << 20
CPU_BATCH, GPU_BATCH = 16, 128


@dataclass(frozen=True)
class Sound:
    """What is heard.

    Attributes:
        samples: (channels, n) float32 at `rate`, for the result's sound track.
        rate: samples a second.
        waveform_length: samples at 16 kHz.
        mel: (80, m) float32.
    """

    samples: np.ndarray
    rate: int
    waveform_length: int
    mel: np.ndarray

    @staticmethod
    def read(path):
        """Decode the sound of an audio or video file.

        Raises:
            InputError: no sound track, no sample, or samples that are not numbers.
        """
        samples, rate = decode_audio(path)
        try:
            waveform = to_waveform(samples, rate)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return Sound(samples, rate, len(waveform), mel_spectrogram(waveform))

    def window_starts(self, fps, mode, compat=None):
        """First mel column for each frame of the result, which thereby has as many frames: list of int."""
        if compat == "wav2lip":
            return wav2lip_inference_starts(self.mel.shape[1], fps)
        return [mel_window_start(t, fps, mode=mode) for t in range(frame_count(self.waveform_length, fps))]


@dataclass(frozen=True)
class Report:
    """What one job came to.

    Attributes:
        outfile: the video that was written.
        frames: in the result.
        video_seconds: length of the result.
        elapsed: seconds from start to end.
        faceless: ascending numbers of the source's frames that were shown and had no face.
    """

    outfile: object
    frames: int
    video_seconds: float
    elapsed: float
    faceless: list


@dataclass(frozen=True)
class Shot:
    """One frame on its way: frame `t` of the result, the source's frame, the crop's place in it, and the (S, S, 3) face."""

    t: int
    index: int
    frame: np.ndarray
    crop: AlignedCrop | BoxCrop | None
    face: np.ndarray | None


def run_job(job, generator, face_options, options, *, store, detector_batch=8):
    """Make one talking video.

    Args:
        job: pipeline.options.Job.
        generator: pipeline.generator.MouthGenerator.
        face_options: pipeline.options.FaceOptions.
        options: pipeline.options.DriveOptions.
        store: pipeline.tracking.TrackStore.
        detector_batch: frames in one detection batch, where the detector takes batches.

    Returns:
        Report.

    Raises:
        InputError: something is wrong with what the user gave; nothing is then left under the output's name.
    """
    began = time.perf_counter()
    if options.compat and generator.data["crop"] != "box":
        raise InputError(
            f"--compat wav2lip: {generator.name} was trained on aligned crops; give weights of Wav2Lip, or leave it out"
        )
    sound = Sound.read(job.audio)
    source = FaceSource(job.face, face_options)
    starts = sound.window_starts(source.fps, generator.data["audio_window"], options.compat)
    track = None
    if not options.box:
        device = generator.device.type
        track = prepare(source, face_options, store=store, frames=len(starts), device=device, batch_size=detector_batch)
    crops = plan(source, track, generator.crop_spec(options.pads), options)
    tags = synthetic_tags(generator.name, generator.sha256)
    size = {"width": source.width, "height": source.height, "fps": source.fps}
    faceless = set()
    shots = draw_shots(source, crops, starts, sound.mel, generator, options, track)
    with (
        bar("drawing lips", len(starts)) as progress,
        VideoWriter(job.outfile, **size, audio=sound.samples, sample_rate=sound.rate, metadata=tags) as writer,
        closing(prefetch(shots, QUEUE_BYTES, _size)) as ready,
    ):
        mask = paste_weights(generator, options)
        for shot in ready:
            frame = shot.frame if shot.face is None else shot.crop.paste(shot.frame, shot.face, mask)
            if shot.face is None:
                faceless.add(shot.index)
            writer.write(draw_mark(frame) if options.visible_mark else frame)
            progress.update()
    elapsed = time.perf_counter() - began
    return Report(job.outfile, len(starts), float(len(starts) / source.fps), elapsed, sorted(faceless))


class _SameCrop:
    """A list of any length with one crop in every place."""

    def __init__(self, crop):
        self._crop = crop

    def __getitem__(self, index):
        return self._crop


def plan(source, track, spec, options):
    """Where the face is cut out of each source frame: a sequence of crops, None where there is no face.

    Args:
        source: FaceSource.
        track: FaceTrack; not needed with `options.box`.
        spec: CropSpec.
        options: DriveOptions.
    """
    if options.box:
        return _SameCrop(fixed_box(options.box, spec, source.width, source.height))
    smooth = options.smooth and not options.compat
    crops = plan_crops(track, spec, fps=source.fps, smooth=smooth)
    return smooth_crops(crops) if options.compat and options.smooth else crops


def paste_weights(generator, options):
    """(S, S) float32 weights with which a generated face is laid over the frame."""
    kind = "box" if options.box else generator.data["crop"]
    return paste_mask(generator.face_size, "hard" if options.compat else "feather", kind)


def draw_shots(source, crops, starts, mel, generator, options, track):
    """Yield Shots in order, with the generated face where there is one."""
    reference = _reference(source, crops, generator, options, track)
    most = options.batch_size or (CPU_BATCH if generator.device.type == "cpu" else GPU_BATCH)
    most = max(1, min(most, BATCH_BYTES // source.frame_bytes))
    count = None if track is None else len(track)
    mode = options.loop or ("loop" if options.compat else "pingpong")
    cut = prefetch(_cut(source.play(len(starts), mode, count), crops), QUEUE_BYTES, _size)
    maps = None
    with closing(cut):
        for shots in _batches(cut, most):
            seen = [at for at, shot in enumerate(shots) if shot.face is not None]
            if seen:
                mels = gather_windows(mel, [starts[shots[at].t] for at in seen])
                faces = np.stack([shots[at].face for at in seen])
                if source.still:
                    maps = maps or generator.encode(faces[:1], reference if reference is not None else faces[:1])
                    made = generator.draw(mels, maps, truncate=bool(options.compat))
                else:
                    references = faces if reference is None else reference
                    made = generator(mels, faces, references, truncate=bool(options.compat))
                for at, face in zip(seen, made, strict=True):
                    shots[at] = replace(shots[at], face=face)
            while shots:
                yield shots.popleft()


def _reference(source, crops, generator, options, track):
    """(1, S, S, 3) uint8 crop of the fixed reference frame, or None when each frame is its own."""
    choice = "same" if options.compat else generator.data["reference"] if options.reference is None else options.reference
    if choice == "same":
        return None
    if choice == "fixed":
        index = 0 if track is None else choose_reference(track)
    else:
        index = choice
    frame = next(source.frames(index, index + 1), None)
    if frame is None or (track is not None and index >= len(track)):
        raise InputError(f"--reference {index}: {source.path} has no such frame among those that are used")
    if crops[index] is None:
        raise InputError(f"--reference {index}: no face in that frame; choose another")
    return crops[index].extract(frame)[None]


def _cut(played, crops):
    for t, (index, frame) in enumerate(played):
        crop = crops[index]
        yield Shot(t, index, frame, crop, None if crop is None else crop.extract(frame))


def _batches(shots, most):
    """Deques of at most `most` shots."""
    batch = deque()
    for shot in shots:
        batch.append(shot)
        if len(batch) == most:
            yield batch
            batch = deque()
    if batch:
        yield batch


def _size(shot):
    return shot.frame.nbytes
