"""Codes of the frames of a clip that a temporal module makes of the frames around each, piece by piece."""

from fractions import Fraction

import torch

from pipeline.drivers.whole_face import WholeFaceDriver

PIECE = 250  # frames that are fused at once
RATE = 25  # frames a second that temporal modules count, as the published ones and ours have learned
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
        """Heard: what is heard of each of RATE frames a second, see models.au.fusing.Fusing.hear."""
        self._refused = 0
        count = max(1, -int(-frames * RATE // fps))
        heard = self.heard(self._ready.hear, driving.sound.waveform, Fraction(RATE), count, **self._windows)
        return Heard(torch.from_numpy(heard).to(self.device, self._dtype), fps, frames)


class Heard:
    """What is heard of a clip, for frames of a result; `heard[list of their numbers]` gives (n, D) tensor.

    Args:
        features: (T, D) tensor, of RATE frames a second; fps: Fraction, of the result; frames: int, of the result.
    """

    def __init__(self, features, fps, frames):
        self.features = features
        self._places = [float((2 * number + 1) * RATE / Fraction(fps) / 2 - Fraction(1, 2)) for number in range(frames)]

    def __getitem__(self, numbers):
        return between(self.features.__getitem__, self.places(numbers), len(self.features))

    def places(self, numbers):
        """Where the middles of frames of the result lie among frames of RATE a second: list of float.

        Args:
            numbers: list of int; those outside the clip stand for its ends.
        """
        return [self._places[min(max(int(number), 0), len(self._places) - 1)] for number in numbers]


def between(values, places, count):
    """Values linear between the middles of frames, held beyond the ends.

    Args:
        values: list of n numbers of frames -> (n, C) tensor; places: list of float, in frames; count: of frames.

    Returns:
        (len(places), C) tensor; the values themselves where places are whole numbers.
    """
    places = [min(max(place, 0), count - 1) for place in places]
    first = [int(place) for place in places]
    shares = [place - number for place, number in zip(places, first, strict=True)]
    found = values([*first, *(number + (share > 0) for number, share in zip(first, shares, strict=True))])
    share = torch.tensor(shares, dtype=found.dtype, device=found.device)[:, None]
    return torch.lerp(found[: len(first)], found[len(first) :], share)


class FusedCodes:
    """The codes of a clip for one identity, made when they are asked for. They do not depend on the batches that ask.

    They are fused at RATE frames a second, as the network has learned, and lie linearly between those of two frames at another
    rate. What is made on the way does not grow with the length of the clip, but for a module that depends on all frames before.

    Args:
        network: has `fuse(identity, features (1, T, D)) -> (1, T, C)` and `temporal.margin`, as models.au.ActionUnits.
        identity: of one picture, as `network.identify` gives it.
        heard: Heard of the whole clip.
    """

    def __init__(self, network, identity, heard):
        self._network, self._identity, self._features, self.places = network, identity, heard.features, heard.places
        self._margin = network.temporal.margin
        self._piece = max(1, len(self._features)) if self._margin is None else PIECE
        self._kept = {}

    def __call__(self, numbers):
        """(n, C) tensor of frames of the result, in any order; numbers outside the clip stand for its ends."""
        return self.at(self.places(numbers))

    def at(self, places):
        """(n, C) tensor; places: list of n float, in frames of RATE a second, in any order; beyond an end its frame is held."""
        return between(self._whole, places, len(self._features))

    def _whole(self, numbers):
        """(n, C) tensor of these frames of RATE a second."""
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
