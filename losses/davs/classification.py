"""Classification: the word, from the codes of sound and of video by one classifier; the person, from the identity code."""

from common.suggest import refuse_unknown
from losses.davs.labels import count_known, label_loss
from losses.davs.parts import model_giving, people_of
from losses.term import Term

WORDS = {"audio": "audio_words", "video": "video_words"}


class WordClassification(Term):
    """Cross-entropy of the word classifier (arXiv 1807.07860; published weight 1 for each of the two drives).

    Windows without a word (`spoken_word` -1) do not count. The figure `accuracy` is the share of words that are right.

    Args:
        drives: "audio" or "video": which codes are classified.

    Raises:
        InputError: an unknown drive.
    """

    needs = ("spoken_word",)
    reads = ("audio_words",)

    def __init__(self, drives="audio"):
        super().__init__()
        refuse_unknown([drives], WORDS, "losses.word_classification.drives")
        self.reads = (WORDS[drives],)

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_giving(setting, name, WORDS.get(options.get("drives", "audio"), WORDS["audio"]))
        return options

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with a word."""
        return count_known(batch["spoken_word"])

    def forward(self, outputs, batch):
        """`audio_words` or `video_words` (B, words) logits, as `drives` says; `spoken_word` (B,) int64 -> scalar."""
        value, accuracy = label_loss(outputs[self.reads[0]], batch["spoken_word"])
        return value, {"accuracy": accuracy}


class PersonClassification(Term):
    """Cross-entropy of telling the person by the code of one frame (ours).

    The published identity encoder begins from a network that was trained to recognise 40,145 people; this term stands for that
    training. People who are not of the training split (`speaker` -1) do not count. The figure `accuracy` is the share of frames
    whose person is right.
    """

    needs = ("speaker",)
    reads = ("identity_people",)

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        if setting.model is not None and hasattr(setting.model, "people"):
            people_of(setting.model, name)
        model_giving(setting, name, *cls.reads)
        return options

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with a known person."""
        return count_known(batch["speaker"])

    def forward(self, outputs, batch):
        """`identity_people` (B, M, people) logits, `speaker` (B,) int64 -> scalar."""
        logits = outputs["identity_people"]
        speakers = batch["speaker"][:, None].expand(logits.shape[:2])
        value, accuracy = label_loss(logits.flatten(0, 1), speakers.flatten())
        return value, {"accuracy": accuracy}
