"""No word in the identity: an adversary reads the word from it, and the network learns to leave it nothing to read."""

from common.suggest import refuse_unknown
from losses.davs.labels import count_known, form_of, label_loss, right_of, uniform_loss
from losses.davs.opponent import Opponent
from losses.davs.parts import model_giving
from losses.term import Term, raised
from models.davs.classifiers import CodesWords, IdentityWords
from models.precision import outside_autocast

READS = {"maps": "identity_maps", "codes": "identity_codes"}


class WordReader(Opponent):
    """Learns the word of a window from the identity of its frames: cross-entropy; windows without a word do not count."""

    def __init__(self, network, output):
        super().__init__(network)
        self.output = output

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with a word."""
        return count_known(batch["spoken_word"])

    def forward(self, outputs, batch):
        """`identity_maps` (B, M, C, h, h) or `identity_codes` (B, M, D); `spoken_word` (B,) int64 -> float32 scalar."""
        given = raised(outputs[self.output].detach())
        with outside_autocast(given.device):
            return label_loss(self.asked(given), batch["spoken_word"])[0]


class IdentityWordsLoss(Term):
    """How far what the adversary reads in the identity is from knowing no word (arXiv 1807.07860; published weight 1e6).

    The adversary learns with weight 1. Windows without a word do not count. The figure `accuracy` is the share of words that
    the adversary reads right.

    Args:
        reads: "maps", which the published adversary reads, or "codes" (ours).
        uniform: "squares" (published) or "entropy" (ours), see `losses.davs.labels.uniform_loss`.
        network: the adversary's.

    Raises:
        InputError: `reads` or `uniform` is unknown.
    """

    needs = ("spoken_word",)
    reads = ("identity_maps",)
    made = ("network",)

    def __init__(self, reads="maps", uniform="squares", network=None):
        super().__init__()
        self.reads = (output_of(reads),)
        self.uniform = form_of(uniform, "losses.identity_words.uniform")
        self.reader = WordReader(network, self.reads[0])

    @classmethod
    def prepare(cls, options, setting, name):
        """The adversary, of the sizes of the network's outputs; see losses.term.Term."""
        output = output_of(options.get("reads", "maps"))
        model = model_giving(setting, name, output)
        if output == "identity_codes":
            network = CodesWords(setting.width, model.identity_frames, model.words)
        else:
            network = IdentityWords(setting.face_size, setting.width, model.identity_frames, model.words)
        return {**options, "network": network}

    def adversaries(self):
        """See losses.term.Term."""
        return {"": self.reader}

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with a word."""
        return count_known(batch["spoken_word"])

    def forward(self, outputs, batch):
        """`identity_maps` (B, M, C, h, h) or `identity_codes` (B, M, D); `spoken_word` (B,) int64 -> scalar."""
        logits, words = self.reader.fixed(outputs[self.reads[0]]), batch["spoken_word"]
        return uniform_loss(logits, words, self.uniform), {"accuracy": right_of(logits, words)}


def output_of(reads):
    """Name of the output that an option `reads` stands for.

    Raises:
        InputError: unknown.
    """
    refuse_unknown([reads], READS, "losses.identity_words.reads")
    return READS[reads]
