"""The networks that judge, loaded together."""

from dataclasses import dataclass

from metrics.networks.face_embedding import FaceEmbedder
from metrics.networks.fid import InceptionFeatures
from metrics.networks.perceptual import Lpips
from metrics.networks.unit_classifier import UnitJudge
from metrics.networks.word_reader import WordJudge
from metrics.sync.judges import load_judge


@dataclass
class Networks:
    """What the measures need of networks; None where it was not asked for, and the measure is left out.

    Attributes:
        judge: see `metrics.sync.judges.load_judge`.
        inception: metrics.networks.fid.InceptionFeatures.
        lpips: metrics.networks.perceptual.Lpips.
        embedder: metrics.networks.face_embedding.FaceEmbedder.
        unit_classifier: metrics.networks.unit_classifier.UnitJudge.
        word_reader: metrics.networks.word_reader.WordJudge.
    """

    judge: object = None
    inception: object = None
    lpips: object = None
    embedder: object = None
    unit_classifier: object = None
    word_reader: object = None

    @staticmethod
    def load(*, expert=None, inception=None, lpips=None, identity=False, au_classifier=None, word_reader=None, device="cpu"):
        """Load them from paths (`lpips`: name of a backbone; `identity`: True or False); InputError when one cannot be read."""
        return Networks(
            load_judge(expert, device) if expert else None,
            InceptionFeatures.load(inception, device) if inception else None,
            Lpips.load(lpips, device) if lpips else None,
            FaceEmbedder.load() if identity else None,
            UnitJudge.load(au_classifier, device) if au_classifier else None,
            WordJudge.load(word_reader, device) if word_reader else None,
        )

    def precisions(self):
        """{what the network is for: precision that it computes in}, for the report."""
        named = {"sync": self.judge, "frechet": self.inception, "lpips": self.lpips, "identity": self.embedder,
                 "action units": self.unit_classifier, "words": self.word_reader}  # fmt: skip
        return {use: network.precision for use, network in named.items() if network is not None}
