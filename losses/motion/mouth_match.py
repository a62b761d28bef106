"""The mouth feature of the sound is that of the video (the published code of arXiv 2104.11116)."""

from losses.davs.parts import model_giving
from losses.term import Term


class MouthMatch(Term):
    """Mean absolute difference of the mouth features of sound and of video; those of the video take no gradient.

    The published code's weight is 1; the paper does not have this term.
    """

    reads = ("audio_mouth", "video_mouth")

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_giving(setting, name, *cls.reads)
        return options

    def forward(self, outputs, batch):
        """`audio_mouth`, `video_mouth` (B, T, M) float -> scalar."""
        return (outputs["audio_mouth"] - outputs["video_mouth"].detach()).abs().mean()
