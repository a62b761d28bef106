#!/usr/bin/env python3
"""Spatial consistency, step by step: texture blocks, distances, spatial modules, face optimisation, spatial loss.

    python spatial_processing.py --image face.png --out results/spatial
    python spatial_processing.py --video real.mp4 --generated fake.mp4
    python spatial_processing.py --video real.mp4 --generated fake.mp4 --crop     # the aligned face, not the whole picture

Writes blocks.png, distance.png, modules.png, modules.json (statistics), modules.npz (labels) and spatial.png, all side by side;
of a video the labels of all frames and modules.mp4, too; with a generated picture or video also loss.json and optimised.*.
Of these, what an earlier run has left and this one does not write is removed.
The formulas are in docs/methods.md, section 8; the published script is a stub, so that they are inferred.
"""

import argparse
import re
import sys
from pathlib import Path

from common.cli import run, when_interrupted
from common.errors import InputError
from common.files import require_file
from common.former import FormerFiles
from common.places import check_folder
from common.plot_formats import PLOT_FORMATS

WRITTEN = ("blocks.png", "distance.png", "modules.png", "modules.json", "modules.npz", "modules.mp4", "loss.json",
           "optimised.png", "optimised.mp4")  # fmt: skip
MOST_LINES = 25  # of losses that are printed


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    add = parser.add_argument
    real = parser.add_mutually_exclusive_group(required=True)
    real.add_argument("--image", help="real picture")
    real.add_argument("--video", help="real video")
    add("--generated", help="generated picture or video of the same size: spatial loss, face optimisation")
    add("--clusters", type=int, default=64, help="k, texture blocks (%(default)s)")
    add("--compactness", type=float, default=10.0, help="m, weight of position against colour (%(default)s)")
    add("--crop", action="store_true", help="work on the aligned face crop, not on the whole picture")
    add("--size", type=int, help="side of that crop in pixels (as large as the face is)")
    add("--no_optimise", action="store_true", help="leave out the face optimisation")
    add("--frame", type=int, default=0, help="of a video: the frame that is shown in the pictures (%(default)s)")
    add("--frames", type=int, help="of a video: this many from the start alone")
    add("--out", type=Path, default=Path("results/spatial"), help="folder (%(default)s)")
    add("--format", choices=PLOT_FORMATS, default="png", help="of the plot of all steps (%(default)s)")
    add("--detector", default="mediapipe", help="mediapipe or face-alignment (%(default)s)")
    add("--detector_weights", help="folder with face-alignment's weight files")
    return parser.parse_args(argv)


def main(argv):
    """The steps; see the module's docstring."""
    args = parse(argv)
    with when_interrupted(f"files that are whole are in {args.out}; the same command writes all of them anew"):
        return _write_all(args)


def _write_all(args):
    spec = _check(args)
    former = FormerFiles(args.out, "|".join(map(re.escape, WRITTEN)))
    from media.notes import say_notes
    from pipeline.texture.files import write_summary
    from pipeline.texture.frames import Pair
    from pipeline.texture.plot import write_plot

    path = args.image or args.video
    pair = Pair(path, args.generated)
    for info in pair.infos:
        say_notes(info)
    _check_kinds(args, pair, spec)
    examiner = make_examiner(args, spec, pair)
    summary = look_through(args, pair, examiner)
    names = {"real": Path(path).name, **({"generated": Path(args.generated).name} if args.generated else {})}
    write_summary(args.out, summary, spec, {**names, "crop": args.crop})
    report(summary, spec)
    where = "" if pair.is_image else f", frame {summary.shown.index}"
    title = f"{' and '.join(names.values())}{where}: k = {spec.clusters}, m = {spec.compactness:g}"
    write_plot(args.out / f"spatial.{args.format}", summary.shown, title=title, losses=summary.losses)
    stale = former.remove_stale()
    print(f"\nwritten: {', '.join(sorted(file.name for file in args.out.iterdir() if file.is_file()))} in {args.out}")
    if stale:
        print(f"removed, of an earlier run: {', '.join(stale)}")
    return None


def _check(args):
    """Refuse what cannot work before any work begins; TextureSpec."""
    from common.suggest import refuse_unknown
    from faces.detectors import DETECTORS
    from faces.texture import TextureSpec

    refuse_unknown([args.detector], DETECTORS, "--detector")
    for flag, what in (("image", "real picture"), ("video", "real video"), ("generated", "generated picture or video")):
        if getattr(args, flag) is not None:
            require_file(getattr(args, flag), what, pipes=True)
    check_folder(args.out, (*WRITTEN, f"spatial.{args.format}"), (args.image, args.video, args.generated))
    if args.size is not None and not (args.crop and 16 <= args.size <= 1024):
        raise InputError(f"--size {args.size}: goes with --crop, from 16 to 1024 pixels")
    for flag, low in (("frame", 0), ("frames", 1)):
        value = getattr(args, flag)
        if value is not None and value < low:
            raise InputError(f"--{flag} {value}: must be {low} or more")
    return TextureSpec(args.clusters, args.compactness)


