"""Jobs from folders: every face with the sound of its name, one sound for all faces, or one face for all sounds."""

import os
import unicodedata
from pathlib import Path

from common.errors import InputError
from datasets.corpora.clips import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from pipeline.jobs.rows import Failed, JobList, Row
from pipeline.options import OUTPUT_SUFFIXES

DEFAULT_FOLDER = "results"
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".gif", ".heic", ".heif", ".avif", ".jxl",
            ".jp2")  # fmt: skip
VIDEOS = (*VIDEO_SUFFIXES, ".y4m", ".ogv")
SOUNDS = (*AUDIO_SUFFIXES, ".oga", ".wma", ".aif", ".aiff", ".amr", ".ac3", ".mka", ".caf", ".au")


def has_folder(*paths):
    """True where one of the paths that were given is a folder."""
    return any(path and os.path.isdir(path) for path in paths)


def pair_folders(face, audio, outfile=None, *, drive=None, pose=None):
    """Jobs of folders; files in folders below are not looked at, and hidden ones neither.

    A face is a picture or a video by its suffix. A sound is an audio file, or a video of which no audio file bears the name;
    where both flags name one folder, its videos are faces alone. Names agree without their suffix. A result is named as the
    face and the sound are, or as the one of the two that comes from a folder.

    Args:
        face: a file or a folder. audio: a file, a folder, or None with `drive`. One of the two is a folder.
        outfile: the folder for the results, made where it is missing; None for "results".
        drive, pose: one driving video for all faces.

    Returns:
        JobList; a name that two files bear is bad, and files without a partner are among the notes.

    Raises:
        InputError: no file of the kind in a folder, no two names that agree, or an `outfile` that is a file.
    """
    folder = _out_folder(outfile)
    faces = _faces(face) if has_folder(face) else None
    sounds = _sounds(audio, beside=face) if has_folder(audio) else None
    names = sorted(faces if sounds is None else sounds if faces is None else faces.keys() & sounds.keys())
    if not names:
        raise InputError(f"{face}, {audio}: no face and no sound have the same name (faces: {_some(faces)}; sounds: "
                         f"{_some(sounds)}); name them alike, or give one file for all")  # fmt: skip
    rows, bad = [], []
    for number, name in enumerate(names, 1):
        label = f"{face if faces is not None else audio}: {name}"
        if double := [path.name for found in (faces, sounds) if found and len(found[name]) > 1 for path in found[name]]:
            bad.append(Failed(number, label, f"several files of this name ({', '.join(double)}); keep one of them"))
            continue
        one_face = str(faces[name][0]) if faces else face
        one_sound = str(sounds[name][0]) if sounds else audio
        rows.append(Row(number, one_face, one_sound, str(folder / f"{name}.mp4"), drive, pose, label))
    notes = []
    for source, found in ((face, faces), (audio, sounds)):
        if lonely := [path.name for name in sorted(found or ()) if name not in names for path in found[name]]:
            notes.append(f"{source}: without a partner of the same name, left out: {', '.join(lonely)}")
    return JobList(" and ".join(str(path) for path in (face, audio) if path and has_folder(path)), rows, bad, notes)


def _out_folder(outfile):
    folder = Path(outfile or DEFAULT_FOLDER)
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise InputError(f"--outfile {folder}: is a file; with a folder of faces or sounds give a folder")
    if folder.suffix.lower() in OUTPUT_SUFFIXES and not os.path.isdir(folder):
        raise InputError(f"--outfile {folder}: is the name of a file; with a folder of faces or sounds give a folder")
    return folder


def _faces(folder):
    return _required(_by_name(folder, (*PICTURES, *VIDEOS)), folder, "picture or video")


def _sounds(folder, beside):
    sounds = _by_name(folder, SOUNDS)
    if not (has_folder(beside) and os.path.samefile(folder, beside)):
        sounds = {**_by_name(folder, VIDEOS), **sounds}
    return _required(sounds, folder, "audio file")


def _by_name(folder, suffixes):
    """{name without suffix: list of Path} of the files of these kinds."""
    found = {}
    try:
        paths = sorted(path for path in Path(folder).iterdir() if not path.name.startswith(".") and path.is_file())
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    for path in paths:
        if path.suffix.lower() in suffixes:
            found.setdefault(unicodedata.normalize("NFC", path.stem), []).append(path)
    return found


def _required(found, folder, what):
    if not found:
        raise InputError(f"{folder}: no {what} in this folder, by the names; folders below it are not looked at")
    return found


def _some(names, most=3):
    names = sorted(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
