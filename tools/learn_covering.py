"""Learn the network that sees covered mouths; run from the checkout.

    python -m tools.learn_covering --media CLIPS                     # writes faces/tracking/covering.npz
    python -m tools.learn_covering --media CLIPS --steps 1500 --out covering.npz

Clips are those of people of class A (GRID and LatentSync's actors, without those whom benchmarks.lipwarp.people holds out or
keeps for validation), as they are and with things drawn before the mouth (benchmarks.faces.covers); each is followed anew, as
what covers a mouth moves its landmarks. While it learns, further shapes, beards, lights and stretched mouths are put over the
pictures (tools.covering_changes).

The released file learned so from 16 people in about 1,500 steps, with beards as the one kind of hair and no masks among the
changes; with moustaches and masks it named fewer moustaches but more turned heads, and was left out.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.faces.covered import clips_of, read
from benchmarks.faces.covers import KINDS, MORE, Thing
from common.cli import run
from common.errors import InputError
from common.files import atomic_output
from faces.detectors import build_detector
from faces.tracking.covering import SIDE, STRIDES, WEIGHTS, lower_face, prepared
from faces.tracking.track import track_face
from tools.covering_changes import changed

OF_PERSON, WIDTHS = 4, (12, 12, 24, 24, 36, 48)
BATCH, RATE, DECAY, WARMUP = 96, 2e-3, 1e-2, 50
FREE, FULL = 0.1, 0.4  # share of the lips up to which a mouth counts as free, and from which on as covered
RARE = 0.3  # weight of pictures in between


class CoverNetwork(nn.Module):
    """Six convolutions with batch norms and a linear layer: (B, 4, SIDE, SIDE) of `covering.prepared` -> (B,) logits."""

    def __init__(self):
        super().__init__()
        layers, before = [], 4
        for width, stride in zip(WIDTHS, STRIDES, strict=True):
            layers.append(nn.Sequential(nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()))
            before = width
        self.body, self.head = nn.Sequential(*layers), nn.Linear(before * (SIDE // 16) ** 2, 1)

    def forward(self, values):
        return self.head(functional.dropout(self.body(values).flatten(1), 0.2, self.training))[:, 0]

    def arrays(self):
        """What `faces.tracking.covering` reads: batch norms folded, {name: float16 array}."""
        out = {}
        for at, (convolution, norm, _) in enumerate(self.body):
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            out[f"weight{at}"] = convolution.weight * scale[:, None, None, None]
            out[f"bias{at}"] = norm.bias - norm.running_mean * scale
        out |= {"head_weight": self.head.weight, "head_bias": self.head.bias}
        return {name: tensor.detach().numpy().astype(np.float16) for name, tensor in out.items()}


def gather(clips, detector):
    """Pictures (N, SIDE, SIDE, 5) uint8 of all frames with a face, the covered share of their lips (N,), and people (N,)."""
    pictures, shares, people = [], [], []

    def take(frames, covered, person, fps):
        track = track_face(frames, detector, fps=fps)
        for frame, share, points, there in zip(frames, covered, track.landmarks, track.present, strict=True):
            if there:
                pictures.append(lower_face(frame, points))
                shares.append(share)
                people.append(person)
        return track

    for number, (person, path) in enumerate(clips):
        frames, fps = read(path)
        track = take(frames, np.zeros(len(frames)), person, fps)
        for at, kinds in enumerate((KINDS, KINDS[::-1], MORE, KINDS)):
            kind, texture = kinds[number % len(kinds)], pictures[(7919 * number + at) % len(pictures)][..., :3]
            thing = Thing.random(kind, 10 * number + at, len(frames), near=at < 3, texture=texture)
            made = [thing.on(frame, track.landmarks[n].astype(np.float64), n) for n, frame in enumerate(frames)]
            take([frame for frame, _ in made], [share for _, share in made], person, fps)
        print(f"{number + 1}/{len(clips)} clips", end="\r", file=sys.stderr, flush=True)
    return np.stack(pictures), np.array(shares, np.float32), np.array(people)


def learn(pictures, shares, people, steps, seed=0):
    """CoverNetwork that has learned from what `gather` gave."""
    torch.manual_seed(seed)
    network = CoverNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    _, whose, counts = np.unique(people, return_inverse=True, return_counts=True)
    weights = counts[whose] ** -0.7 * np.where((shares > FREE) & (shares < FULL), RARE, 1.0)
    weights, shares = torch.from_numpy(weights / weights.sum()), torch.from_numpy(shares)
    planes = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARMUP) * (0.5 + 0.5 * np.cos(np.pi * step / steps))
        chosen = torch.multinomial(weights, BATCH, replacement=True)
        seen, covered = changed(planes[chosen].float(), shares[chosen], planes)
        wanted = ((covered - FREE) / (FULL - FREE)).clamp(0, 1)
        loss = functional.binary_cross_entropy_with_logits(network(prepared(seen)), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 100 == 0:
            print(f"step {step}: {loss.item():.3f}", flush=True)
    return network.eval()


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, required=True, help="the collection of clips")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--steps", type=int, default=2000)
    args = parser.parse_args(argv)
    if not args.media.is_dir():
        raise InputError(f"--media {args.media}: is not a folder")
    detector = build_detector("mediapipe")
    try:
        material = gather(clips_of(args.media, "learn", OF_PERSON), detector)
    finally:
        detector.close()
    arrays = learn(*material, args.steps).arrays()
    with atomic_output(args.out) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)
    print(f"{args.out}: {sum(array.size for array in arrays.values())} numbers, of {len(set(material[2]))} people")


if __name__ == "__main__":
    sys.exit(run(main))
