"""The lip refiner beside what it would refine: frames drawn from own frames, or from one with closed lips.

    python -m benchmarks.lipwarp.refiner --people people/talk --cache windows --refiner PATH --who held_out [--closed]

Measured as benchmarks.lipwarp.warp does. `plain`: the warp alone; `inner`: with the inner mouth that no source shows drawn over
it (faces.drawing.inner_mouth); `refined`: the warp, refined; `refined inner`: refined, then the inner mouth drawn;
`inner refined`: the other way round. `--sheet PATH` writes pictures: real, then these, at the mouth that is most open and at
one that is open a little.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.lipwarp.people import chosen
from benchmarks.lipwarp.warp import COLUMNS as ALL_COLUMNS
from benchmarks.lipwarp.warp import drawn_clip, measured
from benchmarks.lipwarp.warp_material import videos_of, window_clip
from common.cli import run
from common.errors import InputError
from faces.drawing.inner_mouth import InnerMouth, missing
from faces.drawing.portrait import portrait_of
from faces.lip_space import Person, placed
from faces.mouth import mouth_opening
from pipeline.drivers.refining import load_refiner, square_matrix

SHOWN = 160  # pixels: side of the squares on the sheet
COLUMNS = (*ALL_COLUMNS[:7], "ms")
WAYS = ("plain", "inner", "refined", "refined inner", "inner refined")


class Case:
    """One clip, drawn plainly, and what can be done to its frames.

    Args:
        clip: WindowClip; frames: how many are drawn; closed: from one frame with closed lips; refiner: Refiner.
    """

    def __init__(self, clip, frames, closed, refiner):
        self.refiner, self.inner = refiner, InnerMouth.load()
        opening = np.where(clip.present, mouth_opening(clip.landmarks), np.inf)
        still = int(np.argmin(opening))
        picture, landmarks = clip.pictures[still], clip.landmarks[still]
        if closed:
            ready = portrait_of(picture, landmarks, self.inner)
            self.person, self.look = ready.person, ready.look
        else:
            self.person = Person.of(clip.landmarks, clip.present)
            self.look = self.inner.look(picture, landmarks, self._rest(landmarks))
        shown = {name: getattr(clip, name)[:frames] for name in ("pictures", "landmarks", "present")}
        self.clip = replace(clip, **shown)
        self.plain, self.sources, self.bank, self.seconds = drawn_clip(clip, frames, closed=closed)

    def _rest(self, landmarks):
        return placed(np.zeros((1, 20, 2)), self.person, landmarks[None])[0]

    def _frame(self, picture, t, steps):
        entry = self.sources.entries[t][int(np.argmax(self.sources.weights[t]))]
        wanted, source = self.clip.landmarks[t], self.bank.landmarks[entry]
        for step in steps:
            if step == "refined":
                picture = self.refiner.refine(picture, wanted, source)
            elif step == "inner":
                picture = self.inner.draw(picture, wanted, self._rest(wanted), self.look, missing(source, wanted))
        return picture

    def drawn(self, way):
        """(F, S, S, 3) uint8 drawn in one of WAYS, and the seconds a frame that it takes beside the warp."""
        made, began = self.plain.copy(), time.perf_counter()
        for t in np.flatnonzero(self.clip.present):
            made[t] = self._frame(made[t], t, way.split())
        return made, (time.perf_counter() - began) / len(made)


def compared(case):
    """({way: row of figures}, strip of pictures) of one video."""
    clip, rows = case.clip, {}
    opening = np.where(clip.present, mouth_opening(clip.landmarks), -1)
    order = np.argsort(opening)[::-1]
    shown = order[0], order[len(order) // 4]
    strips = [[_square(clip.pictures[t], clip.landmarks[t]) for t in shown]]
    for way in WAYS:
        made, seconds = case.drawn(way)
        values = measured(clip.pictures, made, clip.landmarks, clip.present)
        rows[way] = [*values.values(), 1000 * (case.seconds if way == "plain" else seconds)]
        strips.append([_square(made[t], clip.landmarks[t]) for t in shown])
    return rows, np.hstack([strip[one] for one in range(2) for strip in strips])


def _square(picture, landmarks):
    """(SHOWN, SHOWN, 3) uint8: the square around the mouth."""
    import cv2

    return cv2.warpAffine(picture, square_matrix(landmarks, SHOWN), (SHOWN, SHOWN), flags=cv2.INTER_CUBIC)


def main(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lipwarp.refiner", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
    print(f"{'':32}" + "".join(f"{column:>13}" for column in COLUMNS))
    everyone, strips = {way: [] for way in WAYS}, []
    for group, people in chosen(args.who).items():
        found = {way: [] for way in WAYS}
        for person in people:
            if not (args.people / person).is_dir():
                raise InputError(f"{args.people / person}: no such person")
            for path in videos_of(args.people / person)[: args.videos]:
                clip = window_clip(path, args.cache)
                rows, strip = compared(Case(clip, min(args.frames, len(clip.present)), args.closed, refiner))
                strips.append(strip)
                for way, row in rows.items():
                    found[way].append(row)
                    print(_line(f"{person} {way}", row), flush=True)
        for way, rows in found.items():
            everyone[way] += rows
            print(_line(f"{group}, median, {way}", np.median(rows, axis=0)))
    for way, rows in everyone.items():
        for what, values in zip(("quartile", "median", "quartile"), np.quantile(rows, (0.25, 0.5, 0.75), axis=0), strict=True):
            print(_line(f"all, {what}, {way}", values))
    if args.sheet:
        import cv2

        cv2.imwrite(str(args.sheet), np.vstack(strips)[..., ::-1])


def _line(title, values):
    return f"{title:32}" + "".join(f"{value:13.3f}" for value in values)


if __name__ == "__main__":
    sys.exit(run(main))
