"""`--optimise_face`: the drawn faces of a job take the texture of one frame of the person."""

import numpy as np

from faces.crops import AlignedCrop, CropSpec, inverse, plan_crops
from faces.landmarks import apply_affine
from faces.optimise import FaceOptimiser
from faces.texture import texture_modules
from pipeline.reference import choose_reference


def build_optimiser(scene, driver):
    """What optimises the drawn faces of a scene.

    One reference serves for all frames also where a model is shown each its own, or textures would flicker. Its mouth alone is
    known: what the real mouth does in the other frames must not reach the drawn one.

    Args:
        scene: pipeline.scene.Scene.
        driver: pipeline.drivers.Driver.

    Returns:
        function of a face (S, S, 3) uint8 and the number of the source frame -> (S, S, 3) uint8.

    Raises:
        InputError: the reference has no face.
    """
    reference = scene.looks[0] if scene.looks else 0 if scene.track is None else choose_reference(scene.track)
    (picture,), (landmarks,) = scene.pictures([reference]), scene.landmarks([reference])
    if driver.crop.kind == "window":
        return _InPlace(scene, picture, reference)
    known = landmarks if np.isfinite(landmarks).all() else None
    optimise = FaceOptimiser(picture, texture_modules(picture), known, kind=driver.crop.kind)
    return lambda face, number: optimise(face)


class _InPlace:
    """Optimises faces that move in their windows: each is brought to the reference's place, and the change is brought back."""

    def __init__(self, scene, picture, reference):
        self._scene = scene
        self._aligned = plan_crops(scene.track, CropSpec("aligned", scene.size), fps=scene.fps)
        cut = self._place(reference).extract(picture)
        landmarks = scene.track.landmarks[reference].astype(np.float64)
        self._optimise = FaceOptimiser(cut, texture_modules(cut), apply_affine(self._aligned[reference].matrix, landmarks))

    def __call__(self, face, number):
        import cv2

        place = self._place(number)
        cut = place.extract(face)
        change = self._optimise(cut).astype(np.float32) - cut
        back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        change = cv2.warpAffine(change, place.matrix, face.shape[1::-1], flags=back, borderMode=cv2.BORDER_CONSTANT)
        return np.clip(np.rint(face + change), 0, 255).astype(np.uint8)

    def _place(self, number):
        """AlignedCrop that cuts the aligned face out of the window of a source frame."""
        to_frame, to_aligned = inverse(self._scene.crops[number].matrix), self._aligned[number].matrix
        linear = to_aligned[:, :2] @ to_frame[:, :2]
        shift = to_aligned[:, :2] @ to_frame[:, 2] + to_aligned[:, 2]
        return AlignedCrop(np.concatenate([linear, shift[:, None]], 1), self._scene.size)
