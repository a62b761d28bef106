"""What is written of a drawn frame: the whole frame with the face laid over it, or the driver's crop alone."""

import numpy as np

from faces.paste import Paster
from faces.window import WindowCrop


class FrameOutput:
    """Whole frames of the source; one without a face, or whose covered mouth is kept, stays as it is.

    Args:
        plan: pipeline.plan.Plan with masks.

    Attributes:
        width, height: of the pictures.
    """

    def __init__(self, plan):
        self.width, self.height = plan.scene.source.width, plan.scene.source.height
        self._plan, self._paste = plan, Paster(plan.paste)

    def __call__(self, drawn):
        """(H, W, 3) uint8 RGB of a DrawnFrame."""
        if drawn.face is None:
            return drawn.frame
        return self._paste(drawn.crop, drawn.frame, self._plan.finish(drawn), drawn.mask)


class CropOutput:
    """Square crops as the driver draws them; black where there is no face.

    Where a mouth alone is drawn, it is laid over the source's own crop, as it would be over the frame; where it is covered and
    kept, that crop stays as it is.

    Args:
        plan: pipeline.plan.Plan.

    Attributes:
        width, height: of the pictures.
    """

    def __init__(self, plan):
        self.width = self.height = plan.scene.size
        self._plan, self._itself = plan, WindowCrop(0, 0, plan.scene.size)
        self._paste = Paster(plan.paste) if plan.pastes == "mouth" else None

    def __call__(self, drawn):
        """(S, S, 3) uint8 RGB of a DrawnFrame."""
        if drawn.face is None and drawn.crop is not None:
            return drawn.crop.extract(drawn.frame)
        if drawn.face is None:
            return np.zeros((self.height, self.width, 3), np.uint8)
        face = self._plan.finish(drawn)
        if self._paste is None:
            return face
        return self._paste(self._itself, drawn.crop.extract(drawn.frame), face, drawn.mask)


def output_of(plan):
    """FrameOutput or CropOutput, as the plan says."""
    return (CropOutput if plan.output == "crop" else FrameOutput)(plan)
