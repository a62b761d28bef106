"""Drive a tracked face: one pass over the video, each stage in a thread of its own, queues bounded in bytes.

    reader: decode, cut the face out  ->  driver, in batches  ->  this thread: paste, encode

The sound is encoded once, beside the picture. Which family of methods draws is the driver's matter (`pipeline.drivers`).
"""

import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.errors import InputError
from common.notes import say_note
from media import VideoWriter, probe
from media.notes import say_notes
from pipeline.driving import Driving, DrivingVideo, open_driving
from pipeline.frames import QUEUE_BYTES, draw_frames
from pipeline.marking import draw_mark, driver_tags
from pipeline.output import output_of
from pipeline.plan import make_plan
from pipeline.playback.source import FaceSource
from pipeline.prefetch import prefetch
from pipeline.progress import bar
from pipeline.sound import Sound
from pipeline.tracking import prepare
from speech.waveform import SAMPLE_RATE


@dataclass(frozen=True)
class Report:
    """What one job came to.

    Attributes:
        outfile: the video that was written.
        frames: in the result.
        video_seconds: length of the result.
        elapsed: seconds from start to end.
        faceless: ascending numbers of the source's frames that were shown, and in which no face was found.
        output: "frame" or "crop".
        left_out: as `faceless`, of the frames whose face was found but not drawn.
        why: the reason for that, see `Driver.leaves_out`.
        covered: as `faceless`, of the frames with a face whose mouth something covers.
        kept: those frames stay as they are; else they are drawn like the others.
    """

    outfile: Path
    frames: int
    video_seconds: float
    elapsed: float
    faceless: list[int]
    output: str = "frame"
    left_out: list[int] = field(default_factory=list)
    why: str = ""
    covered: list[int] = field(default_factory=list)
    kept: bool = False


def run_job(job, driver, face_options, options, *, store, detector_batch=8, source=None):
    """Make one talking video.

    Args:
        job: pipeline.options.Job.
        driver: pipeline.drivers.Driver.
        face_options: pipeline.options.FaceOptions.
        options: pipeline.options.DriveOptions.
        store: pipeline.tracking.TrackStore.
        detector_batch: frames in one detection batch, where the detector takes batches.
        source: FaceSource of the job's face with these options, where it has been opened before; None opens it.

    Returns:
        Report.

    Raises:
        InputError: something is wrong with what the user gave; nothing is then left under the output's name.
    """
    began = time.perf_counter()
    driver.check(options, job.given)
    source = source or FaceSource(job.face, face_options)
    say_notes(source.info)
    if options.source_gap and source.still:
        raise InputError(f"--source_gap {options.source_gap}: a picture, or --static, has one frame alone, from which it is "
                         "drawn; leave --source_gap out")  # fmt: skip
    for flag, path in (("--drive", job.drive), ("--pose", job.pose)):
        if path is not None:
            say_notes(open_driving(path, flag, face_options)[0].info)  # a wrong file is told first
    how = {"store": store, "device": str(driver.device), "batch_size": detector_batch}
    followed = {**how, "smooth": options.smooth}
    driving = replace(_speech(job, driver, face_options, options, followed), still=job.still)
    if driver.uses_words and driving.sound is not None:
        options.speech.check(len(driving.sound.waveform) / SAMPLE_RATE)
    frames = driver.frames(driving, source.fps)
    track = None if options.box else prepare(source, face_options, frames=frames, **how)
    if job.pose:
        pose = DrivingVideo.follow(job.pose, "--pose", face_options, seconds=frames / source.fps, **followed)
        driving = replace(driving, pose=pose)
    plan = make_plan(source, track, driving, frames, driver, options)
    tags = {**driver_tags(driver), **driver.tags(options)}
    drawn = draw_frames(plan, driver, options.batch_size)
    plan = replace(plan, codes=None)  # the drawing alone has them now, and lets go of what it needs no more
    undrawn = _write(job.outfile, plan, driving.sound, drawn, tags, options.visible_mark)
    for remark in driver.remarks():
        say_note(f"{job.outfile}: {remark}")  # each result's own, though another's may be the same
    elapsed = time.perf_counter() - began
    scene, kept = plan.scene, plan.scene.opacity is not None
    there = scene.covered if scene.count is None else scene.covered & scene.track.present
    covered = sorted({int(number) for number in scene.shown if there[number]}) if there.any() else []
    undrawn = sorted(set(undrawn) - set(covered if kept else ()))
    faceless = [number for number in undrawn if number not in scene.left_out]
    left_out = [number for number in undrawn if number in scene.left_out]
    seconds = float(frames / source.fps)
    return Report(job.outfile, frames, seconds, elapsed, faceless, plan.output, left_out, driver.leaves_out, covered, kept)


def _speech(job, driver, face_options, options, how):
    """Driving with its sound and, where there is one, the driving video of the speech."""
    if job.drive is None:
        return Driving(Sound.read(job.audio), options.speech)
    sound = None
    if "sound" in driver.needs or probe(job.drive).has_audio:
        sound = Sound.read(job.drive, "driving video")
    seconds = None if sound is None else len(sound.waveform) / SAMPLE_RATE
    return Driving(sound, options.speech, DrivingVideo.follow(job.drive, "--drive", face_options, seconds=seconds, **how))


def _write(outfile, plan, sound, drawn, tags, mark):
    """Paste and encode all frames; returns the numbers of the source frames that were shown and not drawn."""
    output, undrawn = output_of(plan), set()
    size = {"width": output.width, "height": output.height, "fps": plan.scene.fps}
    heard = {} if sound is None else {"audio": sound.samples, "sample_rate": sound.rate}
    with (
        bar("drawing", plan.scene.frames) as progress,
        VideoWriter(outfile, **size, **heard, metadata=tags) as writer,
        closing(prefetch(drawn, QUEUE_BYTES, lambda one: one.nbytes)) as ready,
    ):
        for one in ready:
            if one.face is None:
                undrawn.add(one.index)
            picture = output(one)
            writer.write(draw_mark(picture, plan.pastes or "face") if mark else picture)
            progress.update()
    return sorted(undrawn)
