"""No person in the speech: an adversary reads the person from its codes. In the paper, not in the released code."""

import torch

from common.errors import InputError
from losses.davs.codes import CODES, detached_rows_of, rows_of
from losses.davs.labels import balanced_label_loss, count_known, form_of, label_loss, right_of, uniform_loss
from losses.davs.opponent import Opponent
from losses.davs.parts import model_giving, people_of
from losses.term import Term
from models.davs.classifiers import SpeechPeople
from models.precision import outside_autocast


def people_of_rows(outputs, batch):
    """(2 B N,) int64: the person of each row of `rows_of`."""
    people = batch["speaker"][:, None].expand(-1, outputs[CODES[0]].shape[1]).flatten()
    return torch.cat((people, people))


class PersonReader(Opponent):
    """Learns the person from single codes of speech, of sound and of video: cross-entropy; unknown ones do not count.

    Args:
        network: models.davs.SpeechPeople. balanced: people of a batch count alike, not codes.
    """

    def __init__(self, network, balanced=False):
        super().__init__(network)
        self.balanced = balanced

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with a known person."""
        return count_known(batch["speaker"])

    def forward(self, outputs, batch):
        """`audio_speech`, `video_speech` (B, N, D); `speaker` (B,) int64 -> float32 scalar."""
        codes, people = detached_rows_of(outputs), people_of_rows(outputs, batch)
        with outside_autocast(codes.device):
            logits = self.asked(codes)
            return balanced_label_loss(logits, people) if self.balanced else label_loss(logits, people)[0]


class SpeechPeopleLoss(Term):
    """How far what the adversary reads in a code of speech is from knowing no person (arXiv 1807.07860, not in its code).

    The published code removes words from the identity alone. That the adversary reads a single code, and any weight, are
    inferred. People who are not of the training split do not count. The figures `audio` and `video` are the shares of codes
    whose person the adversary reads right.

    Args:
        uniform: "squares" or "entropy", see `losses.davs.labels.uniform_loss`.
        balanced: the adversary learns from people alike, however much each of them says, see `balanced_label_loss` (ours).
        network: the adversary's.

    Raises:
        InputError: `uniform` is unknown, or `balanced` neither true nor false.
    """

    needs = ("speaker",)
    reads = CODES
    made = ("network",)

    def __init__(self, uniform="squares", balanced=False, network=None):
        super().__init__()
        self.uniform = form_of(uniform, "losses.speech_people.uniform")
        if not isinstance(balanced, bool):
            raise InputError(f"losses.speech_people.balanced: {balanced!r} is not possible; give true or false")
        self.reader = PersonReader(network, balanced)

    @classmethod
    def prepare(cls, options, setting, name):
        """The adversary, of the sizes of the network's codes; see losses.term.Term."""
        model = model_giving(setting, name, *CODES)
        return {**options, "network": SpeechPeople(people_of(model, name), setting.width)}

    def adversaries(self):
        """See losses.term.Term."""
        return {"": self.reader}

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with a known person."""
        return count_known(batch["speaker"])

    def forward(self, outputs, batch):
        """`audio_speech`, `video_speech` (B, N, D); `speaker` (B,) int64 -> scalar."""
        logits, people = self.reader.fixed(rows_of(outputs)), people_of_rows(outputs, batch)
        halves = zip(logits.chunk(2), people.chunk(2), strict=True)
        audio, video = (right_of(*half) for half in halves)
        return uniform_loss(logits, people, self.uniform), {"audio": audio, "video": video}
