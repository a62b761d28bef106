"""The published layout of DAVS on disk: one example is one spoken word of 29 frames.

    <root>/<train|val|test>/<class number>/<video number>/align_face256/{0..28}.jpg    faces of 260 x 260 pixels
    <root>/<train|val|test>/<class number>/<video number>/mfcc20/{2..26}.bin           float64, 20 x 12: time x coefficient
    <root>/words.txt     ours: a word a line; the number of the line, from 0, is that of the class
    <root>/clips.tsv     ours: of which clip and person each example is

The published code reads both folders of an example and nothing else. It takes the middle 256 of the 260 pixels, in training any
256 of them.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import atomic_output, require_file
from speech.text.files import read_text

SPLITS = ("train", "val", "test")
FACES, SOUNDS = "align_face256", "mfcc20"
FRAMES = 29
HEARD = range(2, 27)  # frames that have a window of MFCC
SIDE, CENTRE = 260, 256  # pixels of a stored face, and of the part of it that networks see
COLUMNS, COEFFICIENTS = 20, 12
QUALITY = 95  # of the JPEG files
WORDS, CLIPS = "words.txt", "clips.tsv"
_HEAD = "example\tspeaker\tclip\tframe"
_LARGEST = 1e5  # a mean coefficient above it is damage, as in the published code


@dataclass(frozen=True)
class Example:
    """One example that is written, and where it is from.

    Attributes:
        name: of its folder, such as "train/7/0".
        speaker: who speaks; clip: id of the prepared clip; frame: its frame that is frame 0 of the example.
    """

    name: str
    speaker: str
    clip: str
    frame: int


def read_face(path):
    """(260, 260, 3) uint8 RGB of one picture; InputError: missing, damaged, or of another size."""
    from media.pictures.kinds import damaged, open_picture
    from media.pictures.stills import still_to_rgb

    with open_picture(require_file(path, "face")) as image:
        if image is None:
            raise damaged(path, "no picture")
        face = still_to_rgb(image, path)[0]
    if face.shape != (SIDE, SIDE, 3):
        raise InputError(f"{path}: the face has {face.shape[1]} x {face.shape[0]} pixels, {SIDE} x {SIDE} are needed")
    return face


def read_window(path):
    """(20, 12) float64, time x coefficient, of one window; InputError: missing, of another length, or no coefficients."""
    path = require_file(path, "window of MFCC")
    if (size := path.stat().st_size) != 8 * COLUMNS * COEFFICIENTS:
        raise InputError(f"{path}: the window of MFCC has {size} bytes, {8 * COLUMNS * COEFFICIENTS} are needed")
    window = np.fromfile(path, "<f8").reshape(COLUMNS, COEFFICIENTS)
    if not np.isfinite(window).all() or not abs(window.mean()) < _LARGEST:
        raise InputError(f"{path}: the window of MFCC holds values that are no coefficients")
    return window


def read_example(folder):
    """Frames 2 to 26 of one example.

    Args:
        folder: Path of the example.

    Returns:
        faces: (25, 260, 260, 3) uint8 RGB; windows: (25, 20, 12) float64; SHA-256 of the files' bytes, 64 digits.

    Raises:
        InputError: a file is missing or damaged; the message names the first one.
    """
    faces, windows, digest = [], [], hashlib.sha256()
    for number in HEARD:
        paths = folder / FACES / f"{number}.jpg", folder / SOUNDS / f"{number}.bin"
        faces.append(read_face(paths[0]))
        windows.append(read_window(paths[1]))
        for path in paths:
            digest.update(path.read_bytes())
    return np.stack(faces), np.stack(windows), digest.hexdigest()


def write_example(folder, faces, windows):
    """Write one example, each file whole or not at all.

    Args:
        folder: Path of the example.
        faces: (29, 260, 260, 3) uint8 RGB; windows: (25, 20, 12) float, time x coefficient, of frames 2 to 26.
    """
    from PIL import Image

    for number, face in enumerate(faces):
        with atomic_output(folder / FACES / f"{number}.jpg") as path:
            Image.fromarray(face).save(path, quality=QUALITY, subsampling=0)
    for number, window in zip(HEARD, windows, strict=True):
        with atomic_output(folder / SOUNDS / f"{number}.bin") as path:
            np.ascontiguousarray(window, "<f8").tofile(path)


def is_whole(folder):
    """Whether all files of an example are there."""
    files = [*(folder / FACES / f"{number}.jpg" for number in range(FRAMES)), *(folder / SOUNDS / f"{number}.bin"
             for number in HEARD)]  # fmt: skip
    return all(path.is_file() for path in files)


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
    bad = next((number for number, row in enumerate(rows, 2) if len(row) != 4 or not row[3].isdecimal()), None)
    if head != _HEAD or bad:
        raise InputError(f"{path}: line {bad or 1} is no row of a table of examples ({_HEAD.replace(chr(9), ', ')}, apart by "
                         "tabs); mend or remove the file")  # fmt: skip
    return [Example(name, speaker, clip, int(frame)) for name, speaker, clip, frame in rows]


def write_lists(root, words, examples):
    """Write words.txt and clips.tsv."""
    rows = ["\t".join((one.name, one.speaker, one.clip, str(one.frame))) for one in examples]
    for name, lines in ((WORDS, words), (CLIPS, [_HEAD, *rows])):
        with atomic_output(Path(root, name)) as path:
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
