"""Perceptual losses: how far the features of drawn and of real faces are from each other.

The published loss compares features of VGG-19 with weight 0.07 (arXiv 2110.09951); which layers is not published. Those weights
do not come with the project. `PerceptualUnits` compares features of a classifier of action units of one's own instead (ours).
"""

import torch

from common.errors import InputError
from losses.masking import frame_mean
from losses.term import Term, origin_of

SECTION = "action_units"  # name of the network in models.MODELS
VGG = "vgg19"


class Perceptual(Term):
    """Base: mean over the layers of the mean absolute difference of the maps of a frozen network."""

    needs = ("face",)
    made = ("origin",)

    def __init__(self, network, origin=None):
        super().__init__()
        self.network, self.origin = network.eval().requires_grad_(False), origin or {}

    def facts(self):
        """What a checkpoint tells its reader: who taught the network, and must not judge it."""
        return self.origin

    def train(self, mode=True):
        """The frozen network stays as it is."""
        super().train(mode)
        self.network.eval()
        return self

    def maps(self, faces):
        """(N, 3, S, S) float32 in [0, 1] RGB -> sequence of (N, C, H, W) float, one a layer."""
        return self.network(faces)

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) drawn and real -> scalar."""
        drawn, real = outputs["face"], batch["face"]
        with self.networks(drawn.device):
            with torch.no_grad():
                wanted = self.maps(real.flatten(0, 1))
            found = self.maps(drawn.flatten(0, 1))
        layers = [(one.float() - other.float()).abs().mean((1, 2, 3)) for one, other in zip(found, wanted, strict=True)]
        return frame_mean((sum(layers) / len(layers)).view(drawn.shape[:2]), batch)


class PerceptualUnits(Perceptual):
    """Features of a classifier of action units, after each of its four convolutions; of the lower halves alone.

    Args:
        classifier: models.au.UnitClassifier; in a config the path of a checkpoint of configs/au_classifier.yaml.
    """

    def __init__(self, classifier, origin=None):
        super().__init__(classifier, origin)

    @classmethod
    def prepare(cls, options, setting, name):
        """Load the classifier that the options name; see losses.term.Term."""
        key = f"losses.{name}.classifier"
        if not isinstance(options.get("classifier"), str):
            raise InputError(f"{key}: name the checkpoint of a classifier of action units (configs/au_classifier.yaml)")
        found = setting.load(options["classifier"], SECTION, key)
        if found.model.unit_classifier is None:
            raise InputError(f"{key}: {found.path} is of stage {found.model.stage} and has no classifier of faces; give one of "
                             "stage classifier")  # fmt: skip
        if found.model.face_size != setting.face_size:
            raise InputError(f"{key}: made for faces of {found.model.face_size} pixels, the model makes others")
        return {**options, "classifier": found.model.unit_classifier, "origin": origin_of(found)}

    def maps(self, faces):
        """See Perceptual."""
        return self.network.maps(faces)


class PerceptualVgg(Perceptual):
    """Features of VGG-19 after the first convolution of each of its five groups (inferred).

    Args:
        weights: models.vgg.Vgg19; in a config the path of torchvision's file, such as vgg19-dcbb9e9d.pth.
    """

    def __init__(self, weights, origin=None):
        super().__init__(weights, origin)

    @classmethod
    def prepare(cls, options, setting, name):
        """Load the weights that the options name; see losses.term.Term."""
        key = f"losses.{name}.weights"
        if not isinstance(options.get("weights"), str):
            raise InputError(f"{key}: name a file of VGG-19's weights (torchvision's vgg19-dcbb9e9d.pth)")
        found = setting.load(options["weights"], VGG, key)
        return {**options, "weights": found.model, "origin": origin_of(found)}
