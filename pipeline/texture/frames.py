"""Real and generated frames side by side, one after the other, with modules, optimised face and spatial loss of each."""

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from pipeline.texture.modules import Texture, find_texture, picture_loss


@dataclass(frozen=True)
class View:
    """One frame and what was found in it.

    Attributes:
        index: number of the frame.
        texture: Texture of the real frame, or of its face crop; None where a crop was asked for and there is no face.
        generated: (H, W, 3) uint8, the same part of the generated frame, or None.
        optimised: (H, W, 3) uint8, the same part after face optimisation, or None.
        frame: (H, W, 3) uint8, the whole generated frame after face optimisation, or None.
        loss, loss_after: spatial loss before and after optimisation, or None.
    """

    index: int
    texture: Texture | None
    generated: np.ndarray | None = None
    optimised: np.ndarray | None = None
    frame: np.ndarray | None = None
    loss: float | None = None
    loss_after: float | None = None


class Pair:
    """A real picture or video and, if there is one, the generated one that belongs to it; opened anew for each pass.

    Args:
        real, generated: paths; `generated` may be None.

    Attributes:
        real, generated: media.VideoInfo, or None; fps: Fraction; width, height: of the real frames.

    Raises:
        InputError: a file that cannot be read, or two that do not fit together.
    """

    def __init__(self, real, generated=None):
        self.real = look(real, "real picture or video")
        self.generated = None if generated is None else look(generated, "generated picture or video")
        self.width, self.height = self.real.width, self.real.height
        if self.generated is None:
            self.fps = self.real.fps
            return
        self.fps = (self.generated if self.real.is_image else self.real).fps
        if self.generated.is_image and not self.real.is_image:
            raise InputError(f"{generated}: is a picture; give the generated video that belongs to {real}")
        wide, high = self.generated.width - self.width, self.generated.height - self.height
        even = wide in (0, self.width % 2) and high in (0, self.height % 2)  # H.264 takes even sides only
        if not even:
            raise InputError(
                f"{generated}: is {self.generated.width}x{self.generated.height}, but {real} is {self.width}x{self.height}; "
                "give pictures of one size"
            )

    @property
    def infos(self):
        """media.VideoInfo of each file."""
        return [one for one in (self.real, self.generated) if one is not None]

    @property
    def frames(self):
        """Frames to expect, or None."""
        counts = [one.frames for one in (self.real, self.generated) if one is not None and not one.is_image]
        return None if None in counts else min(counts, default=1)

    @property
    def is_image(self):
        """There is one frame only."""
        return self.real.is_image and (self.generated is None or self.generated.is_image)

    def __iter__(self):
        """Yield (real, generated or None), (H, W, 3) uint8 RGB each, as long as both last.

        A real picture beside a generated video is repeated: the same array is given again.
        """
        from media import VideoReader

        with ExitStack() as stack:
            real = stack.enter_context(VideoReader(self.real.path, fps=None if self.real.is_image else self.fps))
            if self.generated is None:
                yield from ((frame, None) for frame in real)
                return
            fps = None if self.generated.is_image else self.fps
            generated = stack.enter_context(VideoReader(self.generated.path, fps=fps))
            frames = self._held(real) if self.real.is_image else iter(real)
            for frame, made in zip(frames, generated, strict=False):
                yield frame, made[: self.height, : self.width]

    @staticmethod
    def _held(reader):
        frame = next(iter(reader))
        while True:
            yield frame


def look(path, what):
    """media.VideoInfo, or InputError for whatever cannot be read."""
    from media import probe

    try:
        return probe(path, what)
    except (OSError, SyntaxError) as error:
        raise InputError(f"{path}: is damaged or cannot be read ({error})") from error


class Examiner:
    """Turns pairs of frames into Views.

    Args:
        spec: faces.texture.TextureSpec.
        crop: index -> crop of the real frame or None, or None to look at whole frames.
        improve: (index, generated frame) -> frame with its face optimised (pipeline.texture.faces.FaceImprover), or None.
    """

    def __init__(self, spec, *, crop=None, improve=None):
        self._spec, self._crop, self._improve = spec, crop, improve
        self._seen = (None, None)

    def view(self, index, real, generated):
        """View of the frame `index`; `generated` may be None."""
        frame = None if generated is None or self._improve is None else self._improve(index, generated)
        crop = None if self._crop is None else self._crop(index)
        if self._crop is not None and crop is None:
            return View(index, None, frame=frame)
        part = np.asarray if crop is None else crop.extract
        texture = self._texture(real, part)
        made, better = (None if one is None else part(one) for one in (generated, frame))
        losses = [None if one is None else picture_loss(one, texture.picture, texture.labels) for one in (made, better)]
        return View(index, texture, made, better, frame, *losses)

    def _texture(self, real, part):
        """Texture of `part` of the real frame; that of a picture is found once."""
        if self._seen[0] is not real:
            self._seen = real, find_texture(part(real), self._spec)
        return self._seen[1]
