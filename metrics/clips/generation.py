"""Videos of a list of pairs, generated with checkpoints before they are measured; what is there already is not made again."""

import json
import os
from collections import Counter
from pathlib import Path

from common.errors import InputError
from common.files import atomic_output
from datasets.corpora import VIDEO_SUFFIXES
from media import read_metadata
from metrics.clips.precision import TAG
from metrics.rows import Row
from metrics.scorer import Item, Variant
from pipeline.drive import run_job
from pipeline.drivers import load_driver
from pipeline.marking import driver_tags
from pipeline.options import DriveOptions, FaceOptions, Job

SOURCE_GAP = 5  # frames: a drawing from own frames never shows the very mouth against which it is measured
HOW = "made.json"  # in the folder of the videos: how the face was chosen, which no tag of a video says
_MARK = "comment"


class Studio:
    """Makes the videos of Items, a folder for each checkpoint.

    Args:
        checkpoints: list of paths.
        folder: where the videos go: FOLDER/<system>/<name of the pair>.mp4.
        store: pipeline.tracking.TrackStore.
        device, precision: of the generators, see `pipeline.drivers.load_driver`.
        face_options: pipeline.options.FaceOptions.

    Attributes:
        systems: names of the checkpoints, in their order.
        facts: {system: sha256}.
        precisions: {system: "fp32", "fp16" or "bf16"}, of the generators.

    Raises:
        InputError: a checkpoint that cannot be read or is no generator, or a folder whose videos show another choice of face.
    """

    def __init__(self, checkpoints, folder, *, store, device="cpu", precision="auto", face_options=None):
        self.systems = system_names(checkpoints)
        self._folder, self._store, self._face_options = Path(folder), store, face_options or FaceOptions()
        self._generators = {name: load_driver(path, device=device, precision=precision)
                            for name, path in zip(self.systems, checkpoints, strict=True)}
        for generator in self._generators.values():
            generator.check(DriveOptions(), {"sound"})
            if generator.output(DriveOptions()) == "crop":
                raise InputError(f"{generator.name}: draws whole pictures, which cannot be measured against the real frames")
        self.facts = {name: generator.sha256 for name, generator in self._generators.items()}
        self.precisions = {name: generator.precision for name, generator in self._generators.items()}
        self._pairs = {}
        self._how = {"detector": self._face_options.detector, "face_index": self._face_options.selection.index}
        self._check_folder()

    def items(self, pairs):
        """List of Item for a list of metrics.clips.protocols.Pair; nothing is generated yet."""
        faces = {}
        for pair in pairs:
            for system in self.systems:
                path = self._folder / system / f"{pair.name}.mp4"
                variant = Variant(pair.name, Row("generated", system, pair.protocol), path)
                faces.setdefault(pair.face_id, (pair.face, []))[1].append(variant)
                self._pairs[path] = pair
        return [Item(face, real, tuple(variants)) for face, (real, variants) in faces.items()]

    def make(self, item):
        """Generate the videos of an Item that are not there, or are older than their face or sound, or of another checkpoint.

        Returns:
            (Item of those that are there now, list of (Variant, reason) of those that could not be made).
        """
        made, failed = [], []
        self._mark_folder()
        for variant in item.variants:
            try:
                self._make(variant)
                made.append(variant)
            except InputError as error:
                failed.append((variant, f"could not be generated: {error}"))
        return Item(item.face, item.real, tuple(made)), failed

    def _make(self, variant):
        generator, pair = self._generators[variant.row.system], self._pairs[variant.path]
        if not self._is_of(variant.path, generator) or self._is_older(variant.path, pair):
            job = Job.of(pair.face, pair.audio, variant.path)
            run_job(job, generator, self._face_options, options_of(generator), store=self._store)

    def _check_folder(self):
        path = self._folder / HOW
        try:
            found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else self._how
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read, or is damaged; give another folder with --videos") from error
        if found != self._how:
            raise InputError(f"{self._folder}: its videos were made with {found}, not with {self._how}; give another folder "
                             "with --videos")

    def _mark_folder(self):
        if not (self._folder / HOW).exists():
            with atomic_output(self._folder / HOW) as temporary:
                temporary.write_text(json.dumps(self._how) + "\n", encoding="utf-8")

    @staticmethod
    def _is_older(path, pair):
        sources = [source.stat().st_mtime_ns for source in (pair.face, pair.audio) if source.is_file()]
        return path.stat().st_mtime_ns < max(sources, default=0)

    @staticmethod
    def _is_of(path, generator):
        """The video is there and says that this very checkpoint has made it, in this precision where it tells one."""
        try:
            tags = read_metadata(path)
        except InputError:
            return False
        precisions = {tags.get(TAG, generator.precision), generator.precision}
        same = all(tags.get(name) == value for name, value in generator.tags(options_of(generator)).items())
        return same and tags.get(_MARK) == driver_tags(generator)[_MARK] and len(precisions) < 2


def options_of(driver):
    """DriveOptions with which a driver's videos are made to be measured."""
    return DriveOptions(source_gap=SOURCE_GAP if driver.moves else None)


def system_names(paths):
    """A name for each path: its stem, with the folder before it where two have the same.

    Raises:
        InputError: two of them are the same file or folder, or still have the same name.
    """
    paths = [Path(os.path.abspath(path)) for path in paths]
    known = (".safetensors", ".pth", ".pt", *VIDEO_SUFFIXES)
    stems = [path.stem if path.suffix.lower() in known else path.name for path in paths]
    twice = {stem for stem, count in Counter(stems).items() if count > 1}
    names = [f"{path.parent.name}~{stem}" if stem in twice else stem
             for path, stem in zip(paths, stems, strict=True)]
    again = [name for name, count in Counter(names).items() if count > 1]
    if again:
        raise InputError(f"{again[0]}: two of the given systems have this name; rename one of them")
    return names
