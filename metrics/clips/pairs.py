"""Names of generated videos, and which of them belongs to which real one."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from common.errors import InputError
from common.files import require_file
from datasets.corpora import VIDEO_SUFFIXES

SEPARATOR = "__"
_SHOWN = 3
# Marks of the scheme, what some file systems refuse, a second underscore, one at the end, and a point that would hide the file.
_UNSAFE = re.compile(r'[%~\\:*?"<>|\x00-\x1f\x7f]|(?<=_)_|_\Z|(?<![^/])\.')
_LAYOUTS = (
    (re.compile(r"([^/]+)/video/([^/]+)"), r"\1/\2"),  # GRID
    (re.compile(r"(?:volunteers|lipspeakers)/([^/]+)/Clips/straightcam/([^/]+)"), r"\1/\2"),  # TCD-TIMIT
    (re.compile(r"(?:main|test)/([^/]+/[^/]+)"), r"\1"),  # LRS2, LRS3
    (re.compile(r"([^/]+)/test/(\1_[0-9]+)"), r"\2"),  # LRW
)


@dataclass(frozen=True)
class Matched:
    """Generated videos and their real ones.

    Attributes:
        pairs: (name, generated Path, real Path), sorted by name, at least one. `name` is the generated video's; several of
            them may show one real face.
        faces: name of a pair -> name of its real video.
        unpaired: names that were matched by their face part and have a sound part: driven by other sound.
        only_generated, only_real: sorted names without a partner.
    """

    pairs: list
    faces: dict
    unpaired: frozenset
    only_generated: list
    only_real: list


def pair_name(face_id, audio_id=None):
    """Name of a video that shows `face_id` and is driven by `audio_id`: a path below a folder, without suffix.

    "s1/bbaf2n" driven by its own sound is "s1/bbaf2n", driven by "s2/lwae8n" it is "s1/bbaf2n__s2~lwae8n": the folders of the
    face stay folders, those of the sound are written with "~". In both parts these are written as % and two hexadecimal
    digits: "%", "~" and characters that some file systems refuse (backslash : * ? " < > | and control characters), the second
    of two underscores, an underscore beside the separator, and a point that would make a file or folder hidden. So the first
    "__" parts the two, no two pairs share a name, and `parse_name` gives both ids back. Ids without such characters stand as
    they are. An id may hold a point: append a suffix to the name, do not exchange one.

    Args:
        face_id, audio_id: relative paths with forward slashes; None for the face's own sound.
    """
    face = _quote(face_id)
    if audio_id is None:
        return face
    audio = _quote(audio_id).replace("/", "~")
    return face + SEPARATOR + ("%5F" + audio[1:] if audio.startswith("_") else audio)


def parse_name(name):
    """Of what `pair_name` gave: (face id, audio id or None)."""
    face, separator, audio = name.partition(SEPARATOR)
    return unquote(face), unquote(audio.replace("~", "/")) if separator else None


def short_id(name):
    """Path of a clip below its corpus -> the id that lists use: without the folders which are the same for every clip.

    GRID `s1/video/bbaf2n` -> `s1/bbaf2n`; TCD-TIMIT `volunteers/01M/Clips/straightcam/sa1` -> `01M/sa1`; LRS2 and LRS3
    `main|test/<video>/<clip>` -> `<video>/<clip>`; LRW `WORD/test/WORD_00018` -> `WORD_00018`; any other path stays.
    """
    for layout, short in _LAYOUTS:
        if found := layout.fullmatch(name):
            return found.expand(short)
    return name


def match_folders(generated, real):
    """Match two files, or the videos of two folders by name.

    Names are paths below the folder without suffix, so `a/clip.mp4` meets `a/clip.mpg`. Hidden files and files that are not
    videos by their suffix are left out. A generated video belongs to the real one of the same name; failing that, to the one
    whose `short_id` it has; failing that, to the one that `parse_name` reads from it, in either spelling. So the results of a
    pair list (`metrics.clips.protocols`) find their faces again below the list's data root.

    Args:
        generated, real: both files, or both folders.

    Returns:
        Matched.

    Raises:
        InputError: one is a file and the other a folder; something is missing or empty; a name appears twice in a folder; no
            name of the one is found in the other.
    """
    generated, real = Path(generated), Path(real)
    if not generated.is_dir() and not real.is_dir():
        return _match_files(require_file(generated, "generated video"), require_file(real, "real video"))
    for path, what in ((generated, "--generated"), (real, "--real")):
        if not path.exists():
            raise InputError(f"{path}: no such folder ({what})")
        if not path.is_dir():
            raise InputError(f"{path}: is a file, but the other one is a folder; give two files or two folders ({what})")
    made, truth = videos_below(generated), videos_below(real)
    known = _spellings(truth)
    faces, unpaired = {}, set()
    for name in sorted(made):
        face, audio = parse_name(name)
        if name in known:
            faces[name] = known[name]
        elif face in known:
            faces[name] = known[face]
            if audio is not None:
                unpaired.add(name)
    if not faces:
        raise InputError(f"no generated video has the name of a real one (path below the folder, without suffix): "
                         f"{generated} holds {_some(made)}; {real} holds {_some(truth)}")
    pairs = [(name, made[name], truth[face]) for name, face in faces.items()]
    return Matched(pairs, faces, frozenset(unpaired), sorted(set(made) - set(faces)), sorted(set(truth) - set(faces.values())))


def _match_files(generated, real):
    face, audio = parse_name(generated.stem)
    other = audio is not None and face == real.stem
    return Matched([(real.stem, generated, real)], {real.stem: real.stem}, frozenset({real.stem} if other else ()), [], [])


def folder_name(text):
    """A text as the name of one folder; no two texts share one."""
    return _quote(text).replace("/", "%2F")


def _quote(part):
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", part)


def _spellings(truth):
    """Name or short id -> name; a short id that two names share leads to neither."""
    short = {}
    for name in truth:
        short.setdefault(short_id(name), []).append(name)
    return {spelling: names[0] for spelling, names in short.items() if len(names) == 1} | {name: name for name in truth}


def _some(names):
    shown = sorted(names)[:_SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def videos_below(folder):
    """{path below the folder without suffix: Path} of its videos, sorted; hidden files are left out.

    Raises:
        InputError: there is none, or two have one name.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix.lower() not in VIDEO_SUFFIXES or not path.is_file() or any(p.startswith(".") for p in inside.parts):
            continue
        name = inside.with_suffix("").as_posix()
        if name in found:
            raise InputError(f"{path}: has the same name as {found[name]}; keep one of the two in this folder")
        found[name] = path
    if not found:
        raise InputError(f"{folder}: holds no video ({', '.join(VIDEO_SUFFIXES)})")
    return found
