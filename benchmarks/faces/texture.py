"""Texture modules: do the two SLICs agree, how fast are they, and what does the texture loss cost?

    python -m benchmarks.faces.texture GRID/s1/video/bbaf2n.mpg ... [--device cuda]   # all three
    python -m benchmarks.faces.texture                                               # the cost of the loss alone

Agreement and speed are measured on the faces of the videos, one of each, cropped at 96 and at 256 pixels. scikit-image against
itself - on the mirrored picture, where only the place of the start differs, by a pixel, and at compactness 9 in place of 10 -
tells how much agreement can be asked for, and regular blocks tell what chance gives.

The cost is that of a training step: forward, losses, backward and the optimiser's update of a Wav2Lip generator with L1 alone
and with the texture loss beside it, on smooth random pictures. The loss's forward and backward are timed by themselves, too:
that is the share that counts. On a CPU all times are CPU times.
"""

import argparse
import statistics
import sys
import time

import numpy as np
import torch

from benchmarks.faces.texture_agreement import boundary_recall, explained_variation, undersegmentation_error
from benchmarks.training.temporal_loss import Step, add_step, random_batch
from common.cli import run
from common.errors import InputError
from faces.texture import grid_modules, texture_modules
from faces.texture_torch import slic

SIZES = {96: 64, 256: 196}  # side -> clusters: blocks of 12 and of 18 pixels (docs/methods.md, eq. (34))
BAR = 0.10
FASTER = 20  # times, on a GPU against scikit-image on one core
FRAMES = 8  # of each video; the face of the middle one counts


