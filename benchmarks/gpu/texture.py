"""SLIC in torch on the device: against the same code on the CPU, and against scikit-image where it is installed."""

import importlib.util
import time

import numpy as np
import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.material import draw_faces

SIZES = {96: 64, 256: 196}  # side -> clusters
FASTER = 20  # times as fast as scikit-image on one core, on a GPU
SAME = 0.98  # boundary recall against the same code on the CPU: sums in another order move single pixels
LIKE = {96: (0.86, 0.42), 256: (0.86, 0.30)}  # recall at least, under-segmentation at most, against scikit-image


def measure(bench: Bench):
    """Enter the lines of this part."""
    for side in bench.cases([96] if bench.quick else list(SIZES)):
        with bench.guard(f"{side} pixels"):
            compare(bench, side, SIZES[side])


def compare(bench, side, clusters):
    """Agreement and speed at one size."""
    from faces.texture_torch import slic

    count = 2 if bench.quick else 8
    pictures = draw_pictures(count, side)
    batch = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    ours, same = slic(batch.to(bench.device), clusters).cpu().numpy(), slic(batch, clusters).numpy()
    recalls = [boundary_recall(*pair) for one, other in zip(ours, same, strict=True) for pair in ((one, other), (other, one))]
    bench.line(f"{side} px, boundary recall against the CPU, least", min(recalls), least=SAME)
    many = batch.to(bench.device).repeat(10 if bench.cuda else 1, 1, 1, 1)
    own = bench.seconds_of(lambda: slic(many, clusters), rounds=1 if bench.quick else 10) / len(many)
    bench.line(f"{side} px, a face in a batch of {len(many)}", 1000 * own, "ms")
    if importlib.util.find_spec("skimage") is None:
        bench.left_out(f"{side} px, against scikit-image", "scikit-image is not installed")
        return
    compare_peer(bench, side, clusters, pictures, ours, own)


def compare_peer(bench, side, clusters, pictures, ours, own):
    """Agreement with scikit-image, which prepares the corpora, and how much faster the device is."""
    from faces.texture import texture_modules

    begun = time.process_time()
    theirs = [texture_modules(picture, clusters) for picture in pictures]
    peer = (time.process_time() - begun) / len(pictures)
    pairs = list(zip(ours, theirs, strict=True))
    recall, error = LIKE[side]
    label, least = f"{side} px, against scikit-image", FASTER if bench.cuda else None
    bench.line(f"{label}, boundary recall", mean(boundary_recall(*pair) for pair in pairs), least=recall)
    bench.line(f"{label}, under-segmentation", mean(undersegmentation(*pair) for pair in pairs), most=error)
    bench.line(f"{label}, its time on one core over ours", peer / own, "times", least=least)


def mean(values):
    """Mean of some floats."""
    return float(np.mean(list(values)))


def draw_pictures(count, side):
    """(count, side, side, 3) uint8 drawn faces, each another one."""
    found = [draw_faces(np.array([number / count]), side, np.random.default_rng(number))[0][0] for number in range(count)]
    return np.stack(found)


def borders(labels):
    """(H, W) int -> (H, W) bool: pixels whose right or lower neighbour belongs to another region."""
    found = np.zeros(labels.shape, bool)
    found[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    found[:-1] |= labels[:-1] != labels[1:]
    return found


def boundary_recall(labels, reference, tolerance=2):
    """As benchmarks.faces.texture_agreement.boundary_recall, by numpy alone: float in [0, 1]."""
    side = 2 * tolerance + 1
    near = np.lib.stride_tricks.sliding_window_view(np.pad(borders(labels), tolerance), (side, side)).any((2, 3))
    wanted = borders(reference)
    return float(near[wanted].mean()) if wanted.any() else 1.0


def undersegmentation(labels, reference):
    """As benchmarks.faces.texture_agreement.undersegmentation_error, by numpy alone: float, 0 or more."""
    table = np.zeros((labels.max() + 1, reference.max() + 1), np.int64)
    np.add.at(table, (labels.ravel(), reference.ravel()), 1)
    return float(np.minimum(table, table.sum(1, keepdims=True) - table).sum() / labels.size)
