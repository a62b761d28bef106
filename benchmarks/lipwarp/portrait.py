"""A portrait alone: all frames of a clip drawn from its one frame with the most closed lips, without and with an inner mouth.

    python -m benchmarks.lipwarp.portrait --people people/talk --cache windows [--who val | held_out | NAME ...]

The wanted landmarks are the real ones; the figures are those of `benchmarks.lipwarp.warp`, and the same over the frames that
are open (a mouth opening of OPEN or more). Of each clip, three ways: the warp alone; the inside of the lips painted in the
face's darkest colour; the drawn inner mouth.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.lipwarp.people import chosen
from benchmarks.lipwarp.warp import COLUMNS, measured
from benchmarks.lipwarp.warp_material import videos_of, window_clip
from common.cli import run
from common.errors import InputError
from faces.drawing.inner_mouth import InnerMouth
from faces.drawing.lower_face import draw_lower_face
from faces.drawing.portrait import portrait_of
from faces.drawing.warp import inner_mouth_mask
from faces.lip_space import placed
from faces.mouth import mouth_opening

OPEN = 0.08
WAYS = ("warp", "dark", "drawn")


def drawn_clip(clip, frames, inner):
    """{way: (F, S, S, 3) uint8} of a WindowClip's first frames."""
    opening = np.where(clip.present, mouth_opening(clip.landmarks), np.inf)
    still = int(np.argmin(opening))
    portrait = portrait_of(clip.pictures[still], clip.landmarks[still], inner)
    rest = placed(np.zeros((frames, 20, 2)), portrait.person, clip.landmarks[:frames])
    made = {way: clip.pictures[:frames].copy() for way in WAYS}
    for t in np.flatnonzero(clip.present[:frames]):
        picture, points = clip.pictures[t], clip.landmarks[t]
        drawn, mask = draw_lower_face(picture, points, points, [(portrait.picture, portrait.landmarks, 1.0)])
        inside = inner_mouth_mask(points, len(picture))[..., None]
        versions = {
            "warp": drawn,
            "dark": drawn * (1 - inside) + portrait.look.dark * inside,
            "drawn": inner.draw(drawn, points, rest[t], portrait.look),
        }
        for way, version in versions.items():
            made[way][t] = np.rint(picture * (1 - mask[..., None]) + version * mask[..., None])
    return made


def main(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lipwarp.portrait", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=Path, required=True, help="folder of folders of videos")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the windows")
    parser.add_argument("--who", nargs="+", default=["val"], help="val, held_out, or names")
    parser.add_argument("--frames", type=int, default=75)
    args = parser.parse_args(argv)
    inner = InnerMouth.load()
    columns = [name for name in COLUMNS if name != "ms"]
    print(f"{'':30}" + "".join(f"{name:>13}" for name in (*columns, *(f"open: {name}"[:13] for name in columns[:5]))))
    rows = {way: [] for way in WAYS}
    for person in (person for people in chosen(args.who).values() for person in people):
        if not (args.people / person).is_dir():
            raise InputError(f"{args.people / person}: no such person")
        clip = window_clip(videos_of(args.people / person)[0], args.cache)
        frames = min(args.frames, len(clip.present))
        points, present = clip.landmarks[:frames], clip.present[:frames]
        wide = present & (np.nan_to_num(mouth_opening(points)) >= OPEN)
        for way, made in drawn_clip(clip, frames, inner).items():
            values = list(measured(clip.pictures[:frames], made, points, present).values())
            if wide.sum() > 3:
                values += list(measured(clip.pictures[:frames][wide], made[wide], points[wide], present[wide]).values())[:5]
            else:
                values += [np.nan] * 5
            rows[way].append(values)
            print(f"{person:17}{clip.pictures.shape[1]:>6} {way:6}" + "".join(f"{value:13.3f}" for value in values), flush=True)
    for way in WAYS:
        print(f"{'median':24}{way:6}" + "".join(f"{value:13.3f}" for value in np.nanmedian(rows[way], axis=0)))


if __name__ == "__main__":
    sys.exit(run(main))
