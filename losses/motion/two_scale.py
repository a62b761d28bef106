"""Hinge adversary of two scales, and what its features say of drawn and real faces (the published code of arXiv 2104.11116)."""

import torch
import torch.nn.functional as F

from common.errors import InputError
from common.schema import REQUIRED, Flag, Number
from common.suggest import refuse_unknown
from losses.davs.drawn import DRIVES
from losses.davs.opponent import Opponent
from losses.davs.parts import model_giving
from losses.term import Term, raised
from models.motion.discriminator import TwoScaleDiscriminator
from models.precision import outside_autocast

CROSSED = "crossed_face"


class ScaleJudge(Opponent):
    """The discriminator, and what it learns from: hinge loss of real and drawn faces, mean over scales and patches (published).

    Args:
        network: models.motion.discriminator.TwoScaleDiscriminator. faces: outputs that it looks at.
    """

    def __init__(self, network, faces):
        super().__init__(network)
        self.faces = faces

    def _answer(self, call, *arguments):
        """Each scale's maps as float32."""
        with self.networks(arguments[-1].device):
            scales = call(*arguments)
        return [[one.float() for one in scale] for scale in scales]

    def forward(self, outputs, batch):
        """Drawn faces (B, K, 3, S, S), `drawn` (K,), `face` (B, T, 3, S, S) -> float32 scalar."""
        with outside_autocast(batch["face"].device):
            real = batch["face"].index_select(1, outputs["drawn"]).flatten(0, 1)
            fake = torch.cat([raised(outputs[name].detach()).flatten(0, 1) for name in self.faces])
            scales = self.asked(torch.cat((real, fake)))
            apart = [F.relu(1 - maps[-1][: len(real)]).mean() + F.relu(1 + maps[-1][len(real) :]).mean() for maps in scales]
            return sum(apart) / len(apart)


class TwoScale(Term):
    """What a discriminator of patches says of drawn faces, at the size of the faces and at half of it.

    `adversarial` times -D(drawn), mean over patches and scales, and `matching` times the mean absolute differences of the
    discriminator's features of drawn and real faces, summed over layers and averaged over scales. The first of these features
    is the picture itself, in colours of -1 to 1; it counts `image` times. Faces drawn from sound and from video are added. The
    published weights are 1, 10 and 1 in the code, and 1, 1 and 1 in the paper.

    The figure `patches` is the share of patches of drawn faces that the discriminator takes for drawn.

    Args:
        drives: "both", or "audio" or "video" alone.
        adversarial, matching, image: weights.
        crossed: faces of crossed codes are judged, too; they have no real counterpart, and no feature is matched (ours).
        width: of the discriminator; the network's where the config does not say.
        network: the discriminator.

    Raises:
        InputError: unknown drives, adversarial and matching both 0, or a network that does not draw these faces.
    """

    needs = ("face",)
    reads = (*DRIVES["both"], "drawn")
    made = ("network",)
    ranges = {
        "adversarial": Number(REQUIRED, 0, 1000),
        "matching": Number(REQUIRED, 0, 1000),
        "image": Number(REQUIRED, 0, 1000),
        "crossed": Flag(REQUIRED),
        "width": Number(REQUIRED, 0.0625, 1),
    }

    def __init__(self, drives="both", adversarial=1.0, matching=10.0, image=1.0, crossed=False, width=1.0, network=None):
        super().__init__()
        refuse_unknown([drives], DRIVES, "losses.two_scale.drives")
        if not adversarial and not matching:
            raise InputError("losses.two_scale: adversarial and matching are both 0; give one of them a weight, or remove "
                             "this loss")  # fmt: skip
        self.faces, self.crossed = DRIVES[drives], (CROSSED,) if crossed else ()
        self.reads = (*self.faces, *self.crossed, "drawn")
        self.adversarial, self.matching, self.image = float(adversarial), float(matching), float(image)
        self.judge = ScaleJudge(network, (*self.faces, *self.crossed))

    @classmethod
    def prepare(cls, options, setting, name):
        """The discriminator, as wide as the network where the config does not say; see losses.term.Term."""
        model_giving(setting, name, *cls.reads, *((CROSSED,) if options.get("crossed") else ()))
        width = options.get("width", setting.width)
        return {**options, "width": width, "network": TwoScaleDiscriminator(width=width)}

    def adversaries(self):
        """See losses.term.Term."""
        return {"": self.judge}

    def forward(self, outputs, batch):
        """`audio_face`, `video_face` (B, K, 3, S, S), `drawn` (K,) their places in `face` (B, T, 3, S, S) -> scalar."""
        real = batch["face"].index_select(1, outputs["drawn"]).flatten(0, 1)
        drawn = [outputs[name].flatten(0, 1) for name in (*self.faces, *self.crossed)]
        scales = self.judge.fixed(torch.cat(drawn))
        patches = torch.cat([maps[-1].detach().flatten() for maps in scales])
        value = -self.adversarial * len(drawn) * sum(maps[-1].mean() for maps in scales) / len(scales)
        if self.matching:
            value = value + self.matching * self._matched(torch.cat(drawn[: len(self.faces)]), real, scales)
        return value, {"patches": ((patches < 0).sum(), patches.new_full((), patches.numel()))}

    def _matched(self, drawn, real, scales):
        """Sum over the drives and the layers, mean over the scales, of the differences of features."""
        with torch.no_grad():
            wanted = self.judge.fixed(real)
        drives, total = len(drawn) // len(real), 0.0
        for maps, goals in zip(scales, wanted, strict=True):
            pairs = zip(maps[:-1], goals[:-1], strict=True)
            layers = [(one[: len(drawn)].unflatten(0, (drives, -1)) - goal).abs().mean() for one, goal in pairs]
            total = total + drives * (self.image * layers[0] + sum(layers[1:]))
        return total / len(scales)
