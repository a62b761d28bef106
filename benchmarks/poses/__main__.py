"""Does the face crop hold when heads are turned, small, large or at the frame's border?

    python -m benchmarks.poses --media FOLDER [--out results/poses.json] [--pictures results/poses]

The first frames of real clips are shown as a camera would show them that is rolled, nearer or further, or points elsewhere
(frames of 640 x 480, eyes 46 pixels apart at scale 1). Landmarks of the upright clip, carried over by the known movement,
say where eyes and mouth are. For `box` and `aligned` crops, over all frames in which the upright clip shows a face:

    found    frames with a face and a crop
    good     frames whose crop has both eyes and the mouth within 0.15 eye distances of where the upright crop has them
    error    the largest of these three distances, in eye distances: median of the frames, and 95th percentile
    eyes     how far both eyes lie from their usual places in the crop, pixels of 96 (root mean square over frames)
    jitter   second difference in time of the crop's corners against those of the ideal crop, pixels of 96: median of the clips
    seam     gradient on the border of a paste over that beside it, 1 is invisible: median; what is pasted is the crop itself,
             12 grey levels brighter and a little blurred; "hard" pastes the whole square, without feathering

The row "held still" shows one frame of each clip all along, with camera noise, while the camera swings: all its jitter is the
crop's own. Exit code 1 when the aligned crop is good in less than 95 % of the frames of the poses up to 40 degrees.
"""

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks.poses import measure
from benchmarks.poses.material import POSES, QUICK_POSES, UPRIGHT, Pose, list_clips, read_clip
from common.cli import run
from common.errors import InputError
from common.files import atomic_output
from faces.detectors import DETECTORS, build_detector

BAR = 0.95
STILL = Pose("held still, swinging", sway=20, aim=False)


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.poses", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--media", type=Path, required=True, metavar="FOLDER", help="folder of real clips, in one folder a collection")
    add("--sets", nargs="+", metavar="NAME", help="only these collections")
    add("--per_set", type=int, default=3, help="clips of each collection (%(default)s)")
    add("--frames", type=int, default=25, help="frames of each clip (%(default)s)")
    add("--detector", choices=DETECTORS, default="mediapipe")
    add("--device", default="cpu", help="where face-alignment runs (%(default)s)")
    add("--quick", action="store_true", help="one clip a collection, 8 frames, three poses")
    add("--out", type=Path, help="write all figures to this JSON file")
    add("--pictures", type=Path, metavar="FOLDER", help="write one picture a clip: crops drawn into posed frames")
    args = parser.parse_args(argv)
    if args.quick:
        args.per_set, args.frames = 1, 8
    if args.per_set < 1 or args.frames < 3:
        raise InputError("--per_set must be 1 or more, --frames 3 or more")
    return args


def main(argv):
    """Measure, print, write."""
    args = parse(argv)
    poses = QUICK_POSES if args.quick else POSES
    results, skipped = [], []
    with closing(build_detector(args.detector, device=args.device)) as detector:
        for name, path in list_clips(args.media, args.per_set, args.sets):
            clip = read_clip(name, path, args.frames, detector)
            if clip is None or len(clip.frames) < 3:
                skipped.append(f"{name}/{path.name}")
                continue
            print(f"{name}/{path.name}", file=sys.stderr, flush=True)
            results.append(measure_clip(clip, (UPRIGHT, *poses, STILL), detector, args.pictures))
    if not results:
        raise InputError(f"--media {args.media}: no clip shows a face")
    table = summarise(results)
    aim = rate(results, "aligned", [pose.name for pose in poses if pose.aim])
    print_table(table, results, skipped, aim)
    if args.out:
        report = {"tolerance": measure.TOLERANCE, "aligned_good_up_to_40": aim, "table": table, "clips": results,
                  "without_a_face": skipped}  # fmt: skip
        with atomic_output(args.out) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0 if aim >= BAR else 1


def measure_clip(clip, poses, detector, pictures=None):
    """Figures of one FaceClip; the first pose is the upright one.

    Returns:
        {"set", "clip", "known", "frames", "poses": {pose: {kind: figures}}}.
    """
    truth, upright, shown = None, None, {}
    out = {"set": clip.set, "clip": clip.name, "frames": len(clip.frames), "poses": {}}
    for pose in poses:
        frames, matrices = zip(*clip.posed(pose), strict=True)
        known = truth
        if pose is STILL:
            held = type(clip)(**{**vars(clip), "frames": measure.hold_still(clip.frames, int(np.argmax(truth.known)))})
            frames, matrices = zip(*held.posed(pose), strict=True)
            known = truth.held()
        track = measure.follow_face(frames, matrices, detector, known, clip.fps)
        if truth is None:
            truth, upright = measure.read_truth(track, matrices, clip.fps), matrices[0]
            out["known"] = int(truth.known.sum())
            if not truth.known.any():
                return out
            known = truth
        out["poses"][pose.name] = {
            kind: measure.measure_pose(frames, matrices, track, known, upright, clip.fps, kind) for kind in measure.KINDS
        }
        if pictures:
            shown[pose.name] = draw(frames, track, clip.fps)
    if pictures:
        write_sheet(shown, pictures / f"{clip.set}_{Path(clip.name).stem}.png")
    return out


