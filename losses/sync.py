"""Sync: what the lip-sync expert says of generated lips, and the loss that the expert itself learns from."""

import torch
import torch.nn.functional as F

from common.errors import InputError
from common.schema import REQUIRED, Number
from losses.term import Term, origin_of
from models.syncnet import lower_halves, sync_probability

_EPSILON = 1e-6


class SyncLoss(Term):
    """-log of the frozen expert's probability that the generated lips belong to the audio (arXiv 2008.10010 eq. 3).

    The expert stays frozen: fine-tuned on generated frames it gets worse (arXiv 2008.10010, ablation).

    Args:
        expert: models.SyncNetColor.
        channel_order: "rgb", or "bgr" for the published expert.
    """

    needs = ("sync_mel",)
    made = ("channel_order", "origin")

    def __init__(self, expert, channel_order="rgb", origin=None):
        super().__init__()
        self.origin = origin or {}
        self.expert = expert.eval().requires_grad_(False)
        self.channel_order = channel_order
        self.sync_frames = expert.frames

    @classmethod
    def prepare(cls, options, setting, name):
        """Load the expert that the options name; see losses.term.Term."""
        key = f"losses.{name}.expert"
        if "expert" not in options:
            raise InputError(f"{key}: name the checkpoint of a lip-sync expert")
        found = setting.load(str(options["expert"]), "syncnet_color", key)
        if found.model.face_size != setting.face_size:
            raise InputError(f"{key}: made for faces of {found.model.face_size} pixels, the model makes others")
        if found.model.frames > setting.frames:
            raise InputError(f"{key}: judges {found.model.frames} frames at once; data.window must not be shorter")
        return {**options, "expert": found.model, "channel_order": found.config["data"].get("channel_order", "rgb"),
                "origin": origin_of(found)}  # fmt: skip

    def facts(self):
        """What a checkpoint tells its reader: who taught the network, and must not judge it."""
        return self.origin

    def train(self, mode=True):
        """The expert's batch norm keeps its statistics."""
        super().train(mode)
        self.expert.eval()
        return self

    def count(self, outputs, batch):
        """See losses.term.Precise: windows with as many frames as the expert judges."""
        return batch["valid"][:, self.expert.frames - 1].sum() if "valid" in batch else None

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) generated, `sync_mel` (B, 1, 80, 16) -> scalar.

        The expert judges the first 5 frames (`SyncNetColor.frames`) of the window; a padded window with fewer does not count.
        """
        faces = outputs["face"][:, : self.expert.frames]
        faces = faces if self.channel_order == "rgb" else faces.flip(2)
        with self.networks(faces.device):
            audio, face = self.expert.embed(batch["sync_mel"], lower_halves(faces.transpose(1, 2)))
        loss = -torch.log(sync_probability(audio, face).clamp_min(_EPSILON))
        if "valid" not in batch:
            return loss.mean()
        whole = batch["valid"][:, self.expert.frames - 1].to(loss.dtype)
        return (loss * whole).sum() / whole.sum().clamp_min(1)


class SyncClassification(Term):
    """Binary cross-entropy of the expert's cosine against whether sound and lips belong together (arXiv 2008.10010 eq. 1).

    Windows that are heard with several sounds (data.negatives.sounds) count both answers alike, so that chance is ln 2 still.
    """

    needs = ("in_sync",)
    reads = ("audio_embedding", "face_embedding")

    def forward(self, outputs, batch):
        """`audio_embedding` (B, K, D), `face_embedding` (B, D), `in_sync` (B, K) -> scalar; ln 2 = 0.693 is chance.

        The figure `accuracy` is the share of sounds that the probability puts on the right side of 1/2.
        """
        probability = sync_probability(outputs["audio_embedding"], outputs["face_embedding"][:, None])
        own = batch["in_sync"]
        figures = {"accuracy": (((probability > 0.5) == own.bool()).sum(), own.new_full((), own.numel()))}
        probability = probability.clamp(_EPSILON, 1 - _EPSILON)
        # written out: CUDA's autocast forbids binary_cross_entropy
        apart = (own - 1) * torch.log1p(-probability) - own * torch.log(probability)
        if own.shape[1] == 1:
            return apart.mean(), figures
        loss = 0.5 * ((apart * own).sum() / own.sum() + (apart * (1 - own)).sum() / (1 - own).sum().clamp_min(1))
        return loss, figures


class SyncChoice(Term):
    """Cross-entropy of choosing the window's own sound among its K (ours; InfoNCE, arXiv 1807.03748 eq. 4, over cosines).

    One pass of the faces learns from K - 1 negatives at once, which takes the expert off the plateau at ln 2 on which users of
    the published recipe sit for days (docs/training.md, "The expert").

    Args:
        scale: of the cosines, the inverse of the temperature.
    """

    needs = ("in_sync",)
    reads = ("audio_embedding", "face_embedding")

    ranges = {"scale": Number(REQUIRED, 0, 1000, above=True)}

    def __init__(self, scale=15.0):
        super().__init__()
        self.scale = float(scale)

    def forward(self, outputs, batch):
        """As of SyncClassification, the window's own sound first -> scalar; ln K is chance.

        The figure `accuracy` is the share of windows whose own sound has the greatest cosine.
        """
        cosines = (outputs["audio_embedding"] * outputs["face_embedding"][:, None]).sum(-1)
        if cosines.shape[1] < 2:
            raise InputError("losses.sync_choice: chooses among several sounds; set data.negatives.sounds to 2 or more")
        own = batch["in_sync"].bool().clone()
        own[:, 0] = False  # a negative that fell on the window itself does not count
        cosines = cosines.masked_fill(own, -1e4)
        right = torch.zeros(len(cosines), dtype=torch.long, device=cosines.device)
        figures = {"accuracy": ((cosines.argmax(1) == 0).sum(), cosines.new_full((), len(cosines)))}
        return F.cross_entropy(self.scale * cosines, right), figures
