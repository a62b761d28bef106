"""The lip refiner beside the plain warp: the same frames, drawn from own frames or from one with closed lips, then refined.

    python -m benchmarks.lipwarp.refiner --people people/talk --cache windows --refiner PATH --who held_out [--closed]

Measured as benchmarks.lipwarp.warp does. `--sheet PATH` writes pictures: real, plain, refined, at the mouth that is most open.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.lipwarp.people import HELD_OUT, VALIDATION
from benchmarks.lipwarp.warp import COLUMNS, drawn_clip, measured
from benchmarks.lipwarp.warp_material import videos_of, window_clip
from common.cli import run
from common.errors import InputError
from faces.mouth import mouth_opening
from pipeline.drivers.refining import load_refiner, square_matrix

SHOWN = 192  # pixels: side of the squares on the sheet


def refined_clip(clip, made, sources, bank, refiner):
    """Refine drawn frames; returns them, (F, S, S, 3) uint8, and seconds a frame."""
    out, began = made.copy(), time.perf_counter()
    for t in np.flatnonzero(clip.present[: len(made)]):
        entry = sources.entries[t][int(np.argmax(sources.weights[t]))]
        out[t] = refiner.refine(made[t], clip.landmarks[t], bank.landmarks[entry])
    return out, (time.perf_counter() - began) / len(made)


def compared(path, cache, refiner, frames, closed):
    """({"plain": row, "refined": row}, strip of pictures) of one video."""
    clip = window_clip(path, cache)
    frames = min(frames, len(clip.present))
    made, sources, bank, seconds = drawn_clip(clip, frames, closed=closed)
    refined, more = refined_clip(clip, made, sources, bank, refiner)
    rows = {}
    for name, pictures, cost in (("plain", made, seconds), ("refined", refined, more)):
        values = measured(clip.pictures[:frames], pictures, clip.landmarks[:frames], clip.present[:frames])
        rows[name] = [*values.values(), cost * 1000]
    opening = np.where(clip.present[:frames], mouth_opening(clip.landmarks[:frames]), -1)
    order = np.argsort(opening)[::-1]
    shown = [(each[t], clip.landmarks[t]) for t in (order[0], order[frames // 4]) for each in (clip.pictures, made, refined)]
    strip = [_square(*one) for one in shown]
    return rows, np.hstack(strip)


def _square(picture, landmarks):
    """(SHOWN, SHOWN, 3) uint8: the square around the mouth."""
    import cv2

    return cv2.warpAffine(picture, square_matrix(landmarks, SHOWN), (SHOWN, SHOWN), flags=cv2.INTER_CUBIC)


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, required=True, help="folder of folders of videos")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the windows")
    parser.add_argument("--refiner", type=Path, required=True, help="checkpoint")
    parser.add_argument("--who", nargs="+", default=["val"], help="val, held_out, or names")
    parser.add_argument("--frames", type=int, default=75)
    parser.add_argument("--videos", type=int, default=1, help="of each person, at most")
    parser.add_argument("--closed", action="store_true", help="all from the frame with the most closed lips")
    parser.add_argument("--sheet", type=Path, help="picture to write")
    args = parser.parse_args(argv)
    refiner = load_refiner(args.refiner)
    groups = {"val": {"val": VALIDATION}, "held_out": HELD_OUT}.get(args.who[0], {"chosen": args.who})
    print(f"{'':32}" + "".join(f"{column:>13}" for column in COLUMNS))
    everyone, strips = {"plain": [], "refined": []}, []
    for group, people in groups.items():
        found = {"plain": [], "refined": []}
        for person in people:
            if not (args.people / person).is_dir():
                raise InputError(f"{args.people / person}: no such person")
            for path in videos_of(args.people / person)[: args.videos]:
                rows, strip = compared(path, args.cache, refiner, args.frames, args.closed)
                strips.append(strip)
                for name, row in rows.items():
                    found[name].append(row)
                    print(_line(f"{person} {name}", row), flush=True)
        for name, rows in found.items():
            everyone[name] += rows
            print(_line(f"{group}, median, {name}", np.median(rows, axis=0)))
    for name, rows in everyone.items():
        for what, values in zip(("quartile", "median", "quartile"), np.quantile(rows, (0.25, 0.5, 0.75), axis=0), strict=True):
            print(_line(f"all, {what}, {name}", values))
    if args.sheet:
        import cv2

        cv2.imwrite(str(args.sheet), np.vstack(strips)[..., ::-1])


def _line(title, values):
    return f"{title:32}" + "".join(f"{value:13.3f}" for value in values)


if __name__ == "__main__":
    sys.exit(run(main))
