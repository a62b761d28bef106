"""The collection of real clips as two folders of people, for prepare.py.

    python -m benchmarks.lipwarp.corpus --media MEDIA --out people
    python prepare.py --corpus folder --root people/talk --out prepared/people $(cat people/flags) --av_offset measure
    python prepare.py --corpus folder --root people/words --out prepared/people --av_offset measure \
        --sound_delay 0.06 --align none

The folders hold links, a folder a person (benchmarks.lipwarp.people). `flags` names who is held out.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.lipwarp.people import LEFT_OUT, LRW_AR, PEOPLE, SINGLE, VALIDATION, held_out
from common.cli import run
from common.errors import InputError
from datasets.corpora.clips import VIDEO_SUFFIXES


def person_of(path):
    """Name of the person of a clip, or None for one that is left out.

    Args:
        path: str, below the collection, without suffix.

    Raises:
        InputError: nobody has said who it is.
    """
    if any(path.startswith(start) for start in LEFT_OUT):
        return None
    if path in PEOPLE:
        return PEOPLE[path]
    for start, name in PEOPLE.items():
        if start.endswith(("/", "*")) and path.startswith(start.rstrip("*")):
            return name
    parts = path.split("/")
    if parts[0] == "grid" or parts[:2] == ["clips2", "grid_more"]:
        return parts[-3]
    for start, prefix in SINGLE.items():
        if path.startswith(start):
            return prefix + parts[-1]
    raise InputError(f"{path}: benchmarks/lipwarp/people.py does not say who this is")


def lay_out(media, out):
    """Make the folders; returns {"talk": clips, "words": clips}."""
    counts = {"talk": 0, "words": 0}
    clusters = _clusters(media / LRW_AR / "words.tsv")
    for path in sorted(path for path in media.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES):
        name = path.relative_to(media).with_suffix("").as_posix()
        if name.startswith(LRW_AR):
            part, person = "words", f"c_lrwar_{clusters.get(path.name, 'unknown')}"
        else:
            part, person = "talk", person_of(name)
        if person is None:
            continue
        folder = out / part / person
        folder.mkdir(parents=True, exist_ok=True)
        _link(folder / path.name, path)
        align = path.parent.parent / "align" / f"{path.stem}.align"
        if align.is_file():
            _link(folder / align.name, align)
        counts[part] += 1
    names = sorted(folder.name for folder in (out / "talk").iterdir())
    missing = sorted({*held_out(), *VALIDATION} - set(names))
    if missing:
        raise InputError(f"{media}: has no clip of {', '.join(missing)}")
    flags = ["--unseen_speakers", ",".join(held_out()), "--val_speakers", ",".join(VALIDATION), "--val_share", "0"]
    (out / "flags").write_text(" ".join(flags) + "\n")
    return counts


def _clusters(table):
    """{file name: rough cluster of faces} of the table beside LRW-AR's clips; {} where there is none."""
    if not table.is_file():
        return {}
    rows = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()[1:])
    return {row[0]: row[1] for row in rows if len(row) > 1}


def _link(link, target):
    link.unlink(missing_ok=True)
    link.symlink_to(target.resolve())


def main(argv):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lipwarp.corpus", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--media", type=Path, required=True, help="the collection")
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    args = parser.parse_args(argv)
    if not args.media.is_dir():
        raise InputError(f"--media {args.media}: is not a folder")
    for part, count in lay_out(args.media, args.out).items():
        people = len(list((args.out / part).iterdir()))
        print(f"{args.out / part}: {count} clips of {people} people")


if __name__ == "__main__":
    sys.exit(run(main))
