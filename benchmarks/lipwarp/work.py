"""Drives one clip in each of the ways and reads what came out; runs in a process of its own."""

from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.lipwarp.clips import LONGEST, write_wav
from benchmarks.lipwarp.figures import Reading, closures, leak_figures, lip_figures, mean_sharpness, picture_figures
from common.errors import InputError
from speech.arpabet import NUMBER
from speech.waveform import SAMPLE_RATE

GAP = 15  # frames about the drawn one of which no pixel is taken
WAYS = ("own", "other", "silence", "portrait")
LIP_CLOSERS = {NUMBER[phone] for phone in ("B", "P", "M")}


class Bench:
    """Driver, detector and judge, loaded once in a process.

    Args:
        checkpoint: of the driver; judge: of a sync judge that taught nothing; delay_judge: of the one that measures how far the
            sound of a real clip trails.
        folder: Path for the made videos.
        gap: frames about the drawn one of which no pixel is taken; None where the driver does not ask.
    """

    def __init__(self, checkpoint, judge, delay_judge, folder, gap=GAP):
        from faces.detectors import build_detector
        from metrics.sync.judges import load_judge
        from pipeline.drivers import load_driver

        self.driver, self.detector = load_driver(checkpoint, device="cpu"), build_detector("mediapipe")
        self.judge, self.delay_judge = load_judge(judge, "cpu"), load_judge(delay_judge, "cpu")
        self.folder, self.gap = Path(folder), gap

    def close(self):
        """Free the detector."""
        self.detector.close()

    def real(self, clip):
        """(Footage, Reading, seconds by which its sound trails, row of the judge) of a real clip."""
        from media import decode_audio, probe
        from metrics.footage import open_footage

        info = probe(clip.path)
        footage = open_footage(clip.path, self.detector, limit=int(LONGEST * info.fps))
        found = self.judged(footage, decode_audio(clip.path), self.delay_judge)
        delay = -found["offset"] / 25 if found and found["sure"] else 0.0  # an offset is positive where the picture lags
        return footage, Reading(footage), delay

    def judged(self, footage, sound, judge):
        """{"offset", "confidence", "zero", "sure"} of a judge, or None where the clip is too short."""
        from metrics.sync.video import judge_video

        try:
            score = judge_video(footage, sound, judge).score
        except InputError:
            return None
        return {"offset": score.offset, "confidence": score.confidence, "zero": score.zero_distance,
                "sure": bool(score.confidence >= judge.least_confidence(score.windows))}  # fmt: skip

    def drive(self, clip, face, samples, way, fps=None):
        """Make a video of `face` saying (n,) `samples`; returns its path."""
        from pipeline.drive import run_job
        from pipeline.options import DriveOptions, FaceOptions, Job
        from pipeline.tracking import TrackStore

        self.folder.mkdir(parents=True, exist_ok=True)
        sound, out = (self.folder / f"{clip.name}_{way}{suffix}" for suffix in (".wav", ".mp4"))
        write_wav(sound, samples)
        options = DriveOptions() if self.gap is None or way == "portrait" else DriveOptions(source_gap=self.gap)
        run_job(Job.of(face, sound, out), self.driver, FaceOptions(fps=fps), options, store=TrackStore(None))
        return out

    def work(self, clip, partner, ways=WAYS):
        """Rows of one clip: dict of way -> dict of figures."""
        from media import decode_audio
        from metrics.compare import open_generated

        footage, truth, delay = self.real(clip)
        own = clip.sound(delay)
        rows = {"real": {"delay": delay, "frames": len(footage)}}
        judged = self.judged(footage, (own[None], SAMPLE_RATE), self.judge)
        rows["real"] |= {"judge": judged, "sharpness": mean_sharpness(footage)}
        for way in ways:
            face, samples, fps = clip.path, own, None
            if way == "other":
                heard_footage, heard, heard_delay = self.real(partner)
                samples = partner.sound(heard_delay)
                samples = samples[: int(len(footage) / float(footage.info.fps) * SAMPLE_RATE)]
            elif way == "silence":
                samples = np.zeros_like(own)
            elif way == "portrait":
                face, fps = self._portrait(clip, footage, truth), footage.info.fps
            path = self.drive(clip, face, samples, way, fps)
            if way == "portrait":
                made = self._portrait_footage(path, footage)
            else:
                made = open_generated(path, footage, self.detector)
            read = Reading(made, truth.person if way != "portrait" else None)
            row = {"judge": self.judged(made, decode_audio(path), self.judge)}
            if way in ("own", "portrait"):
                row |= lip_figures(read, truth)
                row |= self._closures(samples, footage, read, truth)
            if way == "own":
                row |= picture_figures(made, footage)
            if way == "portrait":
                row["sharpness"] = mean_sharpness(made) / rows["real"]["sharpness"]
            if way == "other":
                row |= leak_figures(read.opening, _at_rate(heard.opening, heard_footage, footage), truth.opening)
            if way == "silence":
                row["movement"] = float(np.nanstd(read.opening) / np.nanstd(truth.opening))
                row["level"] = float(np.nanmedian(read.opening) - np.nanpercentile(truth.opening, 10))
            rows[way] = row
        return rows

    def _closures(self, samples, footage, read, truth):
        from speech.alignment import AlignmentError
        from speech.labelling import SpeechText, align_speech
        from speech.phonemes import phoneme_runs

        try:
            phones = align_speech(samples, SpeechText()).phones
        except AlignmentError:
            return {"closures": None}
        runs = phoneme_runs(phones, footage.info.fps, len(footage))
        openings = (read.opening, truth.opening)
        made, real = (closures(opening, truth.opening, runs, LIP_CLOSERS) for opening in openings)
        return {"closures": [*made, *real]}

    def _portrait(self, clip, footage, truth):
        """Path of a picture: the frame in which the mouth rests."""
        import cv2

        frame = next(islice(footage.frames(), truth.reference, None))
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{clip.name}_portrait.png"
        cv2.imwrite(str(path), frame[..., ::-1])
        return path

    def _portrait_footage(self, path, footage):
        from metrics.footage import open_footage

        return open_footage(path, self.detector, limit=len(footage))


def _at_rate(series, footage, target):
    """(n,) series of one video at the frame rate of another."""
    if footage.info.fps == target.info.fps:
        return series
    ratio = float(footage.info.fps / target.info.fps)
    wanted = np.arange(int(len(series) / ratio)) * ratio
    return np.interp(wanted, np.arange(len(series)), series)


_bench = None


def start(*arguments):
    """Initialiser of a worker process."""
    global _bench
    import torch

    torch.set_num_threads(1)
    _bench = Bench(*arguments)


def run_one(clip, partner, ways):
    """(clip's name, rows, message of a failure or "")."""
    try:
        return clip, _bench.work(clip, partner, ways), ""
    except InputError as error:
        return clip, {}, str(error)
