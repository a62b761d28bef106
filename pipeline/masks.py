"""With which weights a drawn face is laid over the frame, unless its driver says so itself."""

import numpy as np


class Masks:
    """Weights of each source frame: the driver's feather times the outline of the face in that frame.

    Where the landmarks are not known, because the place was given by hand, the feather serves alone.

    Args:
        scene: pipeline.scene.Scene.
        driver: pipeline.drivers.Driver.
    """

    def __init__(self, scene, driver):
        self._scene, self._feather = scene, driver.feather
        self._outline = driver.outline if driver.outlined and driver.pastes else None
        self._last = (None, None)

    def __call__(self, number):
        """(S, S) float32 in [0, 1] for a source frame; the same array for the same frame, not to be written into."""
        if self._last[0] != number:
            self._last = number, self._weights(number)
        return self._last[1]

    def _weights(self, number):
        (landmarks,) = self._scene.landmarks([number])
        if self._outline is None or not np.isfinite(landmarks).all():
            return np.ones((self._scene.size,) * 2, np.float32) if self._feather is None else self._feather
        weights = self._outline(landmarks, self._scene.size, self._scene.crops[number].smear)
        return weights if self._feather is None else weights * self._feather