def _check_kinds(args, pair, spec):
    """Refuse a video as picture, a picture as video, more clusters than pixels."""
    if args.image and not pair.real.is_image:
        raise InputError(f"--image {args.image}: is a video; give it as --video")
    if args.video and pair.real.is_image:
        raise InputError(f"--video {args.video}: is a picture; give it as --image")
    if not args.crop and spec.clusters > pair.width * pair.height:
        raise InputError(
            f"--clusters {spec.clusters}: more than the {pair.width * pair.height} pixels of {pair.real.path} "
            f"({pair.width}x{pair.height}); give fewer, or a larger picture"
        )


def make_examiner(args, spec, pair):
    """Examiner of the frames, with the face crops that it needs."""
    from pipeline.texture.faces import FaceImprover, RealFaces
    from pipeline.texture.frames import Examiner

    optimises = args.generated is not None and not args.no_optimise
    if not (args.crop or optimises):
        return Examiner(spec)
    try:
        faces = RealFaces(pair.real.path, size=args.size, frames=None if pair.real.is_image else args.frames,
                          detector=args.detector, weights=args.detector_weights)  # fmt: skip
    except InputError as error:
        if args.crop:
            raise
        print(f"   note: no face optimisation: {error}")
        return Examiner(spec)
    if args.crop:
        if spec.clusters > faces.size**2:
            side = f"{faces.size}x{faces.size}"
            raise InputError(f"--clusters {spec.clusters}: more than the {faces.size**2} pixels of the face crop ({side})")
        found = int(faces.track.present.sum())
        print(f"   aligned face crops of {faces.size}x{faces.size} pixels, a face in {found} of {len(faces.track)} frames")
    return Examiner(spec, crop=faces.crop if args.crop else None, improve=FaceImprover(faces, spec) if optimises else None)


def look_through(args, pair, examiner):
    """All frames, one after the other: labels and videos are written as they come; Summary."""
    from itertools import islice

    from pipeline.progress import bar
    from pipeline.texture.files import FrameFiles, Summary

    summary, sound = Summary(), _sound_of(args, pair)
    known = [count for count in (pair.frames, args.frames) if count]
    with (
        FrameFiles(args.out, video=not pair.is_image, fps=pair.fps, sound=sound) as files,
        bar("texture modules", min(known) if known else None) as progress,
    ):
        for index, (real, generated) in enumerate(islice(pair, args.frames)):
            view = examiner.view(index, real, generated)
            files.write(view)
            summary.add(view, args.frame, generated is not None)
            progress.update()
        if not summary.frames:
            raise InputError(f"{pair.real.path}: holds no frame that can be decoded")
        if summary.shown is None:
            raise InputError(f"{pair.real.path}: no face in the {summary.frames} frames that were looked at")
    return summary


def _sound_of(args, pair):
    """Sound and tags that an optimised video takes over from the generated one."""
    from media import decode_audio, read_metadata

    if pair.generated is None or pair.generated.is_image or args.no_optimise:
        return {}
    sound = {"metadata": read_metadata(args.generated)}
    if pair.generated.has_audio:
        audio, rate = decode_audio(args.generated, "generated video")
        if args.frames:
            audio = audio[:, : int(args.frames / pair.fps * rate)]
        sound |= {"audio": audio, "sample_rate": rate}
    return sound


def report(summary, spec):
    """The numbered steps, printed."""
    texture = summary.shown.texture
    high, wide = texture.labels.shape
    seen = summary.frames - summary.without_face
    rows, columns = (len(set(line.tolist())) for line in (texture.blocks[:, 0], texture.blocks[0]))
    print(f"1  texture blocks: {rows} x {columns} of {texture.size:.1f} pixels on {wide}x{high} for k = {spec.clusters}")
    print(f"2  distance of a pixel to the centre of its module: {summary.distance / seen:.2f} in the mean "
          f"(CIELAB; a block's side counts {spec.compactness:g})")  # fmt: skip
    print(f"3  spatial modules: {summary.modules / seen:.1f} in the mean of frames; in frame {summary.shown.index} "
          f"{texture.count}, of {texture.pixels.min()} to {texture.pixels.max()} pixels")  # fmt: skip
    if summary.without_face:
        print(f"   without a face, left out: {summary.without_face} frames")
    if not summary.losses:
        print("4, 5  face optimisation and spatial loss: need --generated")
        return
    before, after = summary.mean_loss(1), summary.mean_loss(2)
    optimised = "not asked for, or no face" if after is None else f"spatial loss {before:.5f} -> {after:.5f}"
    print(f"4  face optimisation: {optimised}")
    print(f"5  spatial loss between real and generated: {before:.5f} in the mean")
    values = [f"{loss:.4f}" if loss is not None else "no face" for _, loss, _ in summary.losses]
    for start in range(0, min(len(values), MOST_LINES * 10), 10):
        print(f"   {start:5d}  " + " ".join(values[start : start + 10]))
    if len(values) > MOST_LINES * 10:
        print("   ... all of them are in loss.json")


if __name__ == "__main__":
    sys.exit(run(main))
