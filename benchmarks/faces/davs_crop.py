"""Does the crop of DAVS zoom with the mouth, and what do smoothing over time and --stabilise change?

    python -m benchmarks.faces.davs_crop --media FOLDER [--sets NAME ...] [--per_set 2] [--out results/davs_crop]

For each clip the head's movement is read off the pixels: `faces.stabilise` registers the upper face of each frame, in a crop of
the stable points, to that of the middle frame. So the size of the head in any crop is known without the noise of landmarks.
Crops: DAVS as published, each frame by its own three points; the same with the smoothing of the other crops; with its scale
smoothed over a second; with the mouth corners at the place where they rest on the head; DAVS as `plan_crops` lays it; the
aligned crop, raw and smoothed; and the crop of one frame for all, which shows the head's own movement and the noise.

    step     standard deviation of the change of the eye distance from frame to frame, per cent of the eye distance
    fast     standard deviation of what a kernel of 0.2 s takes off it, per cent
    mouth    per cent by which it changes with one standard deviation of the opening of the mouth; r: their correlation; both
             without what is slower than a second
    away     how far the point between the eyes lies from its usual place, per cent of the eye distance, 95th percentile

--stabilise: the published crops stand for results, as they are, and softer with other colours. Each is registered to the first
one by `faces.stabilise`. Another method, ECC (Evangelidis and Psarakis, 2008), then reads the size of the face in them. The row
of the crop that is held has its noise, and what the head does. All figures are medians of the clips.
"""

import argparse
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.outputs import write_outputs
from benchmarks.poses.material import list_clips
from common.cli import run
from common.errors import InputError
from faces.crops import CORNERS, SMOOTH_SECONDS, CropSpec, plan_crops
from faces.detectors import DETECTORS, build_detector
from faces.landmarks import INNER_LIP_BOTTOM, INNER_LIP_TOP, LEFT_EYE, RIGHT_EYE, apply_affine, eye_distance
from faces.outline import whole_face_mask
from faces.stabilise import registration, stabilised
from faces.three_points import MOUTH_CORNERS, TEMPLATE, three_point_poses
from faces.tracking.smoothing import smooth_poses, smooth_series
from faces.tracking.track import track_face
from media import VideoReader

SIDE = 192  # of the crops in which heads are registered
LEAST_FRAMES = 40
FAST, SLOW = 0.2, 1.0  # seconds
COLUMNS = ("step", "fast", "mouth", "r", "away")


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faces.davs_crop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--media", type=Path, required=True, metavar="FOLDER", help="folder of real clips, in one folder a collection")
    add("--sets", nargs="+", metavar="NAME", help="only these collections")
    add("--per_set", type=int, default=2, help="clips of each collection (%(default)s)")
    add("--frames", type=int, default=75, help="frames of each clip at most (%(default)s)")
    add("--detector", choices=DETECTORS, default="mediapipe")
    add("--device", default="cpu", help="where face-alignment runs (%(default)s)")
    add("--out", type=Path, help="write OUT.json and OUT.md")
    args = parser.parse_args(argv)
    if args.per_set < 1 or args.frames < LEAST_FRAMES:
        raise InputError(f"--per_set must be 1 or more, --frames {LEAST_FRAMES} or more")
    return args


def main(argv):
    """Measure, print, write."""
    args = parse(argv)
    clips, skipped = {}, []
    for name, path in list_clips(args.media, args.per_set, args.sets):
        with closing(build_detector(args.detector, device=args.device)) as detector:
            found = measure_clip(path, detector, args.frames)
        if found is None:
            skipped.append(f"{name}/{path.name}")
        else:
            clips[f"{name}/{path.name}"] = found
        print(f"{name}/{path.name}{'' if found else ': left out'}", file=sys.stderr, flush=True)
    if not clips:
        raise InputError(f"--media {args.media}: no clip shows a face in {LEAST_FRAMES} frames in a row that can be registered")
    text = table(clips)
    print(text)
    if skipped:
        print(f"left out (too short a face, or it turns too far to be registered): {', '.join(skipped)}")
    if args.out:
        write_outputs(args.out, {"clips": clips, "left_out": skipped}, text)


