"""Figures of one generator on held-out prepared clips, crop to crop: the columns of the ablation's table."""

import json

import numpy as np

from benchmarks.held_out.drive import Stage
from common.files import atomic_output
from datasets.prepared import PreparedCorpus
from faces.detectors import build_detector
from metrics.formulas.correlation import pearson
from metrics.formulas.image import mouth_region, psnr, sharpness, ssim
from metrics.formulas.landmarks import mouth_distances
from metrics.sync.judges import load_judge
from metrics.sync.score import score_sync, window_count
from pipeline.drivers import load_driver

GROUPS = {"test": "held-out sentences", "unseen": "other speakers"}
COLUMNS = {  # key: (heading, digits, better)
    "zero": ("D at 0", 3, "low"),
    "distance": ("D", 3, "low"),
    "confidence": ("C", 3, "high"),
    "ssim": ("SSIM mouth", 3, "high"),
    "psnr": ("PSNR mouth", 2, "high"),
    "lmd": ("LMD", 3, "low"),
    "correlation": ("mouth r", 3, "high"),
    "sharpness": ("sharpness", 2, "high"),
}


class Examiner:
    """Held-out clips and a judge, read once; then any number of generators.

    Args:
        corpus: folder of the prepared corpus.
        generator: checkpoint of any generator of the kind that is to be measured; decides how faces are pasted.
        judge: checkpoint of a sync expert, of another split than that in the loss.
    """

    def __init__(self, corpus, generator, judge, device="cpu"):
        self.corpus, self.device = PreparedCorpus.open_folder(corpus), device
        self.detector, self.judge = build_detector("mediapipe"), load_judge(judge, device)
        stage = self._stage(generator)
        self.clips = [(split, stage.open(row), self._sound(row)) for split in GROUPS for row in self.corpus.split(split)]

    def _stage(self, checkpoint):
        return Stage(load_driver(checkpoint, device=self.device, precision="fp32"), self.detector, self.corpus)

    def _sound(self, row):
        return self.corpus.open(row)["waveform"].astype(np.float32)[None] / 32767

    def measure(self, checkpoint):
        """List of dicts, one a clip: "clip", "split", and the keys of COLUMNS."""
        stage = self._stage(checkpoint)
        driven = ((split, clip, sound, stage.drive(clip, clip.mel, clip.phonemes)) for split, clip, sound in self.clips)
        return [self._figures(*one) for one in driven]

    def no_motion(self, checkpoint):
        """The same of clips in which the mouth of the reference stands still."""
        stage, rows = self._stage(checkpoint), []
        for split, clip, sound in self.clips:
            still = np.repeat(clip.real.crops[clip.reference][None], len(clip), axis=0)
            rows.append(self._figures(split, clip, sound, stage.read(stage.paste(clip, still))))
        return rows

    def real(self):
        """The same of the real clips: what the judge says of them."""
        return [self._figures(split, clip, sound, clip.real) for split, clip, sound in self.clips]

    def _figures(self, split, clip, sound, driven):
        count = len(driven.crops)
        away, real = clip.away[:count], clip.real
        made, truth = np.where(away, driven.opening, np.nan), real.opening[:count]
        distances = mouth_distances(driven.landmarks[away], real.landmarks[:count][away], np.eye(2, 3)).aligned
        pairs = [(mouth_region(a), mouth_region(b)) for a, b, far in zip(driven.crops, real.crops, away, strict=False) if far]
        windows = window_count(count, sound.shape[1])
        seen, heard = self.judge.lips(driven.crops)[:windows], self.judge.sound(sound, 16000, windows)
        sync = score_sync(seen, heard, self.judge.rule)
        same = driven is real
        return {
            "clip": clip.id,
            "split": split,
            "zero": sync.zero_distance,
            "distance": sync.distance,
            "confidence": sync.confidence,
            "ssim": float(np.mean([ssim(a, b) for a, b in pairs])),
            "psnr": None if same else float(np.mean([psnr(a, b) for a, b in pairs])),
            "lmd": float(np.nanmean(distances)),
            "correlation": _finite(pearson(made, truth)),
            "sharpness": float(np.mean([sharpness(a) for a, _ in pairs]) / np.mean([sharpness(b) for _, b in pairs])),
        }


def _finite(value):
    return float(value) if value is not None and np.isfinite(value) else None


def store(path, rows):
    """Write the rows of `measure`."""
    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
