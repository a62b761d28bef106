"""The warp alone: real landmarks as the wanted ones, own frames at least 15 frames away as sources.

    python -m benchmarks.lipwarp.warp --people people/talk --cache windows [--who val | held_out | NAME ...] [--detect]

Measured on aligned crops of 96 pixels: SSIM and PSNR of the mouth, sharpness (variance of the Laplacian) of mouth and lips over
the real one's, flicker (mean second difference in time of the mouth's pixels, over the real one's); with --detect trembling
(second difference in time of the mouth's landmarks, found again in real and drawn pictures, one over the other) and how far
they lie from the wanted ones (eye distances); milliseconds a frame on one thread. With --closed all frames are drawn from the
one with the most closed lips. `--set bank.SWITCH=0.02` tries another constant of faces/drawing/.
"""

import argparse
import importlib
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.lipwarp.people import chosen
from benchmarks.lipwarp.warp_material import videos_of, window_clip
from common.cli import run
from common.errors import InputError
from faces.crops import CropSpec, plan_crops
from faces.detectors import build_detector
from faces.drawing import bank as banks
from faces.drawing.lower_face import draw_lower_face
from faces.landmarks import MOUTH, eye_distance, interocular
from faces.mouth import mouth_opening
from faces.tracking.track import track_face
from faces.tracking.tracked import FaceTrack
from metrics.formulas.image import mouth_region, psnr, sharpness, ssim

GAP = 15
COLUMNS = ("ssim", "psnr", "sharp", "sharp lips", "ssim lips", "flicker", "flicker lips", "tremble", "apart", "ms")


def drawn_clip(clip, frames, gap=GAP, closed=False):
    """Draw frames of a clip from its own others.

    Returns:
        (F, S, S, 3) uint8, Sources, Bank, seconds a frame.
    """
    numbers = np.arange(frames)
    if closed:
        opening = np.where(clip.present, mouth_opening(clip.landmarks), np.inf)
        still = np.array([int(np.argmin(opening))])
        only = np.isin(np.arange(len(clip.present)), still)
        any_shot = np.full(len(only), -1)
        bank = banks.build_bank(clip.landmarks, only, lambda chosen: clip.pictures[chosen], shots=any_shot)
        gap = 0
    else:
        bank = banks.build_bank(clip.landmarks, clip.present, lambda chosen: clip.pictures[chosen])
    began = time.perf_counter()
    sources = bank.sources(clip.landmarks[:frames], numbers, gap=gap)
    made = np.empty_like(clip.pictures[:frames])
    for t in numbers:
        points = clip.landmarks[t]
        if not clip.present[t]:
            made[t] = clip.pictures[t]
            continue
        pairs = [(bank.pictures[entry], bank.landmarks[entry], float(weight))
                 for entry, weight in zip(sources.entries[t], sources.weights[t], strict=True) if weight > 0]  # fmt: skip
        drawn, mask = draw_lower_face(clip.pictures[t], points, points, pairs)
        share = mask[..., None]
        made[t] = np.rint(clip.pictures[t] * (1 - share) + drawn * share)
    return made, sources, bank, (time.perf_counter() - began) / frames


def measured(real, made, landmarks, present):
    """{column: value} of drawn windows beside the real ones."""
    size = real.shape[1]
    track = FaceTrack(landmarks.astype(np.float32), present, np.zeros(len(present), bool), size, size)
    crops = plan_crops(track, CropSpec("aligned", 96), smooth=False)
    rows, mouths, lips = [], ([], []), ([], [])
    for t, crop in enumerate(crops):
        if crop is None:
            continue
        pair = [crop.extract(picture[t]) for picture in (real, made)]
        points = landmarks[t, 48:60] @ crop.matrix[:, :2].T + crop.matrix[:, 2]
        middle = points.mean(0)
        half = np.maximum(np.ptp(points, axis=0) / 2 + 2, 6)
        (left, top), (right, bottom) = np.floor(middle - half).astype(int), np.ceil(middle + half).astype(int)
        mouth = [mouth_region(picture) for picture in pair]
        lip = [picture[max(top, 0) : bottom, max(left, 0) : right] for picture in pair]
        rows.append([ssim(*mouth), psnr(*mouth), *(sharpness(each) for each in (*mouth, *lip)), ssim(*lip)])
        for store, pictures in ((mouths, mouth), (lips, [picture[54:84, 24:72] for picture in pair])):
            for held, picture in zip(store, pictures, strict=True):
                held.append(picture.astype(np.float32))
    mean = np.mean(rows, axis=0)
    flicker = [np.abs(np.diff(np.stack(made), n=2, axis=0)).mean() / np.abs(np.diff(np.stack(real), n=2, axis=0)).mean()
               for real, made in (mouths, lips)]  # fmt: skip
    values = (mean[0], mean[1], mean[3] / mean[2], mean[5] / mean[4], mean[6], *flicker)
    return dict(zip(COLUMNS, values, strict=False))