def measure_clip(path, detector, frames):
    """{"crops": {way: figures}, "stabilise": {what: figures}} of a video; None where no face can be followed."""
    with VideoReader(path) as reader:
        fps = float(reader.info.fps)
        track = track_face(islice(reader, frames), detector, fps=fps)
    start, end = max(track.runs(), key=lambda run: run[1] - run[0], default=(0, 0))
    if end - start < LEAST_FRAMES:
        return None
    aligned, published = (plan_crops(track, CropSpec(kind, SIDE), fps=fps, smooth=kind == "aligned")[start:end]
                          for kind in ("aligned", "davs"))  # fmt: skip
    with VideoReader(path) as reader:
        cut = [(aligned[at].extract(frame), published[at].extract(frame), published[0].extract(frame))
               for at, frame in enumerate(islice(reader, start, end))]  # fmt: skip
    crops, results, held = zip(*cut, strict=True)
    landmarks = track.landmarks[start:end].astype(np.float64)
    middle = (end - start) // 2
    places = [apply_affine(crop.matrix, points) for crop, points in zip(aligned, landmarks, strict=True)]
    heads = [registration(crops[middle], crop, points) for crop, points in zip(crops, places, strict=True)]
    if any(head is None for head in heads):
        return None
    heads = np.stack([chained(head, crop.matrix) for head, crop in zip(heads, aligned, strict=True)])
    eyes = apply_affine(aligned[middle].matrix, np.stack([landmarks[middle, eye].mean(0) for eye in (RIGHT_EYE, LEFT_EYE)]))
    mouth = np.linalg.norm(landmarks[:, INNER_LIP_TOP] - landmarks[:, INNER_LIP_BOTTOM], axis=1) / eye_distance(landmarks)
    figures = {name: crop_figures(poses, heads, eyes, mouth, fps) for name, poses in crop_paths(track, start, end, fps).items()}
    first = apply_affine(published[0].matrix, landmarks[0])
    return {"crops": figures, "stabilise": stabilise_figures(results, held, first, fps)}


