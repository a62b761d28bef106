"""Faces that DAVS draws from one picture and codes of speech, pixel by pixel (arXiv 1807.07860; its published code)."""

import torch

from common.schema import REQUIRED, Number
from common.suggest import refuse_unknown
from losses.davs.parts import model_giving
from losses.regions import REGIONS, cut, region_of
from losses.term import Term

DRIVES = {"both": ("audio_face", "video_face"), "audio": ("audio_face",), "video": ("video_face",)}


class DrawnL1(Term):
    """`scale` times the mean absolute difference of drawn and real faces, in colours of 0 to 1.

    The mean is over all pixels of the face, also where `region` is a part of it: a part's sum is divided by the pixels of the
    whole. Faces drawn from sound and from video are added. The published code has `scale` 255, weight 4 for the face and 8
    for davs_mouth.

    Args:
        drives: "both", or "audio" or "video" alone.
        region: part of the face that is looked at, one of `losses.regions.REGIONS`.
        scale: factor.

    Raises:
        InputError: an unknown region or drive.
    """

    needs = ("face",)
    reads = ("audio_face", "video_face", "drawn")

    ranges = {"scale": Number(REQUIRED, 0, 1000, above=True)}

    def __init__(self, drives="both", region="face", scale=255.0):
        super().__init__()
        refuse_unknown([drives], DRIVES, "losses.drawn_l1.drives")
        self.faces, self.scale = DRIVES[drives], float(scale)
        self.reads = (*self.faces, "drawn")
        self.region = region_of(region, "losses.drawn_l1.region")

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_giving(setting, name, *DRIVES["both"])
        return options

    def forward(self, outputs, batch):
        """`audio_face`, `video_face` (B, K, 3, S, S) drawn, `drawn` (K,) their places in `face` (B, T, 3, S, S) -> scalar."""
        real = batch["face"].index_select(1, outputs["drawn"])
        apart = sum((cut(outputs[name], self.region) - cut(real, self.region)).abs().sum() for name in self.faces)
        return self.scale * apart / real.numel()


class DrawnStill(Term):
    """How much the faces drawn from sound change from frame to frame outside the mouth (published weight 5).

    The sum over the K frames of the mean absolute difference to the frame before, which takes no gradient; the first frame is
    compared with the identity picture. Pixels of davs_mouth count as equal, and the mean is over all pixels, as published.
    """

    needs = ("identity_face",)
    reads = ("audio_face",)

    @classmethod
    def prepare(cls, options, setting, name):
        """See losses.term.Term."""
        model_giving(setting, name, *cls.reads)
        return options

    def forward(self, outputs, batch):
        """`audio_face` (B, K, 3, S, S), `identity_face` (B, 3, S, S) -> scalar."""
        faces = outputs["audio_face"]
        before = torch.cat((batch["identity_face"][:, None].to(faces.dtype), faces[:, :-1].detach()), 1)
        apart = (faces - before).abs()
        outside = torch.ones(faces.shape[-2:], device=faces.device)
        cut(outside, REGIONS["davs_mouth"]).fill_(0)
        return (apart * outside).sum() / faces[:, 0].numel()