def set_constant(change):
    """Give a constant of a module of faces/drawing/ another number.

    Args:
        change: "module.NAME=number".

    Raises:
        InputError: there is no such module or number in it, or what it is to be is no number.
    """
    name, _, value = change.partition("=")
    module, _, constant = name.partition(".")
    try:
        found = importlib.import_module(f"faces.drawing.{module}") if module.isidentifier() else None
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise InputError(f"--set {change}: faces/drawing/ has no module {module!r}")
    before = getattr(found, constant, None)
    if not constant.isupper() or isinstance(before, bool) or not isinstance(before, int | float):
        raise InputError(f"--set {change}: faces/drawing/{module}.py has no number {constant!r}")
    try:
        setattr(found, constant, type(before)(value))
    except ValueError:
        raise InputError(f"--set {change}: {value!r} is no number such as {before}") from None


def summary(group, rows):
    """Print quartiles and mean of rows of figures."""
    for name, values in (("median", np.median(rows, axis=0)), ("lower quartile", np.percentile(rows, 25, axis=0)),
                         ("upper quartile", np.percentile(rows, 75, axis=0)), ("mean", np.mean(rows, axis=0))):  # fmt: skip
        print(f"{group + ', ' + name:24}" + "".join(f"{value:13.3f}" for value in values))


def trembling(real, made, landmarks):
    """(ratio of the second differences of the mouth's landmarks, distance from `landmarks` in eye distances), found again."""
    tracks = [_tracked(pictures) for pictures in (real, made)]
    bends = []
    for points in tracks:
        bend = np.linalg.norm(points[2:] - 2 * points[1:-1] + points[:-2], axis=-1)[:, MOUTH]
        bends.append(np.nanmedian(bend.mean(1) / interocular(points[1:-1])))
    away = np.linalg.norm(tracks[1] - landmarks, axis=-1)[:, MOUTH] / eye_distance(landmarks)[:, None]
    return bends[1] / bends[0], np.nanmedian(away)


def _tracked(pictures):
    """(F, 68, 2) landmarks in windows (F, S, S, 3); with a border, as the detector finds no face that fills its picture."""
    border = pictures.shape[1] // 2
    detector = build_detector("mediapipe")
    try:
        framed = (np.pad(picture, ((border, border), (border, border), (0, 0)), mode="edge") for picture in pictures)
        return track_face(framed, detector).landmarks.astype(np.float64) - border
    finally:
        detector.close()


def main(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lipwarp.warp", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=Path, required=True, help="folder of folders of videos")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the windows")
    parser.add_argument("--who", nargs="+", default=["val"], help="val, held_out, or names")
    parser.add_argument("--frames", type=int, default=75)
    parser.add_argument("--videos", type=int, default=1, help="of each person, at most")
    parser.add_argument("--closed", action="store_true", help="all from the frame with the most closed lips")
    parser.add_argument("--detect", action="store_true", help="find the landmarks again, for the trembling")
    parser.add_argument("--set", nargs="*", default=[], metavar="MODULE.NAME=VALUE",
                        help="numbers of faces/drawing/, to try others")  # fmt: skip
    args = parser.parse_args(argv)
    for change in args.set:
        set_constant(change)
    print(f"{'':24}" + "".join(f"{column:>13}" for column in COLUMNS))
    everyone = []
    for group, people in chosen(args.who).items():
        rows = []
        for person in people:
            if not (args.people / person).is_dir():
                raise InputError(f"{args.people / person}: no such person")
            for path in videos_of(args.people / person)[: args.videos]:
                clip = window_clip(path, args.cache)
                frames = min(args.frames, len(clip.present))
                made, _, _, seconds = drawn_clip(clip, frames, closed=args.closed)
                values = measured(clip.pictures[:frames], made, clip.landmarks[:frames], clip.present[:frames])
                shown, points = clip.pictures[:frames], clip.landmarks[:frames]
                found = trembling(shown, made, points) if args.detect else (np.nan, np.nan)
                rows.append([*values.values(), *found, seconds * 1000])
                print(f"{person:17}{clip.pictures.shape[1]:>6} " + "".join(f"{value:13.3f}" for value in rows[-1]), flush=True)
        everyone += rows
        summary(group, rows)
    if len(chosen) > 1:
        summary("all", everyone)


if __name__ == "__main__":
    sys.exit(run(main))