def crop_paths(track, start, end, fps):
    """{way: (N, 2, 3) frame -> crop} of all kinds of crops, see the module's text."""
    landmarks = track.landmarks[start:end].astype(np.float64)
    plans = {}
    for kind in ("davs", "aligned"):
        for smooth in (False, True):
            plan = plan_crops(track, CropSpec(kind, SIDE), fps=fps, smooth=smooth)
            plans[kind, smooth] = np.stack([crop.matrix for crop in plan[start:end]])
    resting = landmarks.copy()
    for point in MOUTH_CORNERS:
        on_head = apply_affine(plans["aligned", False], landmarks[:, [point]])
        resting[:, [point]] = apply_affine(inverted(plans["aligned", False]), np.broadcast_to(on_head.mean(0), on_head.shape))
    poses, kernel = three_point_poses(landmarks), SMOOTH_SECONDS * fps
    smooth = smooth_poses(poses, CORNERS, kernel)
    size = np.hypot(poses[:, 0], poses[:, 1])
    zoom = np.exp(smooth_series(np.log(size), SLOW * fps)) / np.hypot(smooth[:, 0], smooth[:, 1])
    slow = zoomed(smooth, zoom)
    return {
        "DAVS, published": plans["davs", False],
        "DAVS, all smoothed over 0.16 s": matrices(smooth),
        "DAVS, scale over 1 s": matrices(slow),
        "DAVS, mouth corners at rest": matrices(smooth_poses(three_point_poses(resting), CORNERS, kernel)),
        "DAVS, ours": plans["davs", True],
        "aligned, raw": plans["aligned", False],
        "aligned, smoothed": plans["aligned", True],
        "one crop held": np.broadcast_to(plans["aligned", True][(end - start) // 2], plans["aligned", True].shape),
    }


def zoomed(poses, zoom):
    """(N, 4) poses with (N,) other scales; the middle of the three points stays in place."""
    a, b, x, y = poses.T
    middle_x, middle_y = TEMPLATE.mean(0)
    moved = np.stack([a * middle_x - b * middle_y, b * middle_x + a * middle_y]) * (1 - zoom)
    return np.stack([a * zoom, b * zoom, x + moved[0], y + moved[1]], 1)


def matrices(poses):
    """(N, 4) face -> frame, in eye distances, to (N, 2, 3) frame -> face, in the same unit."""
    a, b, x, y = poses.T
    return inverted(np.stack([np.stack([a, -b, x], 1), np.stack([b, a, y], 1)], 1))


def inverted(affine):
    """(N, 2, 3) -> (N, 2, 3)."""
    linear = np.linalg.inv(affine[:, :, :2])
    return np.concatenate([linear, -linear @ affine[:, :, 2:]], 2)


def chained(second, first):
    """(2, 3): `first`, then `second`."""
    return np.concatenate([second[:, :2] @ first[:, :2], second[:, :2] @ first[:, 2:] + second[:, 2:]], 1)


def crop_figures(path, heads, eyes, mouth, fps):
    """Figures of one way.

    Args:
        path: (N, 2, 3) frame -> crop; heads: (N, 2, 3) frame -> the middle frame's head; eyes: (2, 2) on that head.
        mouth: (N,) opening; fps: frames a second.
    """
    seen = apply_affine(path, apply_affine(inverted(heads), np.broadcast_to(eyes, (len(heads), 2, 2))))
    apart = np.linalg.norm(seen[:, 1] - seen[:, 0], axis=1)
    place = seen.mean(1) / apart.mean()
    change = 100 * (apart / apart.mean() - 1)
    change_fast, mouth_fast = (series - smooth_series(series, SLOW * fps) for series in (change, mouth))
    r = float(np.corrcoef(change_fast, mouth_fast)[0, 1]) if change_fast.std() > 1e-9 < mouth_fast.std() else 0.0
    away = 100 * np.linalg.norm(place - np.median(place, axis=0), axis=1)
    return {**trembling(change, fps), "mouth": r * float(change_fast.std()), "r": r, "away": float(np.percentile(away, 95))}


def trembling(change, fps):
    """{"step", "fast"} of a series (N,)."""
    return {"step": float(np.diff(change).std()), "fast": float((change - smooth_series(change, FAST * fps)).std())}


def registered(picture, reference, landmarks):
    """(2, 3) affine picture -> reference by ECC on the face above the mouth; None where it fails or ends far off."""
    import cv2

    grey = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (picture, reference)]
    mask = whole_face_mask(landmarks, SIDE, way=0.05)
    mask[int(landmarks[33, 1]):] = 0
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-5)
    try:
        _, back = cv2.findTransformECC(grey[1], grey[0], np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, stop,
                                       (mask > 0.5).astype(np.uint8), 5)  # fmt: skip
    except cv2.error:
        return None
    if not 0.5 < np.linalg.det(back[:, :2]) < 2:
        return None
    return inverted(back[None].astype(np.float64))[0]


def stabilise_figures(results, held, landmarks, fps):
    """{what: {"step", "fast"}} of results (N crops), and of the crop that is held, before and after they are registered."""
    import cv2

    softer = [cv2.GaussianBlur(each, (0, 0), SIDE / 160) for each in results]
    drawn = [np.clip(each * (0.9, 1.0, 1.08) + 6, 0, 255).astype(np.uint8) for each in softer]
    shown = {
        "published crops": results,
        "the same, stabilised": [stabilised(each, results[0], landmarks) for each in results],
        "softer, of other colours, stabilised": [stabilised(each, results[0], landmarks) for each in drawn],
        "one crop held": held,
    }
    figures = {}
    for name, pictures in shown.items():
        found = [registered(each, pictures[0], landmarks) for each in pictures]
        kept = [each for each in found if each is not None]
        size = np.array([-0.5 * np.log(np.linalg.det(each[:, :2])) for each in kept])
        figures[name] = trembling(100 * size, fps) | {"frames": len(kept)}
    return figures


def table(clips):
    """Markdown: medians over GRID's clips and over the others'."""
    lines = []
    for group in ("GRID", "others"):
        chosen = [clip for name, clip in clips.items() if (name.split("/")[0] == "grid") == (group == "GRID")]
        if not chosen:
            continue
        for part, columns in (("crops", COLUMNS), ("stabilise", COLUMNS[:2])):
            lines += [f"| {group}, {len(chosen)} clips | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
            for name in chosen[0][part]:
                medians = [float(np.median([clip[part][name][column] for clip in chosen])) for column in columns]
                lines.append(f"| {name} | {' | '.join(f'{median:.2f}' for median in medians)} |")
            lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run(main))
