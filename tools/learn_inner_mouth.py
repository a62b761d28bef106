"""Learn the numbers of the inner mouth from people whose teeth can be seen; run from the checkout.

    python -m tools.learn_inner_mouth --people people/talk                  # writes checkpoints/inner_mouth.safetensors
    python -m tools.learn_inner_mouth --people people/talk --dry_run        # prints what it finds

Analysis by synthesis: over opened frames of a person the inner mouth is drawn in place of the real one, with the look that the
person's most closed frame gives. Where the teeth hang and how far the jaw goes with the lower lip are searched for the least
error. The gains of enamel and dark are learned: the brightest and the darkest of the drawn mouth are to be as the real ones;
released are medians over people, each with the weight of the size of the face in pixels. The other numbers are defaults of
`faces.drawing.inner_mouth.Anatomy`, chosen on people for validation and by eye. People are of class A alone: GRID (Cooke et
al. 2006, CC BY 4.0) and LatentSync's actors. The rows of teeth are drawn from tables of anatomy; no picture goes into the file.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.lipwarp.people import VALIDATION, held_out
from common.cli import run
from common.errors import InputError
from faces.drawing import teeth
from faces.drawing.inner_mouth import RELEASED, Anatomy, InnerMouth
from faces.drawing.mouth_light import LUMINANCE
from faces.lip_space import Person, placed
from faces.mouth import mouth_opening

VIDEO = (".mp4", ".mpg", ".avi")
VIDEOS, FRAMES, SECONDS = 4, 12, 10  # of a person, at most
OPEN = 0.05
BRIGHTER = 1.1  # teeth in sharp pictures, over those in GRID's small ones: from validation people
PLAIN = 0.6  # blue over red of lit enamel, from which the light is plain enough to tell the tint of teeth
BRIGHT, DARK = 0.88, 0.12  # quantiles of luminance inside the lips
SHOWS, JAWS = (-1, 0, 1, 2, 3, 4), (0.5, 0.6, 0.7, 0.8, 0.9)
MARGIN = 0.35  # eye distances around the mouth


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=Path, required=True, help="folder of folders of videos (benchmarks.lipwarp.corpus)")
    parser.add_argument("--out", type=Path, default=RELEASED)
    parser.add_argument("--dry_run", action="store_true", help="write nothing")
    options = parser.parse_args(argv)
    if not options.people.is_dir():
        raise InputError(f"--people {options.people}: no such folder")
    names = [path.name for path in sorted(options.people.iterdir()) if path.is_dir()]
    names = [name for name in names if not name.startswith("c_") and name not in (*VALIDATION, *held_out())]
    inner, found = built(Anatomy()), []
    for name in names:
        frames, look = opened_frames(options.people / name, inner)
        if len(frames) < 3:
            print(f"{name}: too few opened frames", flush=True)
            continue
        found.append(fitted(frames, look))
        print(f"{name:12} {len(frames):3}", *(f"{key} {np.round(value, 2)}" for key, value in found[-1].items()), flush=True)
    if not found:
        raise InputError(f"--people {options.people}: nobody to learn from shows enough opened frames")
    weights = [one.pop("eyes") for one in found]
    white = np.array([one.pop("white") for one in found])
    median = {key: weighted_median([one[key] for one in found], weights) for key in found[0]}
    plain = np.flatnonzero(white[:, 2] > PLAIN * white[:, 0])
    median["enamel"] = weighted_median([found[one]["enamel"] for one in plain], [weights[one] for one in plain])
    start = Anatomy()
    learned = replace(
        start,
        enamel=np.asarray(start.enamel) * median["enamel"] * BRIGHTER,
        dark=np.asarray(start.dark) * median["dark"],
    )
    print(f"{len(found)} people; their teeth hang {median['show']:.1f} mm, their jaw takes {median['jaw']:.2f};", learned)
    if not options.dry_run:
        built(learned).save(options.out)
        print(f"{options.out}: {options.out.stat().st_size} bytes")


def built(anatomy):
    """InnerMouth of the tables of faces/drawing/teeth.py and these numbers."""
    upper = teeth.row_of_teeth(teeth.UPPER, teeth.UPPER_EDGE, 1)
    lower = np.ascontiguousarray(teeth.row_of_teeth(teeth.LOWER, teeth.LOWER_EDGE, 2)[::-1])
    margin = teeth.MARGIN * teeth.DENSITY
    lines = {"upper": len(upper) - margin, "lower": margin}
    return InnerMouth(upper, lower, lines, teeth.DENSITY * teeth.MILLIMETRES, anatomy)


def opened_frames(folder, inner):
    """[(picture around the mouth, landmarks, rest, mask of the inner mouth)] of a person, and the Look."""
    import cv2

    from faces.detectors import build_detector
    from faces.tracking.track import track_face
    from media import VideoReader

    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in VIDEO][:VIDEOS]
    frames, look = [], None
    for path in paths:
        with VideoReader(path) as reader:
            pictures = [picture for picture, _ in zip(reader, range(int(SECONDS * reader.info.fps)), strict=False)]
            fps = reader.info.fps
        track = track_face(pictures, build_detector("mediapipe"), fps=fps)
        points, present = track.landmarks.astype(np.float64), track.present & ~track.interpolated
        if present.sum() < 30:
            continue
        rest = placed(np.zeros((len(points), 20, 2)), Person.of(points, present), points)
        opening = np.where(present, mouth_opening(points), np.nan)
        if look is None:
            closed = int(np.nanargmin(opening))
            look = inner.look(pictures[closed], points[closed])
        wanted = np.linspace(max(OPEN, np.nanmedian(opening)), np.nanmax(opening), max(3, FRAMES // len(paths)))
        for t in sorted({int(np.nanargmin(np.abs(opening - value))) for value in wanted}):
            if opening[t] < OPEN:
                continue
            margin = MARGIN * np.linalg.norm(points[t, 45] - points[t, 36]) / 1.4
            x1, y1 = np.maximum(np.floor(points[t, 48:68].min(0) - margin).astype(int), 0)
            x2, y2 = np.ceil(points[t, 48:68].max(0) + margin).astype(int)
            picture = np.ascontiguousarray(pictures[t][y1:y2, x1:x2])
            mask = np.zeros(picture.shape[:2], np.uint8)
            lips = np.round((points[t, 60:68] - (x1, y1)) * 16).astype(np.int32)
            cv2.fillPoly(mask, [lips], 1, shift=4)
            if mask.sum() >= 40:
                frames.append((picture, points[t] - (x1, y1), rest[t] - (x1, y1), mask > 0))
    return frames, look


def fitted(frames, look):
    """{number: its best value, or the factor that mends what `look` had} of one person."""
    start = Anatomy()
    best, first = {"show": start.show, "jaw": start.jaw}, look
    bright, dark = extremes([frame[0] for frame in frames], frames)

    def drawn(anatomy, look):
        inner = built_with(anatomy)
        return [inner.draw(picture, points, rest, look) for picture, points, rest, *_ in frames]

    def numbers(**changed):
        return replace(start, **(best | changed))

    for _ in range(2):
        for _ in range(3):
            now = extremes(drawn(numbers(), look), frames)
            look = replace(
                look,
                enamel=np.clip(look.enamel * np.clip(bright / np.maximum(now[0], 1), 0.5, 2), 5, 320),
                dark=np.clip(look.dark * np.clip(dark / np.maximum(now[1], 1), 0.5, 2), 1, 200),
            )
        costs = {
            (show, jaw): error(drawn(numbers(show=show, jaw=jaw), look), frames) for show in SHOWS for jaw in JAWS
        }
        best["show"], best["jaw"] = min(costs, key=costs.get)
    eyes = float(np.median([np.linalg.norm(frame[1][45] - frame[1][36]) for frame in frames])) / 1.4
    return best | {"enamel": look.enamel / first.enamel, "dark": look.dark / first.dark, "eyes": eyes, "white": first.enamel}


def weighted_median(values, weights):
    """(N[, K]) and (N,) -> () or (K,): the least value that half of the weight does not exceed."""
    values, weights = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    order = np.argsort(values, axis=0)
    gathered = np.cumsum(weights[order], axis=0) >= weights.sum() / 2
    return np.take_along_axis(np.take_along_axis(values, order, 0), gathered.argmax(0)[None], 0)[0]


def built_with(anatomy, kept={}):  # noqa: B006
    """The one InnerMouth, with other numbers."""
    inner = kept.setdefault("inner", built(anatomy))
    inner.anatomy = anatomy
    return inner


def extremes(pictures, frames):
    """Medians over frames of the mean colour of the brightest and of the darkest of the inner mouth."""
    found = []
    for picture, (*_, mask) in zip(pictures, frames, strict=True):
        inside = picture[mask].astype(np.float64)
        light = inside @ LUMINANCE
        found.append((inside[light >= np.quantile(light, BRIGHT)].mean(0), inside[light <= np.quantile(light, DARK)].mean(0)))
    return np.median(found, axis=0)


def error(pictures, frames):
    """Mean absolute difference of luminance inside the lips, a little blurred."""
    import cv2

    total = []
    for picture, (real, points, _, mask) in zip(pictures, frames, strict=True):
        width = 0.01 * float(np.linalg.norm(points[45] - points[36])) / 1.4 + 0.3
        light = [one.astype(np.float32) @ LUMINANCE.astype(np.float32) for one in (picture, real)]
        light = [cv2.GaussianBlur(one, (0, 0), width) for one in light]
        total.append(np.abs(light[0] - light[1])[mask].mean())
    return float(np.mean(total))


if __name__ == "__main__":
    sys.exit(run(main))
