"""Our Frechet Inception distance beside that of the pytorch-fid package: features and distances of the same real frames.

    pip install --no-deps --target DIR pytorch-fid torchvision==0.28.0
    python -m benchmarks.peers.fid --pytorch_fid DIR VIDEO VIDEO ...
    python -m benchmarks.peers.fid --pytorch_fid DIR --write_golden tests/golden/inception.npz

The frames are taken from all over the clips; both programs read the same weights file, whose weights are random (the published
ones need not be there) but keep activations at a sane size. pytorch-fid reads the frames as PNG files. Two splits are
compared: "halves", the first half of the frames and the second, so different clips and a large distance; and "alternate",
every other frame, a distance near 0 in which rounding counts most: there pytorch-fid's matrix root of two singular
covariances is itself off by up to 0.002. So a third number stands beside the two, our distance of pytorch-fid's features.
Exit code 1 where ours is more than 0.1 % from pytorch-fid's in "halves", or from that third number in either split.
`--write_golden` stores what pytorch-fid gives for seeded inputs, and its names and shapes, for the offline tests.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.peers.models import recipe_state
from common.cli import run
from common.errors import InputError
from common.files import atomic_output
from metrics.networks.fid import GaussianStatistics, InceptionFeatures, frechet_distance
from models import build_model

BAR = 0.001
BATCH = 16
STEP = 8  # every 8th feature is in the golden file


def inception_state():
    """State dict of FidInception that anyone can make again: `recipe_state` with He's gain of 2, for ReLU's sake."""
    state = recipe_state(build_model({"name": "fid_inception"}))
    return {name: tensor * 2**0.5 if tensor.dim() == 4 else tensor for name, tensor in state.items()}


def seeded_images():
    """(2, 3, 96, 420) float32 in [0, 1], whole 255ths: waves, some fine; the resizing makes one side longer and one shorter."""
    phases = np.random.default_rng(7).uniform(0, 6, (2, 3, 1, 1))
    y, x = np.mgrid[0:96, 0:420]
    waves = np.sin(x / 1.5 + phases) + np.cos(y / 13 - 2 * phases) + np.sin((x + y) / 5 + 3 * phases)
    return torch.from_numpy(np.rint((waves / 6 + 0.5) * 255).astype(np.float32) / 255)


def seeded_features():
    """Two sets of samples with full-rank covariances: (60, 12) and (80, 12) float64."""
    random = np.random.default_rng(11)
    return random.normal(0, 1, (60, 12)) @ random.normal(0, 1, (12, 12)), random.gamma(2, 1, (80, 12))


def import_peer(site):
    """pytorch_fid.fid_score from the folder `site`.

    Beside a torch without CUDA, torchvision imports only after the schemas of two operators are known; they are never called.

    Raises:
        InputError: it is not in `site`.
    """
    if not (Path(site) / "pytorch_fid" / "fid_score.py").is_file():
        raise InputError(f"--pytorch_fid {site}: no pytorch_fid in it; pip install --no-deps --target {site} pytorch-fid "
                         "torchvision==0.28.0")
    sys.path.append(str(Path(site).resolve()))
    if torch.version.cuda is None and "torchvision" not in sys.modules:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import_peer.library = library  # the schemas are gone with it
    from pytorch_fid import fid_score

    return fid_score


@contextlib.contextmanager
def reading(weights):
    """Within, pytorch-fid takes its weights from the file `weights` and not from the web."""
    from pytorch_fid import inception

    before = inception.load_state_dict_from_url
    inception.load_state_dict_from_url = lambda *_, **__: torch.load(weights, weights_only=True)
    try:
        yield inception
    finally:
        inception.load_state_dict_from_url = before


def read_frames(videos, wanted):
    """At most `wanted` frames, spread evenly over the clips and in their order, as (N, H, W, 3) uint8; N is even."""
    from media import VideoReader

    if wanted < max(4, len(videos)):
        raise InputError(f"--frames {wanted}: too few for two sets from {len(videos)} clips")
    frames = []
    for number, video in enumerate(videos):
        share = wanted * (number + 1) // len(videos) - wanted * number // len(videos)
        with VideoReader(video) as reader:
            clip = list(reader)
        if frames and clip[0].shape != frames[0].shape:
            raise InputError(f"{video}: its frames have another size than those of {videos[0]}; give clips of one size")
        frames += [clip[index] for index in np.linspace(0, len(clip) - 1, min(share, len(clip))).astype(int)]
    return np.stack(frames[: len(frames) // 2 * 2])


def peer_distances(fid_score, weights, splits):
    """What pytorch-fid gives, by its command's own function, for PNG folders.

    Args:
        splits: {name: (frames, frames)}.

    Returns:
        {name: (distance, features (N, 2048) of both sets, seconds a frame in the network)}.
    """
    from PIL import Image

    features, seconds, activations = [], [], fid_score.get_activations

    def watched(*args, **options):
        began = time.perf_counter()
        features.append(activations(*args, **options))
        seconds.append(time.perf_counter() - began)
        return features[-1]

    found = {}
    fid_score.get_activations, fid_score.tqdm = watched, iter
    try:
        for name, sets in splits.items():
            with tempfile.TemporaryDirectory() as folder, reading(weights), contextlib.redirect_stdout(io.StringIO()):
                folders = [Path(folder) / side for side in ("first", "second")]
                for path, frames in zip(folders, sets, strict=True):
                    path.mkdir()
                    for number, frame in enumerate(frames):
                        Image.fromarray(frame).save(path / f"{number:06}.png")
                distance = fid_score.calculate_fid_given_paths([str(path) for path in folders], BATCH, "cpu", 2048, 0)
            found[name] = float(distance), np.concatenate(features), sum(seconds) / sum(map(len, features))
            features.clear(), seconds.clear()
    finally:
        fid_score.get_activations = activations
    return found


def own_distances(weights, splits):
    """The same of ours."""
    network, found = InceptionFeatures.load(weights), {}
    for name, sets in splits.items():
        began = time.perf_counter()
        features = [network(frames, BATCH) for frames in sets]
        seconds = (time.perf_counter() - began) / sum(map(len, features))
        found[name] = distance_of(features), np.concatenate(features), seconds
    return found


def distance_of(features):
    """Our distance of two (n, D) sets of features."""
    sides = [GaussianStatistics(), GaussianStatistics()]
    for side, part in zip(sides, features, strict=True):
        side.add(part)
    return frechet_distance(*sides)


def compare(site, videos, frames=120):
    """Both programs on the frames of `videos`.

    Returns:
        {split: {"frames", "peer", "own", "mixed", "relative", "relative_mixed", "feature_difference", "feature_size",
        "peer_seconds", "own_seconds"}}: the two distances and ours of the peer's features ("mixed"), relative differences of
        "own" from the others, the largest absolute difference and the largest of the features, and seconds a frame.
    """
    fid_score = import_peer(site)
    pictures = read_frames(videos, frames)
    half = len(pictures) // 2
    splits = {"halves": (pictures[:half], pictures[half:]), "alternate": (pictures[::2], pictures[1::2])}
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        torch.save(inception_state(), weights)
        peer, own = peer_distances(fid_score, weights, splits), own_distances(weights, splits)
    table = {}
    for name in splits:
        (theirs, their_features, their_seconds), (ours, our_features, our_seconds) = peer[name], own[name]
        mixed = distance_of(np.split(their_features, 2))
        table[name] = {
            "frames": [len(part) for part in splits[name]],
            "peer": theirs, "own": ours, "mixed": mixed,
            "relative": abs(ours - theirs) / theirs, "relative_mixed": abs(ours - mixed) / mixed,
            "feature_difference": float(np.abs(our_features - their_features).max()),
            "feature_size": float(np.abs(their_features).max()), "peer_seconds": their_seconds, "own_seconds": our_seconds,
        }
    return table


def write_golden(site, path):
    """Store pytorch-fid's features of `seeded_images`, its distance of `seeded_features`, its names and shapes."""
    fid_score = import_peer(site)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pth"
        torch.save(inception_state(), weights)
        with reading(weights) as inception:
            shapes = {name: list(tensor.shape) for name, tensor in inception.fid_inception_v3().state_dict().items()}
            with torch.inference_mode():
                features = inception.InceptionV3().eval()(seeded_images())[0].flatten(1).numpy()
    moments = [(part.mean(0), np.cov(part, rowvar=False)) for part in seeded_features()]
    distance = fid_score.calculate_frechet_distance(*moments[0], *moments[1])
    with atomic_output(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, features=features[:, ::STEP], distance=distance, shapes=np.array(json.dumps(shapes)))


