"""`--optimise_face`: the drawn faces of a shot take the texture of one frame of the person."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from faces.crops import AlignedCrop, CropSpec, inverse, plan_crops
from faces.landmarks import apply_affine
from faces.optimise import FaceOptimiser
from faces.texture import texture_modules
from pipeline.references.choice import choose_references

KEPT = 4  # references whose statistics are kept


def build_optimiser(scene, driver):
    """What optimises the drawn faces of a scene.

    One reference serves for all frames of a shot also where a model is shown each its own, or textures would flicker. Its mouth
    alone is known: what the real mouth does in the other frames must not reach the drawn one.

    Args:
        scene: pipeline.scene.Scene.
        driver: pipeline.drivers.Driver.

    Returns:
        function of a face (S, S, 3) uint8 and the number of the source frame -> (S, S, 3) uint8.

    Raises:
        InputError: the reference has no face.
    """
    if not scene.references:
        references = (0,) if scene.track is None else tuple(choose_references(scene.track).values())
        scene = replace(scene, references=references)
    if driver.crop.kind == "window":
        return _InPlace(scene)
    return _Aligned(scene, driver.crop.kind)


class _Aligned:
    """Optimises faces that lie in their crops as the reference lies in its own."""

    def __init__(self, scene, kind):
        self._scene, self._kind = scene, kind
        self._of = lru_cache(KEPT)(self._make)
        self._of(scene.references[0])

    def __call__(self, face, number):
        return self._of(self._scene.reference_of(number))(face)

    def _make(self, reference):
        scene = self._scene.for_reference(reference)
        (picture,), (landmarks,) = scene.pictures([reference]), scene.landmarks([reference])
        known = landmarks if np.isfinite(landmarks).all() else None
        return FaceOptimiser(picture, texture_modules(picture), known, kind=self._kind)


class _InPlace:
    """Optimises faces that move in their windows: each is brought to the reference's place, and the change is brought back."""

    def __init__(self, scene):
        self._scene = scene
        self._aligned = plan_crops(scene.track, CropSpec("aligned", scene.size), fps=scene.fps)
        self._of = lru_cache(KEPT)(self._make)
        self._of(scene.references[0])

    def __call__(self, face, number):
        import cv2

        place = self._place(number)
        cut = place.extract(face)
        change = self._of(self._scene.reference_of(number))(cut).astype(np.float32) - cut
        back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        change = cv2.warpAffine(change, place.matrix, face.shape[1::-1], flags=back, borderMode=cv2.BORDER_CONSTANT)
        return np.clip(np.rint(face + change), 0, 255).astype(np.uint8)

    def _make(self, reference):
        (picture,) = self._scene.for_reference(reference).pictures([reference])
        cut = self._place(reference).extract(picture)
        landmarks = self._scene.track.landmarks[reference].astype(np.float64)
        return FaceOptimiser(cut, texture_modules(cut), apply_affine(self._aligned[reference].matrix, landmarks))

    def _place(self, number):
        """AlignedCrop that cuts the aligned face out of the window of a source frame."""
        to_frame, to_aligned = inverse(self._scene.crops[number].matrix), self._aligned[number].matrix
        linear = to_aligned[:, :2] @ to_frame[:, :2]
        shift = to_aligned[:, :2] @ to_frame[:, 2] + to_aligned[:, 2]
        return AlignedCrop(np.concatenate([linear, shift[:, None]], 1), self._scene.size)
