"""A lip reader of words ready to read videos."""

from fractions import Fraction

import numpy as np
import torch

from common.errors import InputError
from faces.crops import CropSpec
from metrics.networks.precision import precision_of
from models.devices import choose_device
from training.checkpoint import load_checkpoint

WINDOW, RATE = 25, 25  # frames that are read of a word, the word in their middle, and how many are a second


class WordJudge:
    """A network of configs/word_reader.yaml.

    Attributes:
        name: of the training run, else of the file without suffix; sha256: of the file.
        words: tuple of the words that it tells apart.
        crop_spec: CropSpec of the crops that it learned from.
        raw_crops: each was laid by its own frame alone.
        precision: what its network computes in, see `metrics.networks.precision`.
    """

    def __init__(self, checkpoint):
        data = checkpoint.config["data"]
        if "crop" not in data or not data.get("words"):
            raise InputError(f"{checkpoint.path}: does not say which crops it saw and which words it knows; take a checkpoint "
                             "of train.py")  # fmt: skip
        weight = next(checkpoint.model.parameters())
        self.name, self.sha256 = checkpoint.run or checkpoint.path.stem, checkpoint.sha256
        self.words = tuple(data["words"])
        self.crop_spec = CropSpec(data["crop"], checkpoint.model.face_size)
        self.raw_crops = bool(data.get("raw_crops", False))
        self.precision, self._device, self._network = precision_of(weight), weight.device, checkpoint.model

    @classmethod
    def load(cls, path, device="cpu"):
        """Of a checkpoint of configs/word_reader.yaml.

        Args:
            path: of the file; device: "auto", "cpu", "cuda", ...

        Raises:
            InputError: cannot be read, is another network, or does not say which words it knows.
        """
        return cls(load_checkpoint(path, choose_device(device), expect="word_reader"))

    @torch.inference_mode()
    def read(self, crops, fps, words):
        """Which of the words that are said it reads.

        Args:
            crops: (N, S, S, 3) uint8 RGB, S of `crop_spec`, one a frame; frames without a face repeat a neighbour.
            fps: Fraction, frames a second.
            words: list of (word, start, end), seconds.

        Returns:
            list of (word, word that was read), of the words that it knows and whose middle is in the video.
        """
        known = [(word, *frames_of_word(start, end, fps, len(crops))) for word, start, end in words
                 if word in self.words and 0 <= (start + end) / 2 * fps < len(crops)]  # fmt: skip
        if not known:
            return []
        pixels = torch.from_numpy(np.stack([crops[places] for _, places, _ in known])).to(self._device)
        said = torch.from_numpy(np.stack([inside for _, _, inside in known])).to(self._device)
        logits = self._network.read(pixels.permute(0, 1, 4, 2, 3).float() / 255, said)
        return [(word, self.words[at]) for (word, _, _), at in zip(known, logits.argmax(-1).tolist(), strict=True)]


def frames_of_word(start, end, fps, count):
    """The window of a word at 25 frames a second.

    Args:
        start, end: seconds; fps: Fraction; count: frames of the video.

    Returns:
        ((WINDOW,) int64 numbers of frames, held at the ends of the video, (WINDOW,) bool: the middle of the frame is in the
        word; at least one is).
    """
    middle = int((start + end) / 2 * RATE)
    times = (np.arange(WINDOW) + middle - WINDOW // 2 + 0.5) / RATE
    inside = (times >= start) & (times < end)
    inside[WINDOW // 2] = True
    return np.clip((times * float(Fraction(fps))).astype(np.int64), 0, count - 1), inside
