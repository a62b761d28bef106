"""What a second judge of sync, by pixels, says of videos that are there; in a process of its own.

    python -m benchmarks.compare_methods.second OUT.json --expert EXPERT --grid GRID --corpus prepared/faces --videos OWN
    python -m benchmarks.compare_methods.second OUT.json --expert EXPERT --grid GRID --corpus prepared/faces    # real videos
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.compare_methods.clips import choose, file_name
from common.cli import run
from common.errors import InputError
from common.files import atomic_output
from faces.detectors import build_detector
from media import decode_audio
from metrics.footage import open_footage
from metrics.sync.judges import load_judge
from metrics.sync.video import judge_video


def judged(path, detector, expert):
    """Figures of one video; {} where it has none, because a face or the sound is too short."""
    try:
        score = judge_video(open_footage(path, detector), decode_audio(path, "video"), expert).score
    except InputError:
        return {}
    return {"expert_distance": score.distance, "expert_confidence": score.confidence, "expert_offset": score.offset}


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare_methods.second", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("out", type=Path, help="figures, .json")
    add("--expert", type=Path, required=True, help="judge of lip sync")
    add("--grid", type=Path, required=True)
    add("--corpus", type=Path, required=True, help="prepared corpus that says who is in which split")
    add("--clips", type=int, default=14, help="of each group (%(default)s)")
    add("--videos", type=Path, help="folder of the videos of a network; without it the real ones")
    args = parser.parse_args(argv)
    expert, detector, found = load_judge(args.expert), build_detector("mediapipe"), {}
    for clip in choose(args.corpus, args.grid, args.clips):
        path = args.videos / file_name(clip, ".mp4") if args.videos else clip.video
        found[clip.id] = judged(path, detector, expert) if path.is_file() else {}
    detector.close()
    with atomic_output(args.out) as path:
        path.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run(main))
