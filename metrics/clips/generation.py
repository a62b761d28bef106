"""Videos of a list of pairs, generated with checkpoints before they are measured; what is there already is not made again."""

import json
from pathlib import Path

from common.errors import InputError
from common.files import atomic_output
from media import read_metadata
from metrics.clips.names import system_names
from metrics.clips.pairs import folder_name
from metrics.rows import Row
from metrics.scorer import Item, Variant
from pipeline.drive import run_job
from pipeline.drivers import load_driver
from pipeline.marking import driver_tags
from pipeline.options import DriveOptions, FaceOptions, Job

SOURCE_GAP = 5  # frames: a drawing from own frames never shows the very mouth against which it is measured
HOW = "made.json"  # in the folder of the videos: how the face was chosen, which no tag of a video says
_MARK = "comment"


class VideoGenerator:
    """Generates the videos of Items, a folder for each checkpoint.

    Args:
        checkpoints: list of paths.
        folder: where the videos go: FOLDER/<run>/<name of the pair>.mp4.
        store: pipeline.tracking.TrackStore.
        device, precision: of the generators, see `pipeline.drivers.load_driver`.
        face_options: pipeline.options.FaceOptions.
        names: of the systems in the table, checked; None takes those of `metrics.clips.names.system_names`. They do not
            change the folders.

    Attributes:
        systems: names of the systems, in the order of the checkpoints.
        facts: {system: sha256}.
        precisions: {system: "fp32", "fp16" or "bf16"}, of the generators.

    Raises:
        InputError: a checkpoint that cannot be read or is no generator, or a folder whose videos show another choice of face.
    """

    def __init__(self, checkpoints, folder, *, store, device="cpu", precision="auto", face_options=None, names=None):
        drivers = [load_driver(path, device=device, precision=precision) for path in checkpoints]
        for driver in drivers:
            driver.check(DriveOptions(), {"sound"})
            if driver.output(DriveOptions()) == "crop":
                raise InputError(f"{driver.name}: draws whole pictures, which cannot be measured against the real frames")
        runs = system_names(checkpoints, [driver.run for driver in drivers])
        self.systems = names or runs
        self._folder, self._store, self._face_options = Path(folder), store, face_options or FaceOptions()
        self._folders = {system: self._folder / folder_name(run) for system, run in zip(self.systems, runs, strict=True)}
        self._drivers = dict(zip(self.systems, drivers, strict=True))
        self.facts = {name: driver.sha256 for name, driver in self._drivers.items()}
        self.precisions = {name: driver.precision for name, driver in self._drivers.items()}
        self._pairs = {}
        self._how = {"detector": self._face_options.detector, "face_index": self._face_options.selection.index}
        self._check_folder()

    def items(self, pairs):
        """List of Item for a list of metrics.clips.protocols.Pair; nothing is generated yet."""
        faces = {}
        for pair in pairs:
            for system in self.systems:
                path = self._folders[system] / f"{pair.name}.mp4"
                variant = Variant(pair.name, Row("generated", system, pair.protocol), path)
                faces.setdefault(pair.face_id, (pair.face, []))[1].append(variant)
                self._pairs[path] = pair
        return [Item(face, real, tuple(variants)) for face, (real, variants) in faces.items()]

    def sounds(self):
        """Paths of the sounds that drive the videos of `items`, each once."""
        return list(dict.fromkeys(pair.audio for pair in self._pairs.values()))

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
        driver, pair = self._drivers[variant.row.system], self._pairs[variant.path]
        if not self._is_of(variant.path, driver) or self._is_older(variant.path, pair):
            job = Job.of(pair.face, pair.audio, variant.path)
            run_job(job, driver, self._face_options, options_of(driver), store=self._store)

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
    def _is_of(path, driver):
        """The video is there and says that this very checkpoint has made it, in this precision where it tells one."""
        try:
            tags = read_metadata(path)
        except InputError:
            return False
        precisions = {tags.get("precision", driver.precision), driver.precision}
        same = all(tags.get(name) == value for name, value in driver.tags(options_of(driver)).items())
        return same and tags.get(_MARK) == driver_tags(driver)[_MARK] and len(precisions) < 2


def options_of(driver):
    """DriveOptions with which a driver's videos are made to be measured."""
    return DriveOptions(source_gap=SOURCE_GAP if driver.moves else None)
