"""Adversarial loss: a discriminator that learns beside the generator (METHODS 1.4, 5.1).

Of `quality` the public code of Wav2Lip is followed: lower halves of single faces, binary cross-entropy, and for the generator
the cross-entropy against "real" (the paper writes log(1 - D), whose gradient fades where the discriminator is sure).
`conditional` is the spatio-temporal paper's network; what it takes for the person is not published: the reference window here
(inferred).
"""

import torch
import torch.nn.functional as F
from torch import nn

from common.suggest import refuse_unknown
from losses.masking import frame_mean
from models.discriminators import ConditionalDiscriminator, QualityDiscriminator

DISCRIMINATORS = {"quality": QualityDiscriminator, "conditional": ConditionalDiscriminator}


class Adversary(nn.Module):
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
        """Mean binary cross-entropy of telling `face` real from `face` generated, both (B, T, 3, S, S) -> scalar."""
        fake, real = outputs["face"].detach(), batch["face"]
        twice = {name: torch.cat([batch[name]] * 2) for name in ("mel", "reference_face") if name in batch}
        logits = self.discriminator.logits(*self.arguments(torch.cat([real, fake]), twice)).float()
        logits = by_item(logits, 2 * len(real))
        loss_real = frame_mean(F.softplus(-logits[: len(real)]), batch)
        return 0.5 * (loss_real + frame_mean(F.softplus(logits[len(real) :]), batch))


class _Judge(nn.Module):
    """The discriminator's `logits` as a module, for `functional_call`."""

    def __init__(self, discriminator):
        super().__init__()
        self.discriminator = discriminator

    def forward(self, *arguments):
        return self.discriminator.logits(*arguments)


class AdversarialLoss(nn.Module):
    """-log of the discriminator's probability that the generated faces are real.

    The discriminator judges with the statistics of its batch norm that it gathered so far, and gets no gradient here.

    Args:
        discriminator: "quality" (Wav2Lip) or "conditional" (given sound and person).
        face_size, width: of the discriminator; face_size is the generator's.

    Raises:
        InputError: an unknown discriminator, a size or width that is not possible.
    """

    reads = ("face",)

    def __init__(self, discriminator="quality", face_size=96, width=1.0):
        super().__init__()
        refuse_unknown([discriminator], DISCRIMINATORS, "losses.adversarial.discriminator")
        self.adversary = Adversary(DISCRIMINATORS[discriminator](face_size, width))
        self.needs = ("face", "mel", "reference_face") if self.adversary.conditional else ("face",)

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) generated -> scalar."""
        judge = _Judge(self.adversary.discriminator)
        frozen = {name: tensor.detach() for name, tensor in judge.named_parameters()}
        training = self.adversary.training
        self.adversary.eval()
        logits = torch.func.functional_call(judge, frozen, self.adversary.arguments(outputs["face"], batch))
        self.adversary.train(training)
        return frame_mean(F.softplus(-by_item(logits.float(), len(outputs["face"]))), batch)


def by_item(logits, items):
    """(T * B, 1) frame after frame, as discriminators give them -> (B, T)."""
    return logits.view(-1, items).T
