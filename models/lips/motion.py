"""From the sound to the movements of lips, for any speaker: features of the speech -> 20 mouth points without a head.

Convolutions over time, dilated, without padding, hear 13 frames to either side, in which a syllable lies whole. What comes out
are six coefficients of `faces.lip_space`, whose constants are buffers here, so that a checkpoint needs nothing else. Ours.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from common.errors import InputError
from common.suggest import refuse_unknown
from faces.lip_space import COMPONENTS, lip_space
from models.audio_gate import AudioGate
from models.blocks import check_flag, check_share, check_whole
from models.network import Network
from models.precision import outside_autocast
from speech.features import width_of
from speech.features.embedding import EMBEDDING, MID

DILATIONS = (1, 2, 4, 6)
MARGIN = sum(DILATIONS)  # frames of sound that are heard before and after each frame
SPAN = 101  # frames over which the local mean is taken, about which the gain widens movements
NARROW = 0.084  # eye distances: openings of about this size are closed further by `closing`
UPPER, LOWER = slice(13, 16), slice(17, 20)  # inner points that lie above one another
REST_DROPPED = 0.5  # share of training windows whose person is not told
HEARS = {"all": slice(None), "mid": slice(0, MID), "fin": slice(MID, EMBEDDING)}


class Listener(nn.Module):
    """One net: speech (B, T + 2 MARGIN, D) and the person (B, 6) -> (B, T, 6) coefficients over their scales.

    Between its convolutions and its last layer `gate`, a function of the features (B, T, W), may scale them.
    """

    def __init__(self, hears, features, width, dropout, deaf):
        super().__init__()
        self.part = HEARS[hears]
        heard = len(range(features)[self.part])
        self.norm = nn.LayerNorm(heard)
        self.enter, self.person = nn.Linear(heard, width), nn.Linear(COMPONENTS, width)
        self.blocks = nn.ModuleList(nn.Conv1d(width, width, 3, dilation=step) for step in DILATIONS)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in DILATIONS)
        self.deaf, self.dropout = nn.Dropout1d(deaf), nn.Dropout(dropout)
        self.leave = nn.Linear(width, COMPONENTS)  # computed in float32: half precision would spoil small movements

    def forward(self, speech, person, gate=None):
        heard = self.deaf(self.norm(speech[..., self.part]).transpose(1, 2)).transpose(1, 2)
        x = self.dropout(self.enter(heard) + self.person(person)[:, None])
        for step, block, norm in zip(DILATIONS, self.blocks, self.norms, strict=True):
            y = F.gelu(block(norm(x).transpose(1, 2))).transpose(1, 2)
            x = x[:, step:-step] + self.dropout(y)
        x = x if gate is None else gate(x)
        with outside_autocast(x.device):
            return self.leave(x.to(self.leave.weight.dtype))


class LipMotion(Network):
    """Speech -> movements of the mouth, head-free, in eye distances over the person's amplitude.

    Args:
        features: "embedding" or "mel", see `speech.features`.
        hears: list, a net each, of what it hears: "all"; of the embedding also "mid" or "fin" alone. In training each window
            goes to one of the nets; otherwise the result is their mean.
        width: channels; dropout: share of them; deaf: share of the features that a training window is heard without.
        audio_gate: scale the features by the adaptive lip weight of the phoneme that is spoken (models.audio_gate).

    Raises:
        InputError: an unknown kind of features, a part that they do not have, or a value out of range.
    """

    role = "a lip motion network"
    gives = ("lips",)
    optional = ("audio_gate",)

    def __init__(self, features="embedding", hears=("all",), width=96, dropout=0.2, deaf=0.0, audio_gate=False):
        super().__init__()
        if not isinstance(features, str):
            raise InputError(f"model.features: {features!r} is not possible; give embedding or mel")
        size = width_of(features)
        if not isinstance(hears, list | tuple) or not hears or not all(isinstance(part, str) for part in hears):
            raise InputError(f"model.hears: {hears!r} is not possible; hears names at least one part, in a list such as [all]")
        refuse_unknown(hears, HEARS if features == "embedding" else ["all"], "part of the speech features")
        check_whole(width, "width", 8, 1024)
        check_share(dropout, "dropout")
        check_share(deaf, "deaf")
        check_flag(audio_gate, "audio_gate")
        self.features = features
        self.nets = nn.ModuleList(Listener(part, size, width, dropout, deaf) for part in hears)
        space = lip_space()
        for name in ("components", "scale"):
            self.register_buffer(name, torch.from_numpy(np.float32(getattr(space, name))))
        self.register_buffer("mean_rest", torch.from_numpy(np.float32(space.rest)))
        self.register_buffer("gain", torch.ones(COMPONENTS))
        self.register_buffer("closing", torch.zeros(()))
        self.audio_gate = AudioGate() if audio_gate else None

    @property
    def needs(self):
        """Fields that this network is fed with; a gate needs the phonemes."""
        return ("speech", "rest") if self.audio_gate is None else ("speech", "rest", "phoneme")

    def parts(self):
        """See models.network.Network."""
        return {"nets": ("nets",), **({} if self.audio_gate is None else {"audio_gate": ("audio_gate",)})}

    def field_options(self):
        """The field `speech` in the form that the network hears."""
        return {"speech": {"features": self.features, "margin": MARGIN}}

    def forward(self, batch):
        """Training: `speech` (B, T + 2 MARGIN, D), `rest` (B, 20, 2) -> {"lips": (B, T, 20, 2)} without the gain."""
        speech, person, phonemes = batch["speech"], self._person(batch["rest"]), batch.get("phoneme")
        if not self.training:
            return {"lips": self.lips(speech, batch["rest"], phonemes)}
        person = person * (torch.rand_like(person[:, :1]) >= REST_DROPPED)
        count = len(self.nets)
        found = speech.new_empty(len(speech), speech.shape[1] - 2 * MARGIN, COMPONENTS)
        for place, net in enumerate(self.nets):
            own = slice(place, None, count)
            gate = self._gate(None if phonemes is None else phonemes[own])
            found[own] = net(speech[own], person[own], gate).to(found.dtype)  # also where none is left: processes keep in step
        return {"lips": self._shapes(found)}

    @torch.inference_mode()
    def move(self, speech, rest, phonemes=None):
        """Movements of a person who says this, as wide as people's are.

        Means of what may be meant move less than people do, so each coefficient goes away from its mean over the frames around
        by its gain. About the rest position it would open the mouth too far; in silence the two are one. Means also miss the
        moment in which lips meet, so inner lips that are nearly closed are moved together by up to `closing`.

        Args:
            speech: (B, T + 2 MARGIN, D) float32 features of all T frames of a sound, and the MARGIN frames before and after.
            rest: (B, 20, 2) float32, see faces.lip_space.Person.
            phonemes: (B, T) int64 classes of `speech.arpabet.PHONES`; a network with an audio gate needs them.

        Returns:
            (B, T, 20, 2) float32, see faces.lip_space.movements.

        Raises:
            ValueError: a gate, and no phonemes.
        """
        values = self._mean(speech, self._person(rest), phonemes).float()
        middle = local_mean(values)
        moved = self._shapes(middle + self.gain.float() * (values - middle))
        opening = moved[..., LOWER, 1].mean(-1) - moved[..., UPPER, 1].mean(-1)
        nearer = self.closing.float() / 2 * torch.exp(-opening.clamp_min(0) / NARROW)[..., None]
        moved[..., LOWER, 1] -= nearer
        moved[..., UPPER, 1] += nearer
        return moved

    def lips(self, speech, rest, phonemes=None):
        """What the nets themselves say, with a gradient; see `move`."""
        return self._shapes(self._mean(speech, self._person(rest), phonemes))

    def _gate(self, phonemes):
        """Function that scales features (B, T, W) by the phonemes (B, T); None where there is no gate."""
        if self.audio_gate is None:
            return None
        if phonemes is None:
            raise ValueError("this network has an audio gate: it must be given the phonemes")

        def scaled(x):
            return self.audio_gate(x.flatten(0, 1)[..., None, None], phonemes.flatten()).view_as(x)

        return scaled

    def _person(self, rest):
        """(B, 20, 2) -> (B, 6): how the rest position differs from the mean one, over the scales; its place does not count."""
        with outside_autocast(rest.device):
            own = rest.float() - self.mean_rest.float()
            own = (own - own.mean(1, keepdim=True)).flatten(1) @ self.components.float().T / self.scale.float()
        return own.to(self.nets[0].leave.weight.dtype)

    def _mean(self, speech, person, phonemes):
        """(B, T, 6): mean of all nets."""
        gate = self._gate(phonemes)
        return torch.stack([net(speech, person, gate) for net in self.nets]).mean(0)

    def _shapes(self, values):
        """(B, T, 6) over the scales -> (B, T, 20, 2)."""
        with outside_autocast(values.device):
            return ((values.float() * self.scale.float()) @ self.components.float()).unflatten(-1, (-1, 2))


def local_mean(values):
    """(B, T, K) -> the same, each frame the mean of the SPAN frames about it, weighed by a Hann window; the ends are held."""
    window = torch.hann_window(SPAN + 2, periodic=False, device=values.device, dtype=values.dtype)[1:-1]
    held = F.pad(values.transpose(1, 2), (SPAN // 2, SPAN // 2), mode="replicate")
    smooth = F.conv1d(held.flatten(0, 1)[:, None], (window / window.sum())[None, None])
    return smooth.view(values.shape[0], values.shape[2], -1).transpose(1, 2)
