"""The networks behind the measures: windows and frames a second, and their numbers against float32 on the CPU."""

import copy

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.networks import apart
from models import FidInception, SyncNetColor, SyncNetV2
from models.syncnet_v2 import FastSyncNet

APART = 2e-2  # of embeddings and features, in float32 as CUDA convolves it (TF32)
CHUNK = 64  # windows that go through a judge together
BATCH = 64  # pictures that go through Inception together
FEW = 2  # items whose numbers are compared


def measure(bench: Bench):
    """Enter the lines of this part."""
    parts = {"sync judge, lips": published_lips, "sync judge, sound": published_sound, "colour expert, lips": colour_lips,
             "FID features": inception}  # fmt: skip
    for name in bench.cases(list(parts)):
        with bench.guard(name):
            torch.manual_seed(0)
            time_network(bench, name, *parts[name](bench))


def time_network(bench, name, model, call, make, count):
    """Items a second, and the distance of what comes out from that of the CPU.

    Args:
        model: in eval mode, on the CPU; call: (model, tensor) -> tensor, one row for each item.
        make: number of items -> tensor on the CPU; count: items that go through together.
    """
    count = min(count, FEW) if bench.quick else count
    with torch.inference_mode():
        few = make(FEW)
        there = copy.deepcopy(model).to(bench.device)
        distance = apart(call(there, few.to(bench.device)).float().cpu().flatten(), call(model, few).flatten())
        bench.line(f"{name}, apart from the CPU", distance, most=APART if bench.cuda else 1e-4)
        many = make(count).to(bench.device)
        seconds = bench.seconds_of(lambda: call(there, many), rounds=1 if bench.quick else 20)
    bench.line(f"{name}, a second", count / seconds, "1/s", batch=count)


def published_lips(_bench):
    """SyncNet as LSE-D and LSE-C use it, lips: (model, call, make, count) of `time_network`."""
    return fast_syncnet(), FastSyncNet.embed_lips, lambda count: 255 * torch.rand(3, count + 4, 224, 224), CHUNK


def published_sound(_bench):
    """The same, sound."""
    return fast_syncnet(), FastSyncNet.embed_sound, lambda count: torch.randn(count, 1, 13, 20), 4 * CHUNK


def fast_syncnet():
    """FastSyncNet of random weights."""
    return FastSyncNet(SyncNetV2().eval()).eval()


def colour_lips(bench):
    """Wav2Lip's expert, lips."""
    model = SyncNetColor(width=bench.full_width).eval()
    return model, SyncNetColor.embed_faces, lambda count: torch.rand(count, 15, 48, 96), CHUNK


def inception(_bench):
    """Inception, from faces of 96 pixels."""
    model = FidInception().eval().to(memory_format=torch.channels_last)
    return model, FidInception.forward, lambda count: torch.rand(count, 3, 96, 96), BATCH
