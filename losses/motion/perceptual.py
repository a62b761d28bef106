"""Features of VGG-19 of the faces that are drawn of some frames of a window (the published code of arXiv 2104.11116)."""

import torch

from common.suggest import refuse_unknown
from losses.au.perceptual import PerceptualVgg
from losses.davs.drawn import DRIVES
from losses.davs.parts import model_giving

SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)  # of the five layers, from the finest on


class DrawnVgg(PerceptualVgg):
    """Mean absolute differences of VGG-19's features after the first convolution of its groups, weighed 1/32 to 1 and summed.

    Faces drawn from sound and from video are added. The published weight is 10 in the code and 1 in the paper. Its code gives
    VGG-19 colours of -1 to 1; here they are those that VGG-19 was trained with (ours).

    Args:
        weights: models.vgg.Vgg19; in a config the path of torchvision's file, such as vgg19-dcbb9e9d.pth.
        drives: "both", or "audio" or "video" alone.

    Raises:
        InputError: unknown drives.
    """

    needs = ("face",)
    reads = (*DRIVES["both"], "drawn")

    def __init__(self, weights, drives="both", origin=None):
        super().__init__(weights, origin)
        refuse_unknown([drives], DRIVES, "losses.drawn_vgg.drives")
        self.faces = DRIVES[drives]
        self.reads = (*self.faces, "drawn")

    @classmethod
    def prepare(cls, options, setting, name):
        """Load the weights that the options name; see losses.term.Term."""
        model_giving(setting, name, *cls.reads)
        return super().prepare(options, setting, name)

    def forward(self, outputs, batch):
        """`audio_face`, `video_face` (B, K, 3, S, S), `drawn` (K,) their places in `face` (B, T, 3, S, S) -> scalar."""
        real = batch["face"].index_select(1, outputs["drawn"]).flatten(0, 1)
        with self.networks(real.device):
            with torch.no_grad():
                wanted = self.maps(real)
            found = self.maps(torch.cat([outputs[name].flatten(0, 1) for name in self.faces]))
        drives = len(self.faces)
        return sum(share * drives * (one.float().unflatten(0, (drives, -1)) - goal.float()).abs().mean()
                   for share, one, goal in zip(SHARES, found, wanted, strict=True))  # fmt: skip
