"""Are cuts found, and nothing else? Real clips as they are, and changed: joined, faded, with a flash, a lamp, a shaken camera.

    python -m benchmarks.faces.shots --media CLIPS [--pairs 50] [--frames 250] [--per_folder 12]

First come clips without a known cut in which one is found, with its frames, so that a reader can look. Then joined pairs:
"missed" are those whose join is not found; "carried over" are faces in the first five frames after a join that lie further than
0.15 eye distances from those of the second clip alone, as landmarks of the face before the cut do. The changes of single clips
(flash, lamp, camera) are no cuts: what is found there is false.
"""

import argparse
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from common.cli import run
from common.errors import InputError
from datasets.corpora.clips import VIDEO_SUFFIXES
from faces.detectors import build_detector
from faces.landmarks import eye_distance
from faces.tracking.track import track_face
from media import VideoReader

HALF = 15  # frames of each clip of a pair
NEAR, AFTER, CARRIED = 2, 5, 0.15  # frames from the join; frames after it; eye distances
FADE, GAP, FLASH = 8, 6, 2  # frames


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faces.shots", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--media", type=Path, required=True, help="folder of clips, searched with all below it")
    add("--pairs", type=int, default=50, help="joins, and clips that are changed, of each kind (%(default)s)")
    add("--frames", type=int, default=250, help="at most so many frames of each clip (%(default)s)")
    add("--per_folder", type=int, default=12, help="at most so many clips of one folder (%(default)s)")
    add("--seed", type=int, default=0)
    return parser.parse_args(argv)


def clips_of(folder, most):
    """Paths of the videos below a folder, at most `most` of each folder, spread over its list."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in VIDEO_SUFFIXES:
            found.setdefault(path.parent, []).append(path)
    if not found:
        raise InputError(f"--media {folder}: holds no video")
    spread = (np.unique(np.linspace(0, len(paths) - 1, min(most, len(paths))).astype(int)) for paths in found.values())
    return [paths[at] for paths, places in zip(found.values(), spread, strict=True) for at in places]


def read(path, count, size=None):
    """The first `count` frames of a video, as large as `size` (width, height) if given."""
    import cv2

    with VideoReader(path) as reader:
        frames = list(islice(reader, count))
    return frames if size is None else [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]


def join(first, second, kind):
    """Two clips one after the other: cut; through black (gap); faded out and in (fade) -> frames, where the second begins."""
    if kind == "cut":
        return first + second, len(first)
    black = [np.zeros_like(first[0])] * GAP
    if kind == "fade":
        shares = np.arange(FADE, 0, -1) / (FADE + 1)
        first = first[:-FADE] + [np.uint8(frame * share) for frame, share in zip(first[-FADE:], shares, strict=True)]
        second = [np.uint8(frame * share) for frame, share in zip(second, shares[::-1], strict=False)] + second[FADE:]
    return first + black + second, len(first) + len(black)


def changed(frames, kind):
    """Frames of one clip with a flash, a lamp that goes on at the left, or a camera that is swung from side to side."""
    import cv2

    out, middle = list(frames), len(frames) // 2
    height, width = frames[0].shape[:2]
    if kind == "flash":
        for at in range(middle, middle + FLASH):
            out[at] = np.uint8(np.minimum(frames[at] * 2.2 + 70.0, 255))
    elif kind == "lamp":
        lamp = np.linspace(1.8, 0.9, width)[None, :, None]
        out[middle:] = [np.uint8(np.minimum(frame * lamp, 255)) for frame in frames[middle:]]
    else:
        for at, frame in enumerate(frames):
            shift = np.float32([[1, 0, 0.12 * width * np.sin(at / 2.5)], [0, 1, 0.05 * height * np.cos(at / 2)]])
            out[at] = cv2.warpAffine(frame, shift, (width, height), borderMode=cv2.BORDER_REFLECT)
    return out


def carried(track, alone, start):
    """Faces just after a join that are not where the second clip alone has them."""
    count = 0
    for at in range(min(AFTER, len(alone))):
        if track.present[start + at] and alone.present[at]:
            points, truth = track.landmarks[start + at].astype(float), alone.landmarks[at].astype(float)
            count += float(np.linalg.norm(points - truth, axis=1).mean()) > CARRIED * float(eye_distance(truth))
    return count


def main(argv):
    """Print the counts."""
    options = parse(argv)
    paths = clips_of(options.media, options.per_folder)
    rng = np.random.default_rng(options.seed)
    with closing(build_detector()) as detector:
        frames, false = 0, []
        for path in paths:
            with VideoReader(path) as reader:
                track = track_face(islice(reader, options.frames), detector)
            frames += len(track)
            if track.shots[-1]:
                false.append(f"{path.relative_to(options.media)} {(np.flatnonzero(np.diff(track.shots)) + 1).tolist()}")
        told = "; ".join(false) or "none"
        print(f"clips as they are: {len(paths)}, {frames} frames; a cut is found in {len(false)}: {told}", flush=True)
        for kind in ("cut", "gap", "fade"):
            missed, wrong, extra, pairs = [], 0, 0, 0
            for _ in range(options.pairs):
                one, two = (paths[at] for at in rng.choice(len(paths), 2, replace=False))
                first = read(one, HALF)
                second = read(two, HALF, first[0].shape[1::-1])
                if min(len(first), len(second)) < HALF:
                    continue
                shown, start = join(first, second, kind)
                track, alone = track_face(shown, detector), track_face(shown[start:], detector)
                begins, pairs = np.flatnonzero(np.diff(track.shots)) + 1, pairs + 1
                least = start - NEAR if kind == "cut" else len(first) - FADE
                near = (begins >= least) & (begins <= start + (NEAR if kind == "cut" else FADE))
                extra += int((~near).sum())
                if near.any():
                    wrong += carried(track, alone, start)
                else:
                    missed.append(f"{one.name}+{two.name}")
            counts = f"missed {len(missed)} {missed or ''}; {extra} others found; {wrong} faces carried over"
            print(f"{kind}: {pairs} joins, {counts}", flush=True)
        for kind in ("flash", "lamp", "camera"):
            found = []
            for at in rng.choice(len(paths), min(options.pairs, len(paths)), replace=False):
                shown = read(paths[at], 2 * HALF)
                begins = np.flatnonzero(np.diff(track_face(changed(shown, kind), detector).shots)) + 1
                found += [f"{paths[at].name} {begins.tolist()}"] if len(begins) else []
            print(f"{kind}: {min(options.pairs, len(paths))} clips, a cut is found in {len(found)} {found or ''}", flush=True)


if __name__ == "__main__":
    sys.exit(run(main))
