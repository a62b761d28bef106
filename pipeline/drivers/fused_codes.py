"""Codes of the frames of a clip that a temporal module makes of the frames around each, piece by piece."""

import torch

from pipeline.drivers.whole_face import WholeFaceDriver

PIECE = 250  # frames that are fused at once
CROPS = ("au112", "au128", "aligned", "davs")


class FusedDriver(WholeFaceDriver):
    """A checkpoint of action units that fuses what it hears over the frames of a clip: a models.au.fusing.Fusing.

    Args:
        checkpoint, device, precision, compat: see Driver.

    Raises:
        InputError: a checkpoint of crops that this version does not know.
    """

    kinds = CROPS

    def __init__(self, checkpoint, *, device, precision, compat=None):
        super().__init__(checkpoint, device=device, precision=precision, compat=compat)
        self._windows = checkpoint.model.field_options()["mfcc"]
        self._ready = self.ready(checkpoint.model).to(self._dtype)

    def ready(self, network):
        """The network in the form in which it draws."""
        return network.eval()

    def listen(self, driving, fps, frames):
        """(frames, D) tensor on the device: what is heard of each frame, see models.au.fusing.Fusing.hear."""
        self._refused = 0
        heard = self.heard(self._ready.hear, driving.sound.waveform, fps, frames, **self._windows)
        return torch.from_numpy(heard).to(self.device, self._dtype)


class FusedCodes:
    """The codes of a clip for one identity, made when they are asked for. They do not depend on the batches that ask.

    What is made on the way does not grow with the length of the clip, but for a module that depends on all frames before.

    Args:
        network: has `fuse(identity, features (1, T, D)) -> (1, T, C)` and `temporal.margin`, as models.au.ActionUnits.
        identity: of one picture, as `network.identify` gives it.
        features: (T, D) tensor of the whole clip.
    """

    def __init__(self, network, identity, features):
        self._network, self._identity, self._features = network, identity, features
        self._margin = network.temporal.margin
        self._piece = max(1, len(features)) if self._margin is None else PIECE
        self._kept = {}

    def __call__(self, numbers):
        """(n, C) tensor of the frames with these numbers, in any order; numbers outside the clip stand for its ends."""
        numbers = [min(max(int(number), 0), len(self._features) - 1) for number in numbers]
        wanted = {number // self._piece for number in numbers}
        self._kept = {piece: self._kept[piece] if piece in self._kept else self._made(piece) for piece in wanted}
        return torch.stack([self._kept[number // self._piece][number % self._piece] for number in numbers])

    @torch.inference_mode()
    def _made(self, piece):
        """(PIECE or fewer, C) tensor of one piece."""
        start, margin = piece * self._piece, self._margin or 0
        begin, end = max(0, start - margin), start + self._piece + margin
        fused = self._network.fuse(self._identity, self._features[None, begin:end])[0]
        return fused[start - begin : start - begin + self._piece]
