"""Drive a tracked face with audio: one pass over the video, each stage in a thread of its own, queues bounded in bytes.

    reader: decode, cut the face out  ->  model, in batches  ->  this thread: paste, encode

The sound is encoded once, beside the picture; a frame without a face passes through as it is.
"""

import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from common.errors import InputError
from faces.crops import AlignedCrop, BoxCrop
from faces.paste import Paster
from media import VideoWriter
from pipeline.marking import draw_mark, synthetic_tags
from pipeline.plan import Sound, make_plan
from pipeline.prefetch import prefetch
from pipeline.progress import bar
from pipeline.source import FaceSource
from pipeline.tracking import prepare

QUEUE_BYTES = 48 << 20
BATCH_BYTES = 96 << 20
CPU_BATCH, GPU_BATCH = 16, 128


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

    outfile: Path
    frames: int
    video_seconds: float
    elapsed: float
    faceless: list[int]


@dataclass(frozen=True)
class Shot:
    """One frame on its way.

    Attributes:
        t: number in the result.
        index: number in the source.
        frame: (H, W, 3) uint8 RGB.
        crop: where the face is, or None.
        face: (S, S, 3) uint8 RGB, the face as it is cut out, later as it is drawn; None where there is none.
    """

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
        raise InputError(f"--compat wav2lip: {generator.name} was trained on aligned crops; give weights of Wav2Lip")
    sound = Sound.read(job.audio)
    source = FaceSource(job.face, face_options)
    starts = sound.window_starts(source.fps, generator.data["audio_window"], options.compat)
    track = None
    if not options.box:
        device = str(generator.device)
        track = prepare(source, face_options, store=store, frames=len(starts), device=device, batch_size=detector_batch)
    plan = make_plan(source, track, sound, starts, generator, options)
    tags = synthetic_tags(generator.name, generator.sha256)
    faceless = _write(job.outfile, plan, sound, draw_shots(plan, generator, options.batch_size), tags, options.visible_mark)
    elapsed = time.perf_counter() - began
    return Report(job.outfile, len(starts), float(len(starts) / source.fps), elapsed, faceless)


def _write(outfile, plan, sound, shots, tags, mark):
    """Paste and encode all shots; returns the numbers of the source frames that had no face."""
    size = {"width": plan.source.width, "height": plan.source.height, "fps": plan.source.fps}
    faceless, paste = set(), Paster(plan.mask, plan.paste)
    with (
        bar("drawing lips", len(plan.starts)) as progress,
        VideoWriter(outfile, **size, audio=sound.samples, sample_rate=sound.rate, metadata=tags) as writer,
        closing(prefetch(shots, QUEUE_BYTES, _size)) as ready,
    ):
        for shot in ready:
            if shot.face is None:
                frame = shot.frame
                faceless.add(shot.index)
            else:
                frame = paste(shot.crop, shot.frame, finish_face(shot.face, plan))
            writer.write(draw_mark(frame) if mark else frame)
            progress.update()
    return sorted(faceless)


def finish_face(face, plan):
    """The drawn face (S, S, 3) uint8, optimised where the plan says so; what lies above the drawn rows is left alone."""
    if plan.optimiser is None:
        return face
    better = plan.optimiser(face)
    better[: plan.first_row] = face[: plan.first_row]
    return better


def draw_shots(plan, generator, batch_size=None):
    """Yield a Shot for each frame of the result, in order, with the face drawn where there is one.

    Args:
        plan: pipeline.plan.Plan.
        generator: MouthGenerator.
        batch_size: most frames in one batch; None chooses by device. A batch never holds more than BATCH_BYTES of frames.
    """
    reference = plan.reference_crop()
    most = batch_size or (CPU_BATCH if generator.device.type == "cpu" else GPU_BATCH)
    most = max(1, min(most, BATCH_BYTES // plan.source.frame_bytes))
    maps = None
    with closing(prefetch(_cut(plan), QUEUE_BYTES, _size)) as cut:
        for shots in _batches(cut, most):
            seen = [at for at, shot in enumerate(shots) if shot.face is not None]
            if seen:
                mels = plan.windows(shots[at].t for at in seen)
                faces = np.stack([shots[at].face for at in seen])
                references = faces if reference is None else reference
                spoken = None if plan.phonemes is None else plan.phonemes[[shots[at].t for at in seen]]
                how = {"phonemes": spoken, "truncate": plan.truncate, "row": plan.first_row}
                if plan.source.still:  # the same picture all along: what the model sees of it is computed once
                    maps = maps or generator.encode(faces[:1], references[:1])
                    faces[:, plan.first_row :] = generator.draw(mels, maps, **how)
                else:
                    faces[:, plan.first_row :] = generator(mels, faces, references, **how)
                for at, face in zip(seen, faces, strict=True):
                    shots[at] = replace(shots[at], face=face)
            while shots:
                yield shots.popleft()


def _cut(plan):
    """Yield Shots with the face as it is cut out of the source."""
    for t, (index, frame) in enumerate(plan.source.play(len(plan.starts), plan.loop, plan.count)):
        crop = plan.crops[index]
        yield Shot(t, index, frame, crop, None if crop is None else crop.extract(frame))


def _batches(shots, most):
    """Yield deques of at most `most` shots."""
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
