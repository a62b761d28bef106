"""One speech space for both: an adversary tells codes of sound from codes of video (arXiv 1807.07860)."""

import torch.nn.functional as F

from losses.davs.codes import CODES, detached_rows_of, rows_of
from losses.davs.opponent import Opponent
from losses.davs.parts import model_giving
from losses.term import Term
from models.davs.classifiers import Modality
from models.precision import outside_autocast


class ModalityReader(Opponent):
    """Learns which codes are of sound: the mean of both cross-entropies, as published (sound is 1, video 0)."""

    def forward(self, outputs, batch):
        """`audio_speech`, `video_speech` (B, N, D) -> float32 scalar; ln 2 is chance."""
        codes = detached_rows_of(outputs)
        with outside_autocast(codes.device):
            sound, video = self.asked(codes).chunk(2)
            return 0.5 * (F.softplus(-sound).mean() + F.softplus(video).mean())


class ModalityLoss(Term):
    """Cross-entropy of the adversary against the wrong answers, sum of sound and video (published weight 5).

    2 ln 2 where it cannot tell them. The figure `accuracy` is the share of codes that the adversary tells right.

    Args:
        network: the adversary's.
    """

    reads = CODES
    made = ("network",)

    def __init__(self, network=None):
        super().__init__()
        self.reader = ModalityReader(network)

    @classmethod
    def prepare(cls, options, setting, name):
        """The adversary, of the size of the network's codes; see losses.term.Term."""
        model_giving(setting, name, *CODES)
        return {**options, "network": Modality(setting.width)}

    def adversaries(self):
        """See losses.term.Term."""
        return {"": self.reader}

    def forward(self, outputs, batch):
        """`audio_speech`, `video_speech` (B, N, D) -> scalar."""
        logits = self.reader.fixed(rows_of(outputs))
        sound, video = logits.chunk(2)
        right = (sound > 0).sum() + (video < 0).sum()
        value = F.softplus(sound).mean() + F.softplus(-video).mean()
        return value, {"accuracy": (right, right.new_full((), logits.numel()))}
