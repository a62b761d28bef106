"""Figures of one network: every clip driven in every way, and measured as evaluate.py measures."""

import json
from dataclasses import replace
from pathlib import Path

from benchmarks.compare_methods.clips import WAYS, file_name
from common.errors import InputError
from common.files import atomic_output
from faces.detectors import build_detector
from metrics.clips.generation import options_of
from metrics.measures.registry import columns_of
from metrics.results import Results
from metrics.rows import COPY, REAL, Row
from metrics.scorer import Item, Options, Scorer, Variant
from pipeline.drive import run_job
from pipeline.drivers import load_driver
from pipeline.options import DriveOptions, FaceOptions, Job
from pipeline.playback.source import FaceSource
from pipeline.tracking import prepare
from training.checkpoint import load_checkpoint


class Driven:
    """Videos of one network, made where they are missing.

    Args:
        checkpoint: of the network; options: dict of DriveOptions beside the defaults.
        folder: of the videos; material: clips.Material; store: pipeline.tracking.TrackStore.
    """

    def __init__(self, checkpoint, options, folder, material, store, device="cpu"):
        self._driver = load_driver(checkpoint, device=device, precision="auto")
        self._options, self._folder = options, Path(folder)
        self._material, self._store = material, store
        self._taken = self._folder / "seconds.json"

    def make(self, clip, way):
        """Path of the video of a clip in one way."""
        path = self._folder / way / file_name(clip, ".mp4")
        if not path.is_file():
            face, sound = self._material.face_and_sound(clip, way)
            path.parent.mkdir(parents=True, exist_ok=True)
            faces = FaceOptions()
            usual = DriveOptions() if way == "portrait" else options_of(self._driver)  # a picture has no other frames
            options = replace(usual, **self._options)
            prepare(FaceSource(face, faces), faces, store=self._store)  # the face is found before the clock starts
            report = run_job(Job.of(face, sound, path), self._driver, faces, options, store=self._store)
            self._note(way, clip, report.elapsed / report.frames)
        return path

    def seconds(self):
        """{way: {clip: seconds a frame}}, decoding, drawing, pasting and encoding included, finding the face not."""
        return json.loads(self._taken.read_text(encoding="utf-8")) if self._taken.is_file() else {}

    def _note(self, way, clip, seconds):
        taken = self.seconds()
        taken.setdefault(way, {})[clip.id] = seconds
        with atomic_output(self._taken) as path:
            path.write_text(json.dumps(taken) + "\n", encoding="utf-8")


def measure(driven, clips, networks):
    """Drive and measure.

    Args:
        driven: Driven, or None for the real videos and for no motion alone.
        clips: list of clips.Clip; networks: metrics.networks.load.Networks.

    Returns:
        {"clips": list of {"clip", "group", "way", "values"}, "frechet": {group: {way: value}}, "failed": list of reasons,
        "labels": {key of a column: its name}}; the ways of no network are "real" and "no motion".
    """
    detector = build_detector("mediapipe")
    scorer, found, failed, distances = Scorer(detector, networks, Options()), [], [], {}
    results = {}
    for clip in clips:
        variants = []
        for way, (protocol, _) in WAYS.items() if driven else ():
            try:
                variants.append(Variant(clip.id, Row("generated", way, protocol), driven.make(clip, way)))
            except InputError as error:
                failed.append(f"{clip.id}, {way}: {error}")
        scores = scorer.measure(Item(clip.id, clip.video, tuple(variants)))
        failed += [f"{one['name']}, {one['row'].label}: {one['reason']}" for one in scores.failed]
        results.setdefault(clip.group, Results()).add(clip.id, scores)
        for record in scores.records:
            way = _way(record["row"])
            if driven and record["row"].kind != "generated":
                continue
            found.append({"clip": clip.id, "group": clip.group, "way": way, "values": record["values"]})
    for group, sums in results.items():
        distances[group] = {_way(row): one["value"] for row, one in sums.distances(force=True).items()}
    detector.close()
    labels = {column.key: column.label for column in columns_of(scorer.measures)}
    return {"clips": found, "frechet": distances, "failed": failed, "labels": labels}


def _way(row):
    return {REAL: "real", COPY: "no motion"}.get(row, row.system)


def parameters(checkpoint):
    """Millions of parameters of a network."""
    return sum(one.numel() for one in load_checkpoint(checkpoint).model.parameters()) / 1e6
