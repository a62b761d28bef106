"""Adversarial loss: discriminators that learn beside the generator (arXiv 2008.10010, section 3.4; docs/training.md).

Of `quality` the public code of Wav2Lip is followed: lower halves of single faces, binary cross-entropy, and for the generator
the cross-entropy against "real" (the paper writes log(1 - D), whose gradient fades where the discriminator is sure).
`conditional` is the spatio-temporal paper's network; what it takes for the person is not published: the reference face here
(inferred). `face` is a discriminator of whole faces for the system of action units (arXiv 2110.09951); its layers are ours.
"""

import torch
import torch.nn.functional as F
from torch import nn

from common.schema import REQUIRED, Number
from common.suggest import refuse_unknown
from losses.masking import frame_mean
from losses.term import Precise, Term, fixed, raised
from models.au.discriminator import FaceDiscriminator
from models.discriminators import ConditionalDiscriminator, QualityDiscriminator
from models.precision import outside_autocast

DISCRIMINATORS = {"quality": QualityDiscriminator, "conditional": ConditionalDiscriminator, "face": FaceDiscriminator}


class Adversary(Precise):
    """A discriminator, and what it learns from.

    Real and generated faces pass through it as one batch, so that its batch norm has the same statistics for both and does not
    take away what tells them apart (ours; the published code passes them one after the other).
    """

    def __init__(self, discriminator):
        super().__init__()
        self.discriminator = discriminator
        self.conditional = isinstance(discriminator, ConditionalDiscriminator)

    def arguments(self, faces, batch):
        """What the discriminator's `logits` takes, for faces (B, T, 3, S, S)."""
        videos = faces.transpose(1, 2)
        if not self.conditional:
            return (videos,)
        return batch["mel"], batch["reference_face"].transpose(1, 2), videos

    def forward(self, outputs, batch):
        """Mean binary cross-entropy of telling `face` real from `face` generated, both (B, T, 3, S, S) -> float32 scalar.

        The mean of both halves; the published code of Wav2Lip takes their sum.
        """
        with outside_autocast(batch["face"].device):
            fake, real = raised(outputs["face"].detach()), batch["face"]
            twice = {name: torch.cat([batch[name]] * 2) for name in ("mel", "reference_face") if name in batch}
            arguments = self.arguments(torch.cat([real, fake]), twice)
            with self.networks(real.device):
                logits = self.discriminator.logits(*arguments)
            logits = by_item(logits.float(), 2 * len(real))
            loss_real = frame_mean(F.softplus(-logits[: len(real)]), batch)
            return 0.5 * (loss_real + frame_mean(F.softplus(logits[len(real) :]), batch))


class _Judge(nn.Module):
    """The discriminator's `logits` as a module, for `fixed`."""

    def __init__(self, discriminator):
        super().__init__()
        self.discriminator = discriminator

    def forward(self, *arguments):
        return self.discriminator.logits(*arguments)


class AdversarialLoss(Term):
    """-log of the discriminator's probability that the generated faces are real; of several discriminators the mean.

    A discriminator judges with the statistics of its batch norm that it gathered so far, and gets no gradient here.

    Args:
        discriminator: "quality" (Wav2Lip), "conditional" (given sound and person) or "face" (whole faces), or a list of them.
        face_size, width: of the discriminators; face_size is the generator's.

    Raises:
        InputError: an unknown discriminator, a size or width that is not possible.
    """

    made = ("face_size",)

    ranges = {"width": Number(REQUIRED, 0.25, 1)}

    def __init__(self, discriminator="quality", face_size=96, width=1.0):
        super().__init__()
        kinds = list(discriminator) if isinstance(discriminator, list | tuple) else [discriminator]
        refuse_unknown(kinds, DISCRIMINATORS, "losses.adversarial.discriminator")
        if not kinds or len(set(kinds)) < len(kinds):
            raise ValueError(f"discriminator: {discriminator!r} must name one, or several different ones")
        self.judges = nn.ModuleDict({kind: Adversary(DISCRIMINATORS[kind](face_size, width)) for kind in kinds})
        conditional = any(one.conditional for one in self.judges.values())
        self.needs = ("face", "mel", "reference_face") if conditional else ("face",)

    @classmethod
    def prepare(cls, options, setting, name):
        """Discriminators for the generator's faces, and as wide as it where the config does not say."""
        return {"width": setting.width, **options, "face_size": setting.face_size}

    def adversaries(self):
        """See losses.term.Term."""
        return {kind if len(self.judges) > 1 else "": one for kind, one in self.judges.items()}

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) generated -> scalar."""
        return sum(self._fooled(one, outputs["face"], batch) for one in self.judges.values()) / len(self.judges)

    def _fooled(self, adversary, faces, batch):
        """-log of one discriminator's probability that the faces are real, mean over the frames."""
        with self.networks(faces.device):
            logits = fixed(_Judge(adversary.discriminator), *adversary.arguments(faces, batch))
        return frame_mean(F.softplus(-by_item(logits.float(), len(faces))), batch)


def by_item(logits, items):
    """(T * B, 1) frame after frame, as discriminators give them -> (B, T)."""
    return logits.view(-1, items).T
