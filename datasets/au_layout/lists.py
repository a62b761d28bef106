"""The lists beside examples of the published layout of action units: which of them train, and of what they were written."""

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from common.errors import InputError
from common.files import atomic_output
from speech.text.files import read_text

SPLITS = ("train", "val", "test")
TABLE = "layout.json"  # ours
FACES = "align_face"  # folder of the faces of an example
_LIST = "align_face_path mfcc_path"


@dataclass(frozen=True)
class Layout:
    """What our writer notes of the examples of a root, by their names, such as "s1/bbaf2n".

    Attributes:
        labels: {name: where the action units come from, see `datasets.action_units`}.
        made_of: {name: digest of what it was made of}.
    """

    labels: dict = field(default_factory=dict)
    made_of: dict = field(default_factory=dict)


def splits_of(root):
    """{name of an example: "train", "val" or "test"} by the lists in a root.

    Lists are text files whose names end in train, val or test, such as grid_test.txt. A line has the path of a folder
    align_face and that of the windows, apart by a blank; the last three parts of the first say which example it is.

    Raises:
        InputError: a line is no such pair, or two lists name one example.
    """
    found = {}
    for path in sorted(Path(root).glob("*.txt")):
        split = next((one for one in SPLITS if path.stem.lower().endswith(one)), None)
        if split is None:
            continue
        for number, line in enumerate(read_text(path, "list of examples").split("\n"), 1):
            parts = PurePosixPath(line.split()[0].replace("\\", "/")).parts if line.split() else ()
            if not line.strip():
                continue
            if len(line.split()) != 2 or len(parts) < 3:
                raise InputError(f"{path}, line {number}: is no line of a list of examples; write {_LIST!r}, such as "
                                 f"s1/bbaf2n/{FACES} s1/bbaf2n/mfcc35")  # fmt: skip
            name = "/".join(parts[-3:-1])
            if found.setdefault(name, split) != split:
                raise InputError(f"{path}, line {number}: {name} is in the list of {found[name]}, too; name it once")
    return found


def read_layout(root):
    """Layout of a root; InputError where its table is broken."""
    path = Path(root, TABLE)
    if not path.is_file():
        return Layout()
    try:
        stored = json.loads(read_text(path, "table of examples"))
        return Layout(*({str(name): str(value) for name, value in stored[key].items()} for key in ("labels", "made_of")))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise InputError(f"{path}: is no table of examples ({error}); remove the file") from error


def write_lists(root, layout, splits, sound):
    """Write the table and train.txt, val.txt and test.txt, of which an empty one is left out.

    Args:
        root: Path; layout: Layout.
        splits: {name of an example: "train", "val" or "test"}; sound: name of the folder of the windows.
    """
    with atomic_output(Path(root, TABLE)) as path:
        text = json.dumps({"labels": layout.labels, "made_of": layout.made_of}, indent=1)
        path.write_text(text + "\n", encoding="utf-8")
    place = Path(root).resolve().as_posix()
    for split in SPLITS:
        names = [name for name, one in splits.items() if one == split]
        if names:
            with atomic_output(Path(root, f"{split}.txt")) as path:
                lines = [f"{place}/{name}/{FACES} {place}/{name}/{sound}" for name in names]
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        else:
            Path(root, f"{split}.txt").unlink(missing_ok=True)
