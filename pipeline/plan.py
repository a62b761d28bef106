"""What will be drawn where: everything that is decided before the pass over the video."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from common.notes import say_note
from faces.crops import ALIGNED_SIDE, ALIGNED_TOP, BOX_EXTENT, AlignedCrop, fixed_box
from faces.paste import first_row
from faces.tracking.covering import paste_opacity
from models.precision import exact_products
from pipeline.masks import Masks
from pipeline.references.light import LightOfFrames, light_of
from pipeline.references.texture import build_optimiser
from pipeline.scene import Scene

MOST_TOLD = 8  # cuts that are told one by one


@dataclass(frozen=True)
class Plan:
    """One job, decided.

    Attributes:
        scene: Scene, the source.
        codes: what `Driver.listen` gave.
        masks: Masks, weights of the paste for each source frame; None where nothing is pasted.
        first_row: the first row of a drawn face that a paste looks at.
        pastes: "mouth", "face" or None, see Driver.
        output: "frame" or "crop".
        paste: one of `faces.paste.PASTE_STYLES`.
        optimiser: function of a drawn face and the number of the source frame -> face, or None.
        light: LightOfFrames between what is drawn and the frames, or None: nothing drifts, or the driver sees to it.
    """

    scene: Scene
    codes: object
    masks: Masks | None
    first_row: int = 0
    pastes: str | None = "mouth"
    output: str = "frame"
    paste: str = "feather"
    optimiser: Callable | None = None
    light: LightOfFrames | None = None

    def cut(self, crop, frame, number):
        """The face (S, S, 3) uint8 as the driver is shown it: out of source frame `number`, in the light of its reference."""
        face = crop.extract(frame)
        return face if self.light is None else self.light.to_reference(face, number)

    def finish(self, drawn):
        """The drawn face (S, S, 3) uint8, optimised where that is wanted, in the light of its frame; what lies above the drawn
        rows is not optimised."""
        face = drawn.face
        if self.optimiser is not None:
            face = self.optimiser(drawn.face, drawn.index)
            face[: self.first_row] = drawn.face[: self.first_row]
        return face if self.light is None else self.light.to_frame(face, drawn.index)


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
    scene = make_scene(source, track, frames, driver, options)
    say_shots(scene)
    say_faces(scene)
    with exact_products(driver.precision == "fp32"):
        codes = driver.listen(driving, source.fps, frames)
    return Plan(
        scene=scene,
        codes=codes,
        masks=None if driver.pastes is None else Masks(scene, driver),
        first_row=first_row(driver.feather),
        pastes=driver.pastes,
        output=driver.output(options),
        paste=options.paste or "feather",
        optimiser=build_optimiser(scene, driver) if options.optimise_face else None,
        light=None if driver.every_shot or driver.pastes is None else light_of(scene),
    )


def make_scene(source, track, frames, driver, options):
    """Scene of a job; arguments as of `make_plan`."""
    crops = lay_crops(source, track, driver, options)
    laid = next((crop for crop in ((crops[0],) if track is None else crops) if crop is not None), driver.crop)
    left_out = frozenset()
    if track is not None:
        drawn = np.array([crop is not None for crop in crops], bool)
        left_out = frozenset(np.flatnonzero(track.present & ~drawn).tolist())
        track = replace(track, present=track.present & drawn)
    references = driver.reference_frames(track, options.reference)
    opacity = None
    if driver.keeps_covered(options) and track is not None and track.covered is not None and track.covered.any():
        free = (track.present & ~track.covered).any()
        if free or options.covered == "keep":
            opacity = paste_opacity(track.covered, source.fps, track.shots)
        else:  # nothing would be drawn at all, which nobody has asked for
            say_note(f"{source.path}: the mouth looks covered in every frame, so all are drawn; --covered keep leaves them as "
                     "they are")  # fmt: skip
    return Scene(source, track, crops, laid.size, frames, options.loop or driver.loop, references, options, left_out, opacity)


def say_shots(scene):
    """A note where the source has several shots with a face: how many, where they begin, and what serves them."""
    cuts = [] if scene.track is None else scene.track.cuts()
    if cuts:
        where = ", ".join(map(str, cuts[:MOST_TOLD])) + (" ..." if len(cuts) > MOST_TOLD else "")
        reference = scene.options.reference
        served = f"; one reference (frame {reference}) serves all" if isinstance(reference, int) else ""
        frames = f"frame{'' if len(cuts) == 1 else 's'} {where}"
        say_note(f"{scene.source.path}: {len(cuts) + 1} shots, cut at {frames}; the face is chosen anew in each{served}")


def say_faces(scene):
    """A note where a picture shows several faces: how many, and which is driven."""
    if scene.source.is_image and scene.track is not None and scene.track.most_faces > 1:
        say_note(f"{scene.source.path}: shows {scene.track.most_faces} faces; the largest is driven unless --face_index or "
                 "--face_near chooses another")  # fmt: skip


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
