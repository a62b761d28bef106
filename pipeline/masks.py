"""With which weights a drawn face is laid over the frame, unless its driver says so itself."""

import numpy as np

from faces.crops import mean_face
from faces.landmarks import JAW, STABLE


class Masks:
    """Weights of each source frame: the driver's feather times the outline of the face in that frame.

    Where the landmarks are not known, because the place was given by hand, the outline is that of a mean face in that place.

    Args:
        scene: pipeline.scene.Scene.
        driver: pipeline.drivers.Driver.
    """

    def __init__(self, scene, driver):
        self._scene, self._feather = scene, driver.feather
        self._outline = driver.outline if driver.outlined and driver.pastes else None
        self._mean = mean_face(scene.size, driver.crop.kind) if scene.track is None and driver.pastes == "mouth" else None
        self._last = (None, None)

    def __call__(self, number):
        """(S, S) float32 in [0, 1] for a source frame; the same array for the same frame, not to be written into."""
        if self._last[0] != number:
            self._last = number, self._weights(number)
        return self._last[1]

    def _weights(self, number):
        (landmarks,) = self._scene.landmarks([number])
        if self._mean is not None:
            landmarks = self._mean
        if self._outline is None or not np.isfinite(landmarks[[*STABLE, *range(JAW.stop)]]).all():
            return np.ones((self._scene.size,) * 2, np.float32) if self._feather is None else self._feather
        weights = self._outline(landmarks, self._scene.size, self._scene.crops[number].smear)
        return weights if self._feather is None else weights * self._feather
