"""Lip sync by landmarks: what the judge of `models.lips.sync` learns from, and what it says of lips that a network makes."""

import torch
import torch.nn.functional as F

from common.errors import InputError
from faces.landmarks import CANONICAL_STABLE, MOUTH, STABLE
from losses.masking import frame_mean
from losses.term import Term, origin_of, raised
from models.fuse import fuse_for_inference
from models.lips.sync import CONTEXT

_LEAST = -1e4  # logit of what is not to be chosen


class SyncContrast(Term):
    """Each frame's lips choose its sound among the frames of the window, each window its sound among those of the batch.

    InfoNCE (arXiv 1807.03748 eq. 4) over cosines, both ways, with a learned temperature for each of the two (ours;
    docs/methods.md, eq. (49)). The figures `frames` and `windows` are shares of lips that choose their own sound.
    """

    reads = ("lip_embedding", "sound_embedding", "sync_scale")

    def forward(self, outputs, batch):
        """`lip_embedding`, `sound_embedding` (B, T, D) of unit length, `sync_scale` (2,) -> scalar; chance is ln T + ln B."""
        lips, sound = outputs["lip_embedding"], outputs["sound_embedding"]
        counts = batch["valid"].bool() if "valid" in batch else torch.ones_like(lips[..., 0], dtype=torch.bool)
        among_frames, among_windows = outputs["sync_scale"]
        weights = (counts / counts.sum(1, keepdim=True).clamp_min(1)).to(lips.dtype)[..., None]
        whole = torch.einsum("atd,btd->ab", lips * weights, sound)
        every = torch.ones_like(whole[:, 0], dtype=torch.bool)
        frames, right = _both_ways(among_frames * lips @ sound.transpose(1, 2), counts)
        windows, right_windows = _both_ways(among_windows * whole[None], every[None])
        figures = {"frames": (right, counts.sum()), "windows": (right_windows, every.sum())}
        return frames + windows, figures


def _both_ways(logits, counts):
    """(mean cross-entropy of rows and of columns, number of rows whose own column is greatest).

    Args:
        logits: (B, N, N), own ones on the diagonal; counts: (B, N) bool, rows and columns that count.
    """
    logits = logits.masked_fill(~(counts[:, :, None] & counts[:, None]), _LEAST)
    own = torch.arange(logits.shape[1], device=logits.device).expand(logits.shape[:2])
    both = [F.cross_entropy(one.transpose(1, 2), own, reduction="none") for one in (logits, logits.transpose(1, 2))]
    mean = (sum(both) / 2 * counts).sum() / counts.sum().clamp_min(1)
    return mean, ((logits.argmax(2) == own) & counts).sum()


class _Judged(Term):
    """1 less the mean cosine that the frozen judge gives to made lips and the window's own sound.

    The judge sees the real lips before and after the window, so that short windows are judged like long ones.

    Args:
        judge: models.LipSync.
        margin: frames of the field `speech` before and after the window.
        origin: what `origin_of` tells of the judge.
    """

    needs, in_step = ("speech", "sync_lips", "sync_rest"), True
    made = ("margin", "origin")

    def __init__(self, judge=None, margin=CONTEXT, origin=None):
        super().__init__()
        self.judge, self.margin, self.origin = judge.eval().requires_grad_(False), margin, origin or {}

    @classmethod
    def prepare(cls, options, setting, name):
        """Load the judge that may teach, by default the released one; hear what the network hears; see losses.term.Term."""
        found = setting.load(str(options.get("judge") or setting.released("lip_sync_a")), "lip_sync")
        asked = setting.model.field_options().get("speech") if setting.model is not None else None
        if asked and asked.get("features", found.model.features) != found.model.features:
            raise InputError(f"losses.{name}.judge: hears {found.model.features}, the network {asked['features']}; give a "
                             "judge that hears the same")  # fmt: skip
        margin = asked.get("margin", 0) if asked else CONTEXT
        return {**options, "judge": found.model, "margin": margin, "origin": origin_of(found)}

    def facts(self):
        """What a checkpoint tells its reader: who taught the network, and must not judge it."""
        return self.origin

    def field_options(self):
        """See losses.term.Term."""
        speech = {"features": self.judge.features} | ({"margin": self.margin} if self.margin else {})
        return {"speech": speech, "sync_lips": {"margin": CONTEXT, "in_step": self.in_step}}

    def train(self, mode=True):
        """The judge keeps its statistics, and leaves nothing out."""
        super().train(mode)
        self.judge.eval()
        return self

    def judged(self, made, batch):
        """Loss and figure of made lips.

        Args:
            made: (B, T, 20, 2) canonical points of the window.
            batch: fields.

        Returns:
            scalar; {"real": cosine of the real lips}: better than that is no better sync, but over-fitting to the judge.
        """
        frames, real = made.shape[1], batch["sync_lips"]
        both = torch.cat([torch.cat([real[:, :CONTEXT], made, real[:, CONTEXT + frames :]], 1), real])
        with self.networks(made.device):
            lips = raised(self.judge.lips(both, batch["sync_rest"].repeat(2, 1, 1)))[:, CONTEXT : CONTEXT + frames]
            with torch.no_grad():
                sound = raised(self.judge.sound(batch["speech"]))[:, self.margin : self.margin + frames]
        fake, true = (lips * sound.repeat(2, 1, 1)).sum(-1).chunk(2)
        return 1 - frame_mean(fake, batch), {"real": (frame_mean(true.detach(), batch), true.new_ones(()))}


