"""The light of the reference and that of the frames, where it drifts inside a shot: a driver is shown one light alone."""

from dataclasses import replace

import numpy as np

from faces.tracking.exposure import light_factors, lit


class LightOfFrames:
    """Factors between the light of the references and that of the source frames.

    Args:
        factors: (N, 3) float32, see `faces.tracking.exposure.light_factors`.
    """

    def __init__(self, factors):
        self._factors = factors

    def to_reference(self, face, number):
        """(S, S, 3) uint8 RGB of source frame `number`, in the light of the reference."""
        return lit(face, 1 / self._factors[number])

    def to_frame(self, face, number):
        """(S, S, 3) uint8 RGB in the light of the reference, in that of source frame `number`."""
        return lit(face, self._factors[number])


def light_of(scene):
    """LightOfFrames of a scene, or None: nothing drifts, or there is no reference, or nothing is known of the light.

    Args:
        scene: pipeline.scene.Scene.
    """
    if scene.track is None or scene.still or not scene.references:
        return None
    track, factors = scene.track, np.ones((len(scene.track), 3), np.float32)
    if track.light is not None and scene.covered.any():  # what covers a mouth is not how the face is lit
        track = replace(track, light=np.where(scene.covered[:, None], np.float32(np.nan), track.light))
    for reference in scene.references:
        if reference < len(track):
            factors *= light_factors(track, reference, scene.fps)
    return None if (factors == 1).all() else LightOfFrames(factors)
