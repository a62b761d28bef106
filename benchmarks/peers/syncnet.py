"""Our LSE beside the public syncnet_python and Wav2Lip's scoring scripts: the same random weights, the same real clips.

    python -m benchmarks.peers.syncnet --syncnet PATH --wav2lip PATH --site DIR CLIP CLIP... [--out results/peers]

PATHs are checkouts of github.com/joonson/syncnet_python and github.com/Rudrabha/Wav2Lip; they are copied, not changed. DIR is
where `pip install --no-deps --target DIR scenedetect==0.5.6.1` has put what run_pipeline.py imports. Clips: more than 100
frames at 25 a second, one face of more than 100 pixels. Parts: networks, MFCC, the crop `whole` (calculate_scores_LRS.py), the
crop `tracked` (run_pipeline.py, then calculate_scores_real_videos.py and run_syncnet.py), and the time of the latter.

The peer writes every frame to a JPEG and the sound to a wav, and looks at these; our score of these very files is held against
its own. Our score of the clip itself, decoded once and not compressed again, stands beside it: the difference is the JPEGs'.
Its face boxes are ours, for no weights of its detector can be had. `--write_golden` keeps what the offline tests compare with.
Exit code 1 when a difference is above its bar.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.material import busy_note, machine
from benchmarks.outputs import write_outputs
from common.cli import EXIT_FAILED_JOB, run
from common.files import atomic_output

BARS = {
    "network": 1e-4, "mfcc": 1e-4, "offset": 0, "distance": 1e-3, "confidence": 1e-3, "boxes": 1e-6, "crops": 0, "speed": 5.0,
}  # fmt: skip


def parse(argv):
    """Command line -> argparse.Namespace."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers.syncnet", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("clips", nargs="+", type=Path, help="real clips with one face")
    add("--syncnet", required=True, type=Path, help="checkout of syncnet_python")
    add("--wav2lip", required=True, type=Path, help="checkout of Wav2Lip")
    add("--site", type=Path, help="folder with scenedetect 0.5")
    add("--ffmpeg", type=Path, help="ffmpeg executable for the peer (default: that on the PATH)")
    add("--rounds", type=int, default=3, help="rounds of the timing (%(default)s)")
    add("--out", type=Path, default=Path("results/peers"), help="name of the outputs, without suffix (%(default)s)")
    add("--write_golden", type=Path, help="write the golden numbers of the offline tests to this .npz")
    return parser.parse_args(argv)


def main(argv):
    """Run all parts; exit code 1 when a figure misses its bar."""
    args = parse(argv)

    from benchmarks.peers import syncnet_report as peers_report
    from benchmarks.peers.syncnet_checkout import SyncNetCheckout
    from benchmarks.peers.syncnet_parts import Side, compare_networks, compare_tracked, compare_whole, golden, time_both

    facts = machine()
    with tempfile.TemporaryDirectory() as folder:
        peer = SyncNetCheckout(args.syncnet, args.wav2lip, folder, site=args.site, ffmpeg=args.ffmpeg)
        side = Side(peer)
        report = {"machine": facts, "clips": [clip.name for clip in args.clips], "networks": compare_networks(side)}
        report["whole"] = [compare_whole(side, clip) for clip in args.clips]
        report["tracked"] = [compare_tracked(side, clip) for clip in args.clips]
        report["speed"] = [time_both(side, args.clips) for _ in range(args.rounds)]
        if args.write_golden:
            with atomic_output(args.write_golden) as temporary, open(temporary, "wb") as file:
                np.savez_compressed(file, **golden(side))
    table = peers_report.markdown(report, BARS)
    write_outputs(args.out, report, table)
    print(table)
    print(busy_note(facts))
    return EXIT_FAILED_JOB if peers_report.missed(report, BARS) else None


if __name__ == "__main__":
    sys.exit(run(main))