class SyncLandmarks(_Judged):
    """Lip sync of generated faces, read off their mouth landmarks (ours; docs/methods.md, eq. (50)).

    Real and generated faces both go through the landmark network, and their difference is added to the detector's landmarks of
    the real face: equal faces are judged exactly like the real one.

    Args:
        judge: models.LipSync; of a config: path of a checkpoint, null: checkpoints/lip_sync_a.safetensors, the one that
            teaches. What learned from it needs another judge.
        landmarks: models.LipLandmarks; of a config likewise.
    """

    needs, in_step = (*_Judged.needs, "face", "landmarks"), False

    def __init__(self, judge=None, landmarks=None, margin=CONTEXT, origin=None):
        super().__init__(judge, margin, origin)
        self.landmarks = fuse_for_inference(landmarks, winograd=False)
        # on the run's device from the start: a copy to a GPU in each step would make its host wait
        self.register_buffer("canonical", torch.as_tensor(CANONICAL_STABLE, dtype=torch.float32), persistent=False)
        self.register_buffer("stable", torch.tensor(STABLE), persistent=False)

    @classmethod
    def prepare(cls, options, setting, name):
        """Load the landmark network, too."""
        path = options.get("landmarks") or setting.released("lip_landmarks")
        return {**super().prepare(options, setting, name), "landmarks": setting.load(str(path), "lip_landmarks").model}

    def forward(self, outputs, batch):
        """`face` (B, T, 3, S, S) generated; `face`, `landmarks` (B, T, 68, 2) and the judge's fields -> scalar in [0, 2]."""
        with self.networks(outputs["face"].device):
            with torch.no_grad():
                real = self.landmarks.find(batch["face"])
            fake = self.landmarks.find(outputs["face"])
        landmarks = batch["landmarks"]
        points = landmarks[..., MOUTH, :] + raised(fake) - raised(real)
        stable = landmarks.index_select(-2, self.stable)
        return self.judged(carried_to_canonical(points, stable, self.canonical), batch)


class SyncMovement(_Judged):
    """The same of movements of lips without a head (faces.lip_space): the real lips, moved by what is wrong with the movement.

    Args:
        judge: as of SyncLandmarks.
    """

    needs, reads = (*_Judged.needs, "lips", "amplitude"), ("lips",)

    def forward(self, outputs, batch):
        """`lips` (B, T, 20, 2) made and real, over the `amplitude` (B,) of the person, and the judge's fields -> scalar."""
        real = batch["sync_lips"][:, CONTEXT : CONTEXT + outputs["lips"].shape[1]]
        return self.judged(real + (outputs["lips"] - batch["lips"]) * batch["amplitude"][:, None, None, None], batch)


def carried_to_canonical(points, stable, target):
    """Points carried by the similarity that fits a face's stable points to the canonical ones (faces.landmarks).

    Args:
        points: (..., K, 2); stable: (..., M, 2) the STABLE ones of the landmarks, in the same pixels.
        target: (M, 2) CANONICAL_STABLE.

    Returns:
        (..., K, 2) in eye distances, differentiable in `points`.
    """
    target = target.to(stable.dtype)
    middle, centre = target.mean(0), stable.mean(-2, keepdim=True)
    source, target = stable - centre, target - middle
    norm = source.square().sum((-1, -2)).clamp_min(1e-6)
    along = ((source * target).sum((-1, -2)) / norm)[..., None]
    across = ((source[..., 0] * target[..., 1] - source[..., 1] * target[..., 0]).sum(-1) / norm)[..., None]
    x, y = (points - centre).unbind(-1)
    return torch.stack([along * x - across * y, across * x + along * y], -1) + middle
