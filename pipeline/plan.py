"""What will be drawn where: everything that is decided before the pass over the video."""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from faces.crops import ALIGNED_SIDE, ALIGNED_TOP, BOX_EXTENT, AlignedCrop, fixed_box
from faces.landmarks import apply_affine
from faces.optimise import FaceOptimiser
from faces.paste import first_row
from faces.texture import texture_modules
from models.precision import exact_products
from pipeline.playback.source import FaceSource
from pipeline.reference import choose_reference


@dataclass(frozen=True)
class Plan:
    """One job, decided.

    Attributes:
        source: FaceSource.
        crops: sequence, crop of each source frame, None where there is no face.
        count: frames of the source, or None when that is not known before the pass.
        loop: what follows the end of the source, see `pipeline.playback.timeline.loop_index`.
        frames: of the result.
        looks: numbers of the source frames that the driver looks at before it draws.
        codes: what `Driver.listen` gave.
        size: S, side of the crops.
        mask: (S, S) float32, weights of the paste; None where nothing is pasted.
        pastes: "mouth", "face" or None, see Driver.
        output: "frame" or "crop".
        paste: one of `faces.paste.PASTE_STYLES`.
        optimiser: FaceOptimiser for the drawn faces, or None.
    """

    source: FaceSource
    crops: object
    count: int | None
    loop: str
    frames: int
    looks: tuple
    codes: object
    size: int
    mask: np.ndarray | None
    pastes: str | None = "mouth"
    output: str = "frame"
    paste: str = "feather"
    optimiser: FaceOptimiser | None = None

    def looked_at(self):
        """(R, S, S, 3) uint8 crops of the frames `looks`.

        Raises:
            InputError: such a frame does not exist, or has no face.
        """
        crops = [cut_reference(self.source, self.crops, self.count, number) for number in self.looks]
        return np.stack(crops) if crops else np.empty((0, self.size, self.size, 3), np.uint8)

    def finish(self, face):
        """The drawn face (S, S, 3) uint8, optimised where that is wanted; what lies above the drawn rows is left alone."""
        if self.optimiser is None:
            return face
        better, row = self.optimiser(face), first_row(self.mask)
        better[:row] = face[:row]
        return better


def make_plan(source, track, driving, frames, driver, options):
    """Decide a job.

    Args:
        source: FaceSource.
        track: FaceTrack; None with `options.box`.
        driving: pipeline.driving.Driving.
        frames: of the result.
        driver: pipeline.drivers.Driver.
        options: DriveOptions.
    """
    crops = lay_crops(source, track, driver, options)
    looks = driver.looks_at(track, options.reference)
    with exact_products(driver.precision == "fp32"):
        codes = driver.listen(driving, source.fps, frames)
    return Plan(
        source=source,
        crops=crops,
        count=None if track is None else len(track),
        loop=options.loop or driver.loop,
        frames=frames,
        looks=looks,
        codes=codes,
        size=driver.crop.size,
        mask=driver.mask,
        pastes=driver.pastes,
        output=driver.output(options),
        paste=options.paste or "feather",
        optimiser=_optimiser(source, crops, track, looks, driver) if options.optimise_face else None,
    )


def cut_reference(source, crops, count, number):
    """(S, S, 3) uint8 crop of source frame `number`.

    Raises:
        InputError: that frame does not exist, or has no face.
    """
    frame = next(source.frames(number, number + 1), None)
    if frame is None or (count is not None and number >= count):
        raise InputError(f"--reference {number}: {source.path} has no such frame among those that are used")
    if crops[number] is None:
        raise InputError(f"--reference {number}: no face in that frame; choose another")
    return crops[number].extract(frame)


def _optimiser(source, crops, track, looks, driver):
    """FaceOptimiser for the reference frame; one frame for all also where the model is shown each its own, or textures flicker.

    It knows the reference's mouth only: what the real mouth does in the other frames must not reach the drawn one.
    """
    reference = looks[0] if looks else 0 if track is None else choose_reference(track)
    face = cut_reference(source, crops, None if track is None else len(track), reference)
    landmarks = None
    if track is not None:
        landmarks = apply_affine(crops[reference].matrix, track.landmarks[reference].astype(np.float64))
    return FaceOptimiser(face, texture_modules(face), landmarks, kind=driver.crop.kind)


def lay_crops(source, track, driver, options):
    """Where the face is cut out of each source frame: a sequence of crops, None where there is no face."""
    spec = driver.crop_spec(options.pads)
    if options.box:
        crop = fixed_box(options.box, spec, source.width, source.height)
        return _Everywhere(crop if spec.kind == "box" else upright_crop(crop.box, spec.size))
    return driver.lay_crops(track, spec, source.fps, options.smooth)


def upright_crop(box, size):
    """The aligned crop of an upright face that fills a face box: for a model that knows aligned crops, and `--box`.

    Args:
        box: top, bottom, left, right in pixels, ends exclusive; Wav2Lip's extent of a face (`faces.crops.BOX_EXTENT`).
        size: S.
    """
    y1, y2, x1, x2 = box
    left, top, right, bottom = BOX_EXTENT
    scale = ((x2 - x1) / (right - left) + (y2 - y1) / (bottom - top)) / 2  # pixels per canonical unit
    eyes = np.array([(x1 + x2 - 1) / 2, (y1 + y2 - 1) / 2]) - scale * np.array([left + right, top + bottom]) / 2
    step = ALIGNED_SIDE * scale / size  # frame pixels per crop pixel
    first = eyes + scale * np.array([-ALIGNED_SIDE / 2, ALIGNED_TOP]) + step / 2
    return AlignedCrop(np.array([[1 / step, 0, -first[0] / step], [0, 1 / step, -first[1] / step]]), size)


class _Everywhere:
    """A sequence without end that holds one thing in every place."""

    def __init__(self, thing):
        self._thing = thing

    def __getitem__(self, index):
        return self._thing