def summarise(results):
    """{pose: {kind: figures over all clips}}."""
    names = list(next(result["poses"] for result in results if result["poses"]))
    return {name: {kind: _pool(results, [name], kind) for kind in measure.KINDS} for name in names}


def rate(results, kind, poses):
    """Share of good frames over all clips and the poses named."""
    return _pool(results, poses, kind)["good"]


def _pool(results, poses, kind):
    parts = [(result, result["poses"][pose][kind]) for result in results for pose in poses if pose in result["poses"]]
    frames = sum(part["frames"] for _, part in parts)
    errors = np.array([value for _, part in parts for value in part["error"]])
    away = [np.array(part["eyes"]) - _usual(result, kind) for result, part in parts if part["eyes"]]
    away = np.concatenate(away) if away else np.full((1, 2, 2), np.nan)
    jitter = [part["jitter"] for _, part in parts if np.isfinite(part["jitter"])]
    return {
        "frames": frames,
        "found": sum(part["found"] for _, part in parts) / max(1, frames),
        "good": sum(part["good"] for _, part in parts) / max(1, frames),
        "error": _percentiles(errors),
        "eyes": float(np.sqrt((away**2).sum(-1).mean())),
        "jitter": _percentiles(jitter),
        "seam": _percentiles([value for _, part in parts for value in part["seam"]]),
        "hard_seam": _percentiles([value for _, part in parts for value in part["hard_seam"]]),
    }


def _usual(result, kind):
    """(1, 2, 2) median places of the eyes in the upright clip's crops."""
    eyes = result["poses"]["upright"][kind]["eyes"]
    return np.median(np.array(eyes), axis=0)[None] if eyes else np.full((1, 2, 2), np.nan)


def _percentiles(values):
    """[5th percentile, median, 95th percentile], or None of nothing."""
    return [float(value) for value in np.percentile(values, (5, 50, 95))] if len(values) else None


def print_table(table, results, skipped, aim):
    """The table of poses, the rates by collection, and the verdict."""
    heads = ("found", "good", "error", "p95", "eyes", "jitter", "p95", "seam", "p95", "hard")
    print(" " * 37 + "".join(f"{head:>8}" for head in heads))
    for pose, kinds in table.items():
        for kind, row in kinds.items():
            error, jitter, seam, hard = (row[key] or [np.nan] * 3 for key in ("error", "jitter", "seam", "hard_seam"))
            shares = f"{row['found']:8.1%}{row['good']:8.1%}"
            figures = (*error[1:], row["eyes"], *jitter[1:], *seam[1:], hard[1])
            print(f"{pose if kind == 'box' else '':28}{kind:9}{shares}" + "".join(f"{figure:8.3f}" for figure in figures))
    aimed = [pose.name for pose in POSES if pose.aim]
    print("\ngood frames of the poses up to 40 degrees, by collection (clips, share of frames with a face when upright)")
    for name in sorted({result["set"] for result in results}):
        own = [result for result in results if result["set"] == name]
        known = sum(result["known"] for result in own) / sum(result["frames"] for result in own)
        figures = "".join(f"  {kind} {rate(own, kind, aimed):6.1%}" for kind in measure.KINDS)
        print(f"  {name:20}{len(own):3} {known:6.1%} {figures}")
    if skipped:
        print(f"no face in the first frames: {', '.join(skipped)}")
    print(f"aligned, up to 40 degrees and 0.5 to 2 times: {aim:.1%} of the frames good; bar {BAR:.0%}: "
          f"{'reached' if aim >= BAR else 'NOT reached'}")  # fmt: skip


def draw(frames, track, fps):
    """(240, 640, 3) uint8: the middle frame with both crops drawn (green aligned, orange box), and both crops."""
    import cv2

    from faces.crops import CropSpec, plan_crops

    at = len(frames) // 2
    picture, tiles = frames[at].copy(), []
    for kind, colour in (("aligned", (0, 230, 0)), ("box", (255, 150, 0))):
        crop = plan_crops(track, CropSpec(kind, measure.SIZE), fps=fps)[at]
        tiles.append(np.zeros((120, 120, 3), np.uint8) if crop is None else cv2.resize(crop.extract(frames[at]), (120, 120)))
        if crop is not None:
            cv2.polylines(picture, [np.rint(crop.corners()).astype(np.int32)], True, colour, 3)
    return np.concatenate([cv2.resize(picture, (320, 240), interpolation=cv2.INTER_AREA), np.concatenate(tiles)], axis=1)


def write_sheet(shown, path):
    """Write the pictures of one clip, four in a row, each with its name."""
    import cv2
    from PIL import Image

    for name, picture in shown.items():
        cv2.putText(picture, name, (6, 232), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1, cv2.LINE_AA)
    tiles = list(shown.values())
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 4)
    sheet = np.concatenate([np.concatenate(tiles[at : at + 4], axis=1) for at in range(0, len(tiles), 4)])
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_output(path) as temporary:
        Image.fromarray(sheet).save(temporary)


if __name__ == "__main__":
    sys.exit(run(main))
