"""Adversarial loss of drawn faces: patches, and the mouth given its sound (arXiv 1807.07860; its published code)."""

import torch
import torch.nn.functional as F

from common.suggest import refuse_unknown
from losses.davs.opponent import Opponent
from losses.davs.parts import model_giving
from losses.term import Term, raised
from models.davs.discriminator import PatchDiscriminator
from models.precision import outside_autocast

FRAMES = ("sequence", "single")
SOFT = 0.1  # labels of the discriminator are up to so much from 0 and 1
DRAWN = ("audio_face", "video_face")


class FaceJudge(Opponent):
    """The discriminator, and what it learns from: real and drawn faces as one batch, with soft labels.

    As published: the mean of real and drawn, the sum of both heads, and labels that are softened by one number a head and side,
    which is drawn anew each time. Ours: one batch, so that batch norm has the same statistics for real and drawn faces.

    Args:
        network: models.davs.discriminator.PatchDiscriminator.
        joined: frames are channels of one picture.
    """

    def __init__(self, network, joined):
        super().__init__(network)
        self.joined = joined

    def arguments(self, faces, sound):
        """Faces (B, K, 3, S, S) and their sound (B, K, 20, 12) -> what the discriminator takes."""
        if self.joined:
            return faces.flatten(1, 2), sound
        return faces.flatten(0, 1), sound.flatten(0, 1)[:, None]

    def forward(self, outputs, batch):
        """`audio_face`, `video_face` (B, K, 3, S, S), `drawn` (K,); `face`, `mfcc` (B, T, 20, 12) -> float32 scalar."""
        with outside_autocast(batch["face"].device):
            drawn = torch.cat([raised(outputs[name].detach()) for name in DRAWN])
            real, sound = (batch[name].index_select(1, outputs["drawn"]) for name in ("face", "mfcc"))
            heads = self.asked(*self.arguments(torch.cat((real, real, drawn)), torch.cat([sound] * 4)))
            return sum(self._told_apart(*head.chunk(2)) for head in heads)

    @staticmethod
    def _told_apart(real, drawn):
        soft = SOFT * torch.rand(2, device=real.device)
        wanted = (1 - soft[0]).expand_as(real), soft[1].expand_as(drawn)
        both = zip((real, drawn), wanted, strict=True)
        return 0.5 * sum(F.binary_cross_entropy_with_logits(logits, one) for logits, one in both)


class DrawnAdversarial(Term):
    """-log of the probability that drawn faces are real: of their patches, and of the mouth given the sound; both are added.

    Faces drawn from sound and from video count alike. The published code uses sequences with weight 1 and can add single
    frames. The figure `patches` is the share of patches of drawn faces that the discriminator takes for drawn.

    Args:
        frames: "sequence": all K frames of a window are one picture of 3 K channels; "single": each frame by itself.
        network: the discriminator's.

    Raises:
        InputError: unknown `frames`.
    """

    needs = ("face", "mfcc")
    reads = (*DRAWN, "drawn")
    made = ("network",)

    def __init__(self, frames="sequence", network=None):
        super().__init__()
        refuse_unknown([frames], FRAMES, "losses.drawn_adversarial.frames")
        self.judge = FaceJudge(network, frames == "sequence")

    @classmethod
    def prepare(cls, options, setting, name):
        """The discriminator, of the sizes of the network's faces; see losses.term.Term."""
        model = model_giving(setting, name, *DRAWN)
        count = 1 if options.get("frames") == "single" else model.drawn_frames
        return {**options, "network": PatchDiscriminator(setting.face_size, count, setting.width)}

    def adversaries(self):
        """See losses.term.Term."""
        return {"": self.judge}

    def forward(self, outputs, batch):
        """`audio_face`, `video_face` (B, K, 3, S, S), `drawn` (K,); `mfcc` (B, T, 20, 12) -> scalar."""
        drawn = torch.cat([outputs[name] for name in DRAWN])
        sound = batch["mfcc"].index_select(1, outputs["drawn"])
        patches, match = self.judge.fixed(*self.judge.arguments(drawn, torch.cat((sound, sound))))
        value = F.softplus(-patches).mean() + F.softplus(-match).mean()
        return value, {"patches": ((patches < 0).sum(), patches.new_full((), patches.numel()))}
