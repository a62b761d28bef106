"""How often a covered mouth is found, and how often one is named that is free: on real clips, as they are and with things drawn
before the mouth.

    python -m benchmarks.faces.covered --media CLIPS --half report

Clips are the collection of benchmarks.lipwarp.people, one a person. Half of the people (`--half choose`) served to choose the
thresholds of `faces.tracking.covering`; figures are those of the other half. The network learned from people of GRID and
LatentSync, who are in neither, but for those whom benchmarks.lipwarp.people holds out or keeps for validation.
"""

import argparse
import hashlib
import sys
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.faces.covers import KINDS, Thing
from benchmarks.lipwarp.corpus import person_of
from benchmarks.lipwarp.people import LRW_AR, VALIDATION, held_out
from common.cli import run
from common.errors import InputError
from datasets.corpora.clips import VIDEO_SUFFIXES
from faces.detectors import build_detector
from faces.tracking.track import track_face

FRAMES, HEIGHT, OF_PERSON = 48, 400, 1
COVERED, FREE = 0.5, 0.02  # share of the lips from which a frame counts as covered, and below which as free
WORST = 10


def half_of(person):
    """"choose", "report", or "learn": what the clips of a person are for."""
    if person in held_out():
        return "report"
    if person in VALIDATION:
        return "choose"
    if not person.startswith("c_"):
        return "learn"
    return ("report", "choose")[_hash("h" + person) % 2]


def clips_of(media, half, of_person=OF_PERSON):
    """[(person, path)] of a half, in an order that does not depend on the folders."""
    people = {}
    for path in sorted(path for path in media.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES):
        name = path.relative_to(media).with_suffix("").as_posix()
        if not name.startswith(LRW_AR):
            person = person_of(name)
            if person is not None and half_of(person) == half:
                people.setdefault(person, []).append(path)
    drawn = {person: sorted(paths, key=lambda path: _hash(path.name))[:of_person] for person, paths in people.items()}
    return [(person, path) for person, paths in sorted(drawn.items()) for path in paths]


def read(path, frames=FRAMES):
    """(list of (H, W, 3) uint8, frames a second) of a clip's beginning, at most HEIGHT high."""
    import cv2

    from media import VideoReader

    with VideoReader(path) as reader:
        pictures, fps = list(islice(reader, frames)), float(reader.info.fps)
    scale = HEIGHT / pictures[0].shape[0]
    if scale < 1:
        extent = (round(pictures[0].shape[1] * scale), HEIGHT)
        pictures = [cv2.resize(picture, extent, interpolation=cv2.INTER_AREA) for picture in pictures]
    return pictures, fps


def measure(clips, *, made=1):
    """Follow the clips as they are and with `made` things each.

    Returns:
        {"clean": [(person, name, frames with a face, frames named)], "things": [(kind, name, (covered frames, of them named),
        (partly covered, named), (free, named))]}.
    """
    detector, clean, things = build_detector("mediapipe"), [], []
    try:
        for number, (person, path) in enumerate(clips):
            pictures, fps = read(path)
            track = track_face(pictures, detector, fps=fps)
            clean.append((person, path.stem, int(track.present.sum()), int(track.covered.sum())))
            for at in range(made if track.present.any() else 0):
                kind = KINDS[(number + at) % len(KINDS)]
                thing = Thing.random(kind, _hash(f"{path.name}{at}") % (1 << 30), len(pictures))
                drawn = [thing.on(one, track.landmarks[n].astype(np.float64), n) for n, one in enumerate(pictures)]
                shares = np.array([share for _, share in drawn])
                found = track_face([picture for picture, _ in drawn], detector, fps=fps)
                groups = (shares >= COVERED, (shares < COVERED) & (shares > FREE), shares <= FREE)
                counts = [(int((own & found.present).sum()), int((own & found.covered).sum())) for own in groups]
                things.append((kind, path.stem, *counts))
            print(f"{number + 1}/{len(clips)}", end="\r", file=sys.stderr, flush=True)
    finally:
        detector.close()
    return {"clean": clean, "things": things}


def markdown(found, half):
    """The report as text."""
    frames, named = (sum(row[at] for row in found["clean"]) for at in (2, 3))
    lines = [f"# Covered mouths: half `{half}`", "", f"{len(found['clean'])} clips as they are: {named} of {frames} frames "
             f"named ({named / max(frames, 1):.2%}).", "",
             "| drawn before the mouth | clips | covered frames | found | partly covered, found | free, named |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for kind in (*KINDS, "all"):
        own = [row for row in found["things"] if kind in (row[0], "all")]
        sums = [tuple(sum(row[group][at] for row in own) for at in (0, 1)) for group in (2, 3, 4)]
        shares = [f"{part / whole:.1%}" if whole else "-" for whole, part in sums]
        lines.append(f"| {kind} | {len(own)} | {sums[0][0]} | {' | '.join(shares)} |")
    worst = sorted((row for row in found["clean"] if row[3]), key=lambda row: -row[3] / row[2])[:WORST]
    told = "; ".join(f"{name} {named} of {frames}" for _, name, frames, named in worst)
    lines += ["", f"Clips with frames named: {told or 'none'}"]
    return "\n".join(lines)


def _hash(text):
    return int(hashlib.md5(text.encode()).hexdigest(), 16)


def main(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faces.covered", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, required=True, help="the collection of clips")
    parser.add_argument("--half", choices=("choose", "report", "learn"), default="report")
    parser.add_argument("--of_person", type=int, default=OF_PERSON, help="most clips of a person")
    parser.add_argument("--made", type=int, default=2, help="things drawn before the mouth, for each clip")
    args = parser.parse_args(argv)
    if not args.media.is_dir():
        raise InputError(f"--media {args.media}: is not a folder")
    print(markdown(measure(clips_of(args.media, args.half, args.of_person), made=args.made), args.half))


if __name__ == "__main__":
    sys.exit(run(main))
