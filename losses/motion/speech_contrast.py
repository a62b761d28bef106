"""Speech heard and speech seen share one space of mouth features (PC-AVS, arXiv 2104.11116)."""

import torch
import torch.nn.functional as F

from common.errors import InputError
from common.schema import REQUIRED, Flag, Number
from common.suggest import refuse_unknown
from losses.davs.parts import model_giving
from losses.term import Term

DEFINITIONS = ("cosine", "distance")
LEAST = 1e-3  # of a distance that is inverted


class SpeechContrast(Term):
    """Contrast of the mouth features of sound and of video, over concatenations of `frames` frames brought to unit length.

    Every window of the batch gives concatenations that start `shift` frames apart, so that the others are other windows and
    the same window at another time. The value is the sum of two cross-entropies: choosing the sound of a video, and the
    video of a sound.

    cosine: by cosine over `temperature`; both sides learn from both (the paper, which has no temperature: 1). distance: by the
    inverse of the distance; each side learns against the other one, which takes no gradient of that (the published code, with
    one concatenation of 12 frames a window and weight 100; the paper's weight is 1). Distances below 0.001 count as 0.001
    (ours).

    The figure `right` is the share of the concatenations of sound whose best video is their own.

    Args:
        definition: "cosine" or "distance".
        frames: of a concatenation.
        shift: frames from one start to the next.
        temperature: of "cosine".
        centred: the mean of a concatenation over its frames is taken from it first, so that movements are compared, and who it
            is does not help to tell windows of several people apart (ours).

    Raises:
        InputError: an unknown definition, or windows shorter than a concatenation.
    """

    reads = ("audio_mouth", "video_mouth")
    ranges = {
        "frames": Number(REQUIRED, 1, 1000, whole=True),
        "shift": Number(REQUIRED, 1, 1000, whole=True),
        "temperature": Number(REQUIRED, 0.001, 100),
        "centred": Flag(REQUIRED),
    }

    def __init__(self, definition="cosine", frames=12, shift=4, temperature=1.0, centred=False):
        super().__init__()
        refuse_unknown([definition], DEFINITIONS, "losses.speech_contrast.definition")
        self.definition, self.frames, self.shift, self.temperature = definition, int(frames), int(shift), float(temperature)
        self.centred = centred

    @classmethod
    def prepare(cls, options, setting, name):
        """Check the frames against the window; see losses.term.Term."""
        model_giving(setting, name, *cls.reads)
        frames = options.get("frames", 12)
        if setting.frames < frames:
            raise InputError(f"losses.{name}.frames: {frames} is more than the {setting.frames} frames of data.window")
        return options

    def forward(self, outputs, batch):
        """`audio_mouth`, `video_mouth` (B, T, M) float, T >= frames -> scalar."""
        sound, video = (self._joined(outputs[name]) for name in self.reads)
        own = torch.arange(len(sound), device=sound.device)
        if self.definition == "cosine":
            likeness = video @ sound.T / self.temperature
            value = F.cross_entropy(likeness, own) + F.cross_entropy(likeness.T, own)
        else:
            likeness = _inverse(video.detach(), sound)
            value = F.cross_entropy(likeness, own) + F.cross_entropy(_inverse(sound.detach(), video), own)
        right = (likeness.detach().argmax(0) == own).sum()
        return value, {"right": (right, right.new_full((), len(own)))}

    def _joined(self, features):
        """(B, T, M) -> (B * starts, frames * M) of unit length."""
        joined = features.unfold(1, self.frames, self.shift).transpose(2, 3)  # (B, starts, frames, M)
        if self.centred:
            joined = joined - joined.mean(2, keepdim=True)
        return F.normalize(joined.flatten(2).flatten(0, 1), dim=1, eps=1e-6)


def _inverse(one, other):
    """(N, D), (N, D) -> (N, N), 1 / distance."""
    # not by products, whose rounding is far above the distance of features that are nearly equal
    return 1 / torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist").clamp_min(LEAST)
