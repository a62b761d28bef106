"""The lists beside examples of the published layout of DAVS, which are ours: words of the classes, whose each example is."""

from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.files import atomic_output
from speech.text.files import read_text

SPLITS = ("train", "val", "test")
FACES = "align_face256"  # folder of the faces of an example
WORDS, CLIPS = "words.txt", "clips.tsv"
_HEAD = "example\tspeaker\tclip\tframe\tmade_of"
_OLD_HEAD = "example\tspeaker\tclip\tframe"


@dataclass(frozen=True)
class Example:
    """One example that is written, and where it is from.

    Attributes:
        name: of its folder, such as "train/7/0".
        speaker: who speaks; clip: id of the prepared clip; frame: its frame that is frame 0 of the example.
        made_of: digest of the clip's source and of how it was prepared, see `datasets.davs.writing`; "" in tables that were
            written before this was noted.
    """

    name: str
    speaker: str
    clip: str
    frame: int
    made_of: str = ""


def words_of(root, classes):
    """Words of the classes of a root, in order.

    Args:
        root: Path; classes: numbers of the classes whose folders are there.

    Returns:
        tuple of str: the lines of words.txt; without that file the numbers themselves, from 0 to the largest.

    Raises:
        InputError: words.txt is no text, has an empty line or a word twice, or too few lines.
    """
    path, largest = Path(root, WORDS), max(classes, default=-1)
    if not path.is_file():
        return tuple(str(number) for number in range(largest + 1))
    words = [line.strip() for line in read_text(path, "list of words").rstrip().split("\n")]
    for number, word in enumerate(words):
        if not word or word in words[:number]:
            fault = f"{word!r} stands in it twice" if word else "is empty"
            raise InputError(f"{path}: line {number + 1}: {fault}; write a word a line, each once, in the order of the classes")
    if len(words) <= largest:
        raise InputError(f"{path}: names {len(words)} words, and there is a folder of class {largest}; classes are counted "
                         "from 0, one line each")  # fmt: skip
    return tuple(words)


def speakers_of(root):
    """dict of name of an example -> speaker, from clips.tsv; {} without that file.

    Raises:
        InputError: the file is no such table.
    """
    return {example.name: example.speaker for example in read_clips(root)}


def read_clips(root):
    """Examples that clips.tsv names, as a list; [] without that file; InputError where it is no such table."""
    path = Path(root, CLIPS)
    if not path.is_file():
        return []
    head, *lines = read_text(path, "table of examples").rstrip("\n").split("\n")
    rows = [line.split("\t") for line in lines]
    columns = len(head.split("\t"))
    bad = next((number for number, row in enumerate(rows, 2) if len(row) != columns or not row[3].isdecimal()), None)
    if head not in (_HEAD, _OLD_HEAD) or bad:
        raise InputError(f"{path}: line {bad or 1} is no row of a table of examples ({_HEAD.replace(chr(9), ', ')}, apart by "
                         "tabs); mend or remove the file")  # fmt: skip
    return [Example(name, speaker, clip, int(frame), *made_of) for name, speaker, clip, frame, *made_of in rows]


def write_lists(root, words, examples):
    """Write words.txt and clips.tsv."""
    rows = ["\t".join((one.name, one.speaker, one.clip, str(one.frame), one.made_of)) for one in examples]
    for name, lines in ((WORDS, words), (CLIPS, [_HEAD, *rows])):
        with atomic_output(Path(root, name)) as path:
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
