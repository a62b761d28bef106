"""Drive and measure one network for benchmarks.compare_methods, in a process of its own.

python -m benchmarks.compare_methods.one OUT.json --grid GRID --corpus prepared/faces --folder FOLDER --checkpoint WEIGHTS
python -m benchmarks.compare_methods.one OUT.json --grid GRID --corpus prepared/faces --folder FOLDER     # the real videos
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.compare_methods.clips import Material, choose
from benchmarks.compare_methods.measure import Driven, measure, parameters
from common.cli import run
from common.files import atomic_output
from metrics.networks.load import Networks
from models.devices import choose_device
from pipeline.tracking import TrackStore

JUDGE = Path(__file__).resolve().parents[2] / "checkpoints" / "lip_sync_b.safetensors"


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare_methods.one", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("out", type=Path, help="figures, .json")
    add("--grid", type=Path, required=True)
    add("--corpus", type=Path, required=True, help="prepared corpus that says who is in which split")
    add("--folder", type=Path, required=True, help="where videos, tracks, pictures and silence are kept")
    add("--checkpoint", type=Path, help="network; without it the real videos, and these without motion")
    add("--options", type=json.loads, default={}, help="of the driver, as JSON")
    add("--clips", type=int, default=14, help="of each group (%(default)s)")
    add("--judge", type=Path, default=JUDGE, help="of lip sync")
    add("--reader", type=Path, help="lip reader of words")
    add("--inception_weights", type=Path)
    add("--identity", action="store_true")
    add("--device", default="auto")
    args = parser.parse_args(argv)
    device = str(choose_device(args.device))
    clips = choose(args.corpus, args.grid, args.clips)
    judges = {"expert": args.judge, "inception": args.inception_weights, "word_reader": args.reader}
    networks = Networks.load(**judges, identity=args.identity, device=device)
    driven = None
    if args.checkpoint:
        material = Material(args.folder / "material")
        driven = Driven(
            args.checkpoint, args.options, args.folder / args.out.stem, material, TrackStore(args.folder / "tracks"), device
        )
    found = measure(driven, clips, networks)
    if driven:
        found |= {"seconds": driven.seconds(), "parameters": parameters(args.checkpoint)}
    with atomic_output(args.out) as path:
        path.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run(main))