def main(argv):
    """Measure and print; exit code 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faces.texture", description=__doc__.splitlines()[0])
    parser.add_argument("videos", nargs="*", help="videos with a face; none: only the cost of the loss")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    parser.add_argument("--images", type=int, help="faces in a batch of the torch version (8, on a GPU 80)")
    parser.add_argument("--width", type=float, nargs="*", default=[1.0, 0.25], help="widths of the generator (1.0 0.25)")
    add_step(parser)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    reached = [cost(width, args) for width in args.width]
    for size, clusters in SIZES.items() if args.videos else ():
        faces = [face_of(video, size) for video in args.videos]
        agreement(faces, clusters)
        reached.append(speed(faces, clusters, args))
    return 0 if all(reached) else 1


def face_of(video, size):
    """(size, size, 3) uint8 crop of the middle of a video's first frames."""
    from itertools import islice

    from faces.crops import CropSpec, plan_crops
    from faces.detectors import build_detector
    from faces.tracking.track import track_face
    from media import VideoReader

    with VideoReader(video, fps=25) as reader:
        frames = list(islice(reader, FRAMES))
    crops = plan_crops(track_face(frames, build_detector("mediapipe"), fps=25), CropSpec("aligned", size), fps=25)
    if crops[len(crops) // 2] is None:
        raise InputError(f"{video}: no face in its first frames; give another video")
    return crops[len(crops) // 2].extract(frames[len(crops) // 2])


def agreement(faces, clusters):
    """Print how alike the divisions of faces are; (H, W, 3) uint8 each."""
    size = len(faces[0])
    rows = {name: [] for name in ("torch", "mirrored", "compactness 9", "blocks")}
    own = []
    for face in faces:
        reference = texture_modules(face, clusters)
        own.append(explained_variation(face, reference))
        picture = torch.from_numpy(face).permute(2, 0, 1)[None].float() / 255
        others = {
            "torch": slic(picture, clusters)[0].numpy(),
            "mirrored": texture_modules(np.ascontiguousarray(face[:, ::-1]), clusters)[:, ::-1],
            "compactness 9": texture_modules(face, clusters, 9.0),
            "blocks": grid_modules(size, size, clusters),
        }
        for name, labels in others.items():
            rows[name].append([*compare(labels, reference), explained_variation(face, labels), labels.max() + 1])
    print(f"{size} px, {clusters} clusters, {len(faces)} faces; scikit-image explains {np.mean(own):.3f} of the variance; "
          "recall and under-segmentation error against it, and back:")  # fmt: skip
    for name, values in rows.items():
        there, back, over, under, explained, count = np.mean(values, 0)
        print(f"  {name:13s} recall {there:.3f}, {back:.3f}; error {over:.3f}, {under:.3f}; explains {explained:.3f}; "
              f"{count:.0f} modules")  # fmt: skip


def compare(labels, reference):
    """(boundary recall of `labels` in the reference, and back; under-segmentation error of `labels`, and back)."""
    pairs = ((labels, reference), (reference, labels))
    return [boundary_recall(*pair) for pair in pairs] + [undersegmentation_error(*pair) for pair in pairs]


def speed(faces, clusters, args):
    """Print milliseconds a face of both versions; whether the bar of a GPU is reached (true on a CPU, which has none)."""
    count = args.images or (80 if args.device != "cpu" else 8)
    picked = [faces[number % len(faces)] for number in range(count)]
    batch = torch.from_numpy(np.stack(picked)).permute(0, 3, 1, 2).float().div(255).to(args.device)
    one = min(times_of(lambda: [texture_modules(face, clusters) for face in picked[:4]], args.rounds, "cpu")) / 4
    many = min(times_of(lambda: slic(batch, clusters), args.rounds, args.device)) / count
    print(f"{len(faces[0])} px: a face takes {1000 * one:.1f} ms by scikit-image on one core, {1000 * many:.2f} ms by torch on "
          f"{args.device} in batches of {count}: {one / many:.2g} times as fast")  # fmt: skip
    return batch.device.type == "cpu" or one / many >= FASTER


def times_of(work, rounds, device):
    """Seconds of each call after the first: CPU time on a CPU, else time until the device has finished."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    seconds = []
    for _ in range(rounds + 1):
        begun = clock()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        seconds.append(clock() - begun)
    return seconds[1:]


def cost(width, args):
    """Print the share of the step that each form of the texture loss takes; whether all reach the bar."""
    batch = random_batch(args.batch, args.window, args.device)
    coarse = torch.rand(2, 3 * args.batch * args.window, 12, 12, generator=torch.Generator().manual_seed(2))
    smooth = torch.nn.functional.interpolate(coarse, size=batch["face"].shape[-2:], mode="bilinear").to(args.device)
    batch["face"], batch["reference_face"] = (faces.view_as(batch["face"]) for faces in smooth)
    module = torch.from_numpy(np.stack([texture_modules(face) for face in pictures_of(batch["face"])])).long()
    batch["module"] = module.view(args.batch, args.window, *module.shape[1:]).to(args.device)
    steps = {name: Step(width, losses, args.device) for name, losses in forms(args.device).items()}
    times = {name: [] for name in steps}
    for _ in range(args.rounds + 1):
        for name, step in steps.items():
            begun = time.process_time()
            wall = step(batch)
            times[name].append(time.process_time() - begun if args.device == "cpu" else wall)
    times = {name: values[1:] for name, values in times.items()}  # the first step allocates
    bare, reached = statistics.median(times["without"]), True
    for name in list(times)[1:]:
        full, own = statistics.median(times[name]), alone(steps[name].criterion.terms["spatial_texture"], batch, args)
        share = own / (bare + own)
        print(f"width {width:g}, {name}: {1000 * own:.1f} ms of {1000 * (bare + own):.0f} a step, {share:.1%}; steps in turns: "
              f"{1000 * full:.0f} ms with it, {1000 * bare:.0f} without")  # fmt: skip
        reached &= share <= BAR
    print(f"  bar {BAR:.0%}: {'reached' if reached else 'not reached'}")
    return reached


def alone(term, batch, args):
    """Median seconds of the loss's own forward and backward: steadier than the difference of two whole steps."""
    fake = batch["reference_face"].clone().requires_grad_()
    return statistics.median(times_of(lambda: term({"face": fake}, batch).backward(), args.rounds, args.device))


def forms(device):
    """dict of name -> losses of a step; modules are made in the step only where a GPU makes them."""
    own = {"without": None, "moments": {}, "grid": {"modules": "grid"}, "sliced": {"distribution": "sliced"}}
    if device != "cpu":
        own["computed"] = {"labels": "computed"}
    base = {"l1": {"weight": 0.9}}
    return {name: base if keys is None else {**base, "spatial_texture": {"weight": 0.05, **keys}} for name, keys in own.items()}


def pictures_of(faces):
    """(B, T, 3, H, W) float in [0, 1] -> (B * T, H, W, 3) uint8."""
    return (faces.flatten(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()


if __name__ == "__main__":
    sys.exit(run(main))
