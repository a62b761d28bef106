"""Measure generated videos against the real ones: SSIM, PSNR, mouth landmark distance, correlation of mouth opening.

    python evaluate.py --generated results/clip.mp4 --real clip.mp4
    python evaluate.py --generated results/ --real videos/ --out results/table

Two folders are paired by file name. Beside the generated videos the table has two rows to compare with: "copy", the first frame
of the real video held still, and "real", the real video against itself. Writes OUT.json and OUT.csv and prints the table.
Exit code 0; 2 when the input cannot be used; 1 when some pairs of a folder failed (the reasons are printed and stored).
"""

import argparse
import sys
from pathlib import Path

from common import cli
from common.errors import InputError


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(prog="evaluate.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--generated", required=True, type=Path, help="generated video, or folder of them")
    parser.add_argument("--real", required=True, type=Path, help="real video, or folder of them with the same names")
    parser.add_argument("--out", type=Path, default=Path("results/table"), help="writes OUT.json and OUT.csv (%(default)s)")
    parser.add_argument("--detector", default="mediapipe", help="mediapipe or face-alignment (%(default)s)")
    parser.add_argument("--device", default="cpu", help="where face-alignment runs (%(default)s)")
    parser.add_argument("--detector_weights", type=Path, help="folder with face-alignment's weight files")
    parser.add_argument("--frames", type=int, help="compare the first so many frames of each pair only")
    parser.add_argument("--face_size", type=int, default=96, help="side of the face crop in pixels (%(default)s)")
    parser.add_argument("--face_index", type=int, help="which face of the real video, from the left, from 0 (largest)")
    return parser.parse_args(argv)


def main(argv):
    """Pair, compare, report; see the module's docstring."""
    args = parse(argv)
    if args.frames is not None and args.frames < 1:
        raise InputError(f"--frames {args.frames}: must be at least 1")
    if not 32 <= args.face_size <= 1024:
        raise InputError(f"--face_size {args.face_size}: must be between 32 and 1024")
    if args.out.is_dir():
        raise InputError(f"--out {args.out}: is a folder; give the name of the table, without suffix, such as {args.out}/table")

    from faces.detectors import build_detector
    from faces.track import FaceSelection
    from metrics.pairs import pair_videos
    from metrics.report import build_report, format_table, write_report

    pairs = pair_videos(args.generated, args.real)
    selection = FaceSelection(index=args.face_index)
    detector = build_detector(args.detector, device=args.device, weights=args.detector_weights)
    try:
        results, failed = compare_pairs(pairs, detector, args, selection)
    finally:
        detector.close()
    protocol = {"detector": f"{detector.name} {detector.version}", "face_size": args.face_size, "first_frames": args.frames}
    report = build_report(results, failed, protocol)
    paths = write_report(report, args.out)
    print(format_table(report))
    print(f"written: {paths[0]} and {paths[1]}")
    return cli.EXIT_FAILED_JOB if failed else cli.EXIT_OK


def compare_pairs(pairs, detector, args, selection):
    """Compare all pairs; one that cannot be compared does not stop the others, unless it is the only one or all fail."""
    from tqdm import tqdm

    from metrics.compare import compare_videos

    results, failed = [], []
    options = {"face_size": args.face_size, "frames": args.frames, "selection": selection}
    for name, generated, real in tqdm(pairs, unit="clip", disable=len(pairs) == 1 or not sys.stderr.isatty()):
        try:
            result = compare_videos(generated, real, detector, **options)
        except InputError as error:
            if len(pairs) == 1:
                raise
            print(f"{name}: {error}", file=sys.stderr)
            failed.append((name, str(error)))
            continue
        results.append((name, generated, real, result))
    if not results:
        raise InputError(f"none of the {len(pairs)} pairs could be compared; the first: {failed[0][1]}")
    return results, failed


if __name__ == "__main__":
    sys.exit(cli.run(main))
