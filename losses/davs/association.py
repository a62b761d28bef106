"""Speech heard and speech seen share one space: codes of one moment are near each other (arXiv 1807.07860)."""

import torch
import torch.nn.functional as F

from common.errors import InputError
from common.schema import REQUIRED, Number
from common.suggest import refuse_unknown
from losses.davs.parts import model_giving
from losses.term import Term

FORMS = ("margin", "infonce")
SIDES = ("video", "each")


class Association(Term):
    """Contrast of the codes of sound and of video, over concatenations of `frames` frames brought to unit length.

    margin: [sum_i d_ii^2 + sum_{i != j} max(0, margin - d_ij)^2] / (2 N), d the distances of N concatenations of video to N
    of sound; the published form. infonce: cross-entropy of choosing the own one among the N by cosine over `temperature`, both
    ways (arXiv 1807.03748 eq. 4; ours).

    The figure `right` is the share of concatenations of sound whose nearest one of video is their own. Where faces are drawn
    the published code compares codes of unit length (12 frames, `detach: video`). In its path without drawing (4 frames,
    `detach: each`) codes keep their length; here they have unit length in both (ours), so that the margin means the same.

    Args:
        form: "margin" or "infonce".
        frames: of a concatenation; it must divide the frames that the network hears.
        detach: "video": the codes of video take no gradient, so that sound comes to video. "each": each side learns against
            the other one, which takes no gradient of that. The published code adds two losses for it, one for each side; they
            have the same value, so the value given is half of the published sum, with the gradients of the sum.
        margin: distance from which on others do not count; distances are at most 2.
        temperature: of "infonce".

    Raises:
        InputError: an unknown form or side.
    """

    reads = ("audio_speech", "video_speech")
    ranges = {
        "frames": Number(REQUIRED, 1, 1000, whole=True),
        "margin": Number(REQUIRED, 0, 2, above=True),
        "temperature": Number(REQUIRED, 0.001, 100),
    }

    def __init__(self, form="margin", frames=12, detach="video", margin=1.0, temperature=0.07):
        super().__init__()
        refuse_unknown([form], FORMS, "losses.association.form")
        refuse_unknown([detach], SIDES, "losses.association.detach")
        self.form, self.frames, self.detach = form, int(frames), detach
        self.margin, self.temperature = float(margin), float(temperature)

    @classmethod
    def prepare(cls, options, setting, name):
        """Check the frames against what the network hears; see losses.term.Term."""
        heard = model_giving(setting, name, *cls.reads).speech_frames
        frames = options.get("frames", 12)
        if heard % frames:
            raise InputError(f"losses.{name}.frames: {frames} must divide model.speech_frames, {heard}")
        return options

    def forward(self, outputs, batch):
        """`audio_speech`, `video_speech` (B, N, D) -> scalar."""
        sound, video = (self._joined(outputs[name]) for name in self.reads)
        if self.detach == "video":
            video = video.detach()
        cosines = video @ sound.T
        right = (cosines.detach().argmax(0) == torch.arange(len(sound), device=sound.device)).sum()
        value = self._contrast(cosines) if self.form == "infonce" else self._distance(video, sound)
        return value, {"right": (right, right.new_full((), len(sound)))}

    def _joined(self, codes):
        """(B, N, D) -> (B * N / frames, frames * D) of unit length."""
        return F.normalize(codes.unflatten(1, (-1, self.frames)).flatten(2).flatten(0, 1), dim=1, eps=1e-6)

    def _distance(self, video, sound):
        # not by products, whose rounding is far above the distance of codes that are nearly equal
        apart = torch.cdist(video, sound, compute_mode="donot_use_mm_for_euclid_dist")
        own = torch.eye(len(apart), dtype=torch.bool, device=apart.device)
        others = (self.margin - apart).clamp_min(0).masked_fill(own, 0)
        return (apart.diagonal().square().sum() + others.square().sum()) / (2 * len(apart))

    def _contrast(self, cosines):
        own = torch.arange(len(cosines), device=cosines.device)
        logits = cosines / self.temperature
        return 0.5 * (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own))
