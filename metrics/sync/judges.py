"""Sync experts ready to judge videos: face crops and sound in, embeddings out, whatever the network's conventions are.

Three kinds. `PublishedSyncNet` is the network of LSE-D and LSE-C; only with the published weights may its figures bear these
names. `ColourExpert` is a SyncNet of Wav2Lip's kind (`models.syncnet`), `metrics.sync.landmarks.LandmarkJudge` one that reads
landmarks (`models.lips.sync`); the figures of both bear their own names.
"""

from itertools import islice

import numpy as np
import torch

from common.errors import InputError
from faces.crops import CropSpec
from metrics.networks.precision import precision_of
from metrics.sync.landmarks import LandmarkJudge
from metrics.sync.score import FPS, OVERLAP, PADDED, WINDOW
from models.devices import choose_device
from models.syncnet import lower_halves
from models.syncnet_v2 import MFCC_WINDOW, SIDE, FastSyncNet
from speech.mel import mel_spectrogram
from speech.mfcc import mfcc
from speech.waveform import to_pcm16, to_waveform
from speech.windows import mel_windows
from training.checkpoint import load_checkpoint

# SHA-256 of syncnet_v2.model as the University of Oxford's group offers it (several public projects pin it; not fetched here).
PUBLISHED_SHA256 = "961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442"
_CHUNK, _CPU_CHUNK = 64, 8  # windows that go through the network together; on a CPU what its caches hold


def load_judge(path, device="cpu"):
    """The sync expert in a checkpoint: `syncnet_v2.model`, Wav2Lip's `lipsync_expert.pth`, or one of ours.

    Args:
        path: checkpoint.
        device: "auto", "cpu", "cuda", ...

    Returns:
        PublishedSyncNet, ColourExpert or LandmarkJudge.

    Raises:
        InputError: cannot be read, or holds another kind of network.
    """
    checkpoint = load_checkpoint(path, choose_device(device))
    name = checkpoint.config["model"]["name"]
    judges = {"syncnet_v2": PublishedSyncNet, "syncnet_color": ColourExpert, "lip_sync": LandmarkJudge}
    if name not in judges:
        raise InputError(f"{path}: holds {name}, not a sync expert; give syncnet_v2.model or a checkpoint of "
                         "lip_sync or syncnet_color")
    return judges[name](checkpoint)


class _Judge:
    """What both kinds share.

    Attributes:
        name: of the checkpoint file, without suffix.
        sha256: of the file.
        is_lse: its figures may be called LSE.
        crop_spec: CropSpec of the face crops that it looks at, or None where it takes SyncNet's own (metrics.sync.crops).
        side: of these crops, in pixels.
        rule: metrics.sync.score.ShiftRule that its embeddings need.
        precision: what its network computes in, see `metrics.networks.precision`.
        by_landmarks: it wants landmarks in place of crops.
    """

    crop_spec, by_landmarks = None, False

    def __init__(self, checkpoint):
        self.name, self.sha256 = checkpoint.path.stem, checkpoint.sha256
        self.is_lse = self.sha256 == PUBLISHED_SHA256
        weight = next(checkpoint.model.parameters())
        self._device, self.precision = weight.device, precision_of(weight)
        self._chunk = _CPU_CHUNK if self._device.type == "cpu" else _CHUNK

    @torch.inference_mode()
    def lips(self, crops):
        """Embed every window of five consecutive crops.

        Args:
            crops: iterable of (side, side, 3) uint8 RGB, read once; a stretch of them is held at a time.

        Returns:
            (T - 4, D) float32 on the CPU; (0, D) for fewer than five crops.
        """
        crops, held, parts = iter(crops), [], []
        while True:
            held += islice(crops, self._chunk + WINDOW - 1 - len(held))
            if len(held) < WINDOW:
                break
            parts.append(self._lips(torch.from_numpy(np.stack(held)).to(self._device)).float().cpu())
            held = held[1 - WINDOW :]
        return torch.cat(parts) if parts else torch.zeros(0, self.dimension)

    @torch.inference_mode()
    def sound(self, samples, rate, count):
        """Embed the sound that belongs to `count` windows of video at 25 frames a second.

        Args:
            samples: (channels, n) float32, full scale 1, beginning with the first frame.
            rate: samples a second.
            count: windows, as `metrics.sync.score.window_count` says.

        Returns:
            (count, D) float32 on the CPU.
        """
        if not count:
            return torch.zeros(0, self.dimension)
        windows = self._windows(samples, rate, count)
        parts = [self._sound(torch.from_numpy(part).to(self._device)[:, None]).float().cpu()
                 for part in np.split(windows, range(4 * self._chunk, count, 4 * self._chunk))]
        return torch.cat(parts)


class PublishedSyncNet(_Judge):
    """SyncNet with the layout of syncnet_v2.model: BGR frames of 224 pixels, MFCC windows of 20 columns."""

    side, dimension, rule = SIDE, 1024, PADDED

    def __init__(self, checkpoint):
        super().__init__(checkpoint)
        self._model = FastSyncNet(checkpoint.model).eval()

    def _lips(self, crops):
        planes = crops.flip(3).float().permute(3, 0, 1, 2)  # (3, T, H, W) BGR
        return self._model.embed_lips(planes)

    def _windows(self, samples, rate, count):
        columns = mfcc(to_pcm16(samples, rate) / np.float64(32768))
        return np.stack([columns[:, 4 * at : 4 * at + MFCC_WINDOW] for at in range(count)])

    def _sound(self, windows):
        return self._model.embed_sound(windows)


class ColourExpert(_Judge):
    """SyncNet of Wav2Lip's kind: lower halves of face crops, mel windows; embeddings of unit length."""

    rule = OVERLAP

    def __init__(self, checkpoint):
        super().__init__(checkpoint)
        model, data = checkpoint.model, checkpoint.config["data"]
        if model.frames != WINDOW:
            raise InputError(f"{checkpoint.path}: looks at {model.frames} frames; only experts of {WINDOW} can judge here")
        missing = [key for key in ("crop", "pads", "audio_window", "channel_order") if key not in data]
        if missing:
            raise InputError(f"{checkpoint.path}: its config lacks data.{missing[0]}, so how to feed it is unknown; take a "
                             "checkpoint that train.py has written")
        self._model, self.side = model.eval(), model.face_size
        self._mode, self._reverse = data["audio_window"], data["channel_order"] == "bgr"
        self.crop_spec = CropSpec(data["crop"], self.side, tuple(data["pads"]))
        self.dimension = model.dimension

    def _lips(self, crops):
        planes = crops.permute(0, 3, 1, 2).float() / 255
        planes = planes.flip(1) if self._reverse else planes
        windows = torch.stack([planes[at : at + WINDOW].transpose(0, 1) for at in range(len(planes) - WINDOW + 1)])
        return self._model.embed_faces(lower_halves(windows))

    def _windows(self, samples, rate, count):
        mel = mel_spectrogram(to_waveform(samples, rate))
        return mel_windows(mel, range(count), FPS, span=WINDOW, mode=self._mode)

    def _sound(self, windows):
        return self._model.embed_sound(windows)