def main(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.fid", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pytorch_fid", required=True, metavar="DIR", help="folder with pytorch-fid and torchvision")
    parser.add_argument("--frames", type=int, default=120, help="frames of all clips together, at most (%(default)s)")
    parser.add_argument("--write_golden", metavar="FILE", help="store the peer's results of seeded inputs in FILE.npz")
    parser.add_argument("videos", nargs="*", metavar="VIDEO", help="clips of one frame size")
    args = parser.parse_args(argv)
    if not args.videos and not args.write_golden:
        raise InputError("nothing to do: give clips, or --write_golden")
    if args.write_golden:
        write_golden(args.pytorch_fid, args.write_golden)
        print(f"{args.write_golden}: written")
    table = compare(args.pytorch_fid, args.videos, args.frames) if args.videos else {}
    for name, row in table.items():
        print(f"{name:9} {row['frames'][0]} + {row['frames'][1]} frames  pytorch-fid {row['peer']:.6f}  ours {row['own']:.6f}  "
              f"(of pytorch-fid's features {row['mixed']:.6f})")
        print(f"{'':9} relative difference {row['relative']:.1e} (of the same features {row['relative_mixed']:.1e})")
        print(f"{'':9} features: largest difference {row['feature_difference']:.1e} of values up to {row['feature_size']:.1f}; "
              f"seconds a frame: pytorch-fid {row['peer_seconds']:.3f}, ours {row['own_seconds']:.3f}")
    differences = [row["relative_mixed"] for row in table.values()]
    differences += [table["halves"]["relative"]] if table else []
    return 1 if max(differences, default=0) > BAR else 0


if __name__ == "__main__":
    sys.exit(run(main))
