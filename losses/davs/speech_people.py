"""No person in the speech: an adversary reads the person from its codes. In the paper, not in the released code."""

import torch

from common.schema import REQUIRED, Flag
from common.suggest import refuse_unknown
from losses.davs.codes import CODES, READS, detached_rows_of, rows_of
from losses.davs.labels import balanced_label_loss, count_known, form_of, label_loss, right_of, uniform_loss
from losses.davs.opponent import Opponent
from losses.davs.parts import model_giving, people_of
from losses.term import Term
from models.davs.classifiers import SpeechPeople
from models.precision import outside_autocast


def people_of_rows(outputs, batch, reads):
    """(R,) int64: the person of each row of `losses.davs.codes.rows_of`."""
    people = batch["speaker"]
    if reads == "codes":
        people = people[:, None].expand(-1, outputs[CODES[0]].shape[1]).flatten()
    return torch.cat((people, people))


class PersonReader(Opponent):
    """Learns the person from codes of speech, of sound and of video: cross-entropy; unknown ones do not count.

    Args:
        network: models.davs.SpeechPeople. balanced: people of a batch count alike, not codes. reads: one of READS.
    """

    def __init__(self, network, balanced=False, reads="codes"):
        super().__init__(network)
        self.balanced, self.reads = balanced, reads

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with a known person."""
        return count_known(batch["speaker"])

    def forward(self, outputs, batch):
        """`audio_speech`, `video_speech` (B, N, D); `speaker` (B,) int64 -> float32 scalar."""
        codes, people = detached_rows_of(outputs, self.reads), people_of_rows(outputs, batch, self.reads)
        with outside_autocast(codes.device):
            logits = self.asked(codes)
            return balanced_label_loss(logits, people) if self.balanced else label_loss(logits, people)[0]


class SpeechPeopleLoss(Term):
    """How far what the adversary reads in codes of speech is from knowing no person (arXiv 1807.07860, not in its code).

    The published code removes words from the identity alone. That the adversary reads a single code, and any weight, are
    inferred. People who are not of the training split do not count. The figures `audio` and `video` are the shares of rows
    whose person the adversary reads right.

    Args:
        uniform: "squares" or "entropy", see `losses.davs.labels.uniform_loss`.
        balanced: people count alike, however much each of them says, in what the adversary learns and in what the codes learn
            from it, see `balanced_label_loss` (ours).
        reads: "codes": one by one; "windows": all of a window together, with what the order of codes tells (ours).
        linear: the adversary has no hidden layers (ours). What it reads are the means of people alone.
        network: the adversary's.

    Raises:
        InputError: `uniform` or `reads` is unknown.
    """

    needs = ("speaker",)
    reads = CODES
    made = ("network",)
    ranges = {"balanced": Flag(REQUIRED), "linear": Flag(REQUIRED)}

    def __init__(self, uniform="squares", balanced=False, reads="codes", linear=False, network=None):
        super().__init__()
        self.uniform = form_of(uniform, "losses.speech_people.uniform")
        self.reader = PersonReader(network, balanced, reads)

    @classmethod
    def prepare(cls, options, setting, name):
        """The adversary, of the sizes of the network's codes; see losses.term.Term."""
        model = model_giving(setting, name, *CODES)
        reads = options.get("reads", READS[0])
        refuse_unknown([reads], READS, f"losses.{name}.reads")
        frames = model.speech_frames if reads == "windows" else 1
        network = SpeechPeople(people_of(model, name), setting.width, frames, options.get("linear", False))
        return {**options, "network": network}

    def adversaries(self):
        """See losses.term.Term."""
        return {"": self.reader}

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with a known person."""
        return count_known(batch["speaker"])

    def forward(self, outputs, batch):
        """`audio_speech`, `video_speech` (B, N, D); `speaker` (B,) int64 -> scalar."""
        logits = self.reader.fixed(rows_of(outputs, self.reader.reads))
        people = people_of_rows(outputs, batch, self.reader.reads)
        halves = zip(logits.chunk(2), people.chunk(2), strict=True)
        audio, video = (right_of(*half) for half in halves)
        return uniform_loss(logits, people, self.uniform, self.reader.balanced), {"audio": audio, "video": video}
