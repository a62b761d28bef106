"""The networks behind the measures: windows and frames a second, and their numbers against float32 on the CPU."""

import copy

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.networks import apart

APART = 2e-2  # of embeddings and features, in float32 as CUDA convolves it (TF32)
CHUNK = 64  # windows that go through a judge together
BATCH = 64  # pictures that go through Inception together


def measure(bench: Bench):
    """Enter the lines of this part."""
    parts = {"sync judge, lips": published_lips, "sync judge, sound": published_sound, "colour expert, lips": colour_lips,
             "FID features": inception}  # fmt: skip
    for name in bench.cases(list(parts)):
        with bench.guard(name):
            torch.manual_seed(0)
            time_network(bench, name, *parts[name](bench))


def time_network(bench, name, model, call, given, count):
    """Items a second, and the distance of what comes out from that of the CPU.

    Args:
        model: in eval mode, on the CPU; call: (model, tensor) -> tensor; given: tensor on the CPU.
        count: items in it.
    """
    with torch.inference_mode():
        reference = call(model, given)
        there, moved = copy.deepcopy(model).to(bench.device), given.to(bench.device)
        found = call(there, moved)
        most = APART if bench.cuda else 1e-4
        bench.line(f"{name}, apart from the CPU", apart(found.float().cpu().flatten(), reference.flatten()), most=most)
        seconds = bench.seconds_of(lambda: call(there, moved), rounds=1 if bench.quick else 20)
    bench.line(f"{name}, a second", count / seconds, "1/s", batch=count)


def published_lips(bench):
    """SyncNet as LSE-D and LSE-C use it, lips: (model, call, input, windows)."""
    windows = 2 if bench.quick else CHUNK
    frames = 255 * torch.rand(3, windows + 4, 224, 224)
    return fast_syncnet(), lambda model, given: model.embed_lips(given), frames, windows


def published_sound(bench):
    """The same, sound."""
    windows = 2 if bench.quick else 4 * CHUNK
    return fast_syncnet(), lambda model, given: model.embed_sound(given), torch.randn(windows, 1, 13, 20), windows


def fast_syncnet():
    """models.syncnet_v2.FastSyncNet of random weights."""
    from models import SyncNetV2
    from models.syncnet_v2 import FastSyncNet

    return FastSyncNet(SyncNetV2().eval()).eval()


def colour_lips(bench):
    """Wav2Lip's expert, lips."""
    from models import SyncNetColor

    windows = 2 if bench.quick else CHUNK
    model = SyncNetColor(width=bench.full_width).eval()
    return model, lambda network, given: network.embed_faces(given), torch.rand(windows, 15, 48, 96), windows


def inception(bench):
    """Inception, from faces of 96 pixels."""
    from models import FidInception

    count = 1 if bench.quick else BATCH
    model = FidInception().eval().to(memory_format=torch.channels_last)
    return model, lambda network, given: network(given), torch.rand(count, 3, 96, 96), count
