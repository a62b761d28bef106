"""How far the lip-landmark network is from the detector that it was distilled from, on speakers that it never saw.

    python -m benchmarks.faces.lip_landmarks --corpus prepared/faces
    python -m benchmarks.faces.lip_landmarks --corpus prepared/faces --overlay results/lip_landmarks.png

Mean Euclidean distance of the 20 mouth points in pixels of a 96 x 96 crop, by speaker; the same with crops moved by a few
pixels and blurred as generated faces are. `flicker` is the movement of the difference from frame to frame: what of the
distance a similarity of movements sees.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from common.cli import run
from common.errors import InputError
from common.files import atomic_output

CHECKPOINT = Path(__file__).resolve().parents[2] / "checkpoints" / "lip_landmarks.safetensors"
BAR = 1.0  # pixels of 96
PERTURBED = {"shift": 4, "turn": 4, "zoom": 0.05, "blur": 1.0}


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faces.lip_landmarks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", default="prepared/faces", help="prepared corpus (%(default)s)")
    parser.add_argument("--checkpoint", default=CHECKPOINT, help="lip-landmark checkpoint (the one of this repository)")
    parser.add_argument("--splits", default="test,unseen", help="splits to measure (%(default)s)")
    parser.add_argument("--exclude", default="", help="beginnings of clip ids to leave out, separated by commas")
    parser.add_argument("--out", type=Path, help="write all figures to this JSON file")
    parser.add_argument("--overlay", type=Path, help="write a picture: detector green, network red, one frame of each clip")
    return parser.parse_args(argv)


def main(argv):
    """Measure and print; exit code 1 where a speaker that was never seen misses the bar in the mean over all."""
    args = parse(argv)
    from datasets.prepared import PreparedCorpus
    from training.checkpoint import load_checkpoint

    corpus = PreparedCorpus.open_folder(args.corpus)
    network = load_checkpoint(args.checkpoint, expect="lip_landmarks").model
    left_out = tuple(name for name in args.exclude.split(",") if name)
    table, tiles = {}, []
    for split in args.splits.split(","):
        rows = [row for row in corpus.split(split) if not row.id.startswith(left_out)]
        if not rows:
            raise InputError(f"{args.corpus}: no clip in split {split!r}")
        table[split] = {row.id: measure(corpus.open(row), network) for row in rows}
        tiles += [_overlay(corpus.open(row), network) for row in rows]
        _print(split, table[split])
    if args.overlay:
        _write_overlay(tiles, args.overlay)
    if args.out:
        with atomic_output(args.out) as temporary:
            temporary.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    if "unseen" in table:
        error = _by_speaker(table["unseen"])
        worst = max(error, key=lambda name: error[name]["distance"])
        mean = float(np.mean([values["distance"] for values in error.values()]))
        reached = "reached" if mean <= BAR else "NOT reached"
        print(f"speakers never seen: {mean:.2f} px in the mean over {len(error)} speakers, worst {worst} "
              f"{error[worst]['distance']:.2f}; bar {BAR:.1f}: {reached}")  # fmt: skip
        return 0 if mean <= BAR else 1
    return 0


def measure(clip, network):
    """Figures of one clip.

    Args:
        clip: arrays of a prepared clip.
        network: models.LipLandmarks.

    Returns:
        dict: distance, p95, perturbed, flicker (pixels of 96), frames.
    """
    from datasets.augment import PictureChange

    size = clip["face"].shape[1]
    given = np.array(clip["landmarks"][:, 48:68])
    found = find(network, PictureChange(None, np.random.default_rng(0))(np.array(clip["face"])))
    change = PictureChange(PERTURBED, np.random.default_rng(len(given)))
    moved = find(network, change(np.array(clip["face"])))
    scale = 96 / size
    apart = scale * np.linalg.norm(found - given, axis=-1).mean(-1)
    perturbed = scale * np.linalg.norm(moved - change.points(clip["landmarks"], size)[:, 48:68], axis=-1).mean(-1)
    flicker = scale * np.linalg.norm(np.diff(found - given, axis=0), axis=-1).mean()
    return {"distance": float(apart.mean()), "p95": float(np.percentile(apart, 95)), "perturbed": float(perturbed.mean()),
            "flicker": float(flicker), "frames": len(given)}  # fmt: skip


def find(network, faces):
    """(N, 3, S, S) float32 in [0, 1] -> (N, 20, 2), in batches."""
    import torch

    with torch.inference_mode():
        return np.concatenate([network.find(torch.from_numpy(faces[at : at + 64])).numpy() for at in range(0, len(faces), 64)])


def _by_speaker(clips):
    """Means over the clips of each speaker; a clip of a plain folder is a speaker of its own."""
    groups = {}
    for name, values in clips.items():
        speaker = name.split("/")[0]
        groups.setdefault(speaker if _is_speaker(speaker) else name, []).append(values)
    return {name: {key: float(np.mean([one[key] for one in many])) for key in many[0]} for name, many in groups.items()}


def _is_speaker(name):
    """True for the folders of GRID: s1, s4_hd."""
    return name[:1] == "s" and name[1:].removesuffix("_hd").isdigit()


def _print(split, clips):
    print(f"{split:32} {'distance':>9} {'p95':>7} {'perturbed':>10} {'flicker':>8}")
    for name, values in sorted(_by_speaker(clips).items()):
        figures = f"{values['distance']:9.2f} {values['p95']:7.2f} {values['perturbed']:10.2f} {values['flicker']:8.2f}"
        print(f"  {name:30} {figures}")


def _overlay(clip, network):
    """(192, 192, 3) uint8: the frame with the widest open mouth, given points green, found ones red."""
    import cv2

    from faces.mouth import mouth_opening

    at = int(np.nanargmax(mouth_opening(clip["landmarks"])))
    face = np.array(clip["face"][at])
    scale = 192 / face.shape[0]
    tile = cv2.resize(face, (192, 192), interpolation=cv2.INTER_CUBIC)
    found = find(network, np.ascontiguousarray(face.transpose(2, 0, 1)[None]).astype(np.float32) / 255)[0]
    for points, colour in ((clip["landmarks"][at, 48:68], (0, 255, 0)), (found, (255, 0, 0))):
        for x, y in (np.asarray(points) + 0.5) * scale - 0.5:
            cv2.circle(tile, (round(float(x)), round(float(y))), 1, colour, -1)
    return tile


def _write_overlay(tiles, path):
    from PIL import Image

    wide = min(10, len(tiles))
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % wide)
    sheet = np.concatenate([np.concatenate(tiles[at : at + wide], axis=1) for at in range(0, len(tiles), wide)])
    with atomic_output(path) as temporary:
        Image.fromarray(sheet).save(temporary)


if __name__ == "__main__":
    sys.exit(run(main))
