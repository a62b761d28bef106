"""The published layout of speech action units on disk: one example is 50 frames of one clip.

    <root>/<speaker>/<clip>/align_face/{0..49}.jpg    square faces; the published script writes 128 x 128 pixels
    <root>/<speaker>/<clip>/align_face/{0..49}.csv    of OpenFace's FaceLandmarkImg -aus for that picture: a row a face
    <root>/<speaker>/<clip>/align_face/{0..49}.lms    68 lines "x y", landmarks in pixels of that picture, as np.savetxt writes
    <root>/<speaker>/<clip>/mfcc35/mfcc.npy           float64 (n, 12, 35, 1), n >= 50: a window for each face; also mfcc32
    <root>/<speaker>/<clip>/identity_image/0.jpg      the first face
    <root>/<speaker>/<clip>/<clip>.wav                the sound; the published loader does not read it

Facts of the published code: face i is frame i + 4 of the video. Window i has columns 4 i to 4 i + 34 of `speech.mfcc.SYNCNET`;
its middle lies 2.5 ms behind that of the face. Networks see columns 3 to 27 of the 35. The loader takes units by the number of
the column, of the first row of a csv. The README names mfcc32, which no published script writes; that its windows begin at
column 4 i, too, is inferred.
"""

import hashlib
import re
import wave

import numpy as np

from common.action_units import UNITS
from common.errors import InputError
from common.files import atomic_output, require_file
from datasets.au_layout.lists import FACES
from datasets.corpora.clips import folders_in
from datasets.fields.speech import FEWEST_WIDE

IDENTITY, SOUND = "identity_image", "mfcc.npy"
DROPPED, FRAMES = 4, 50  # frames before the first face; faces of an example
COLUMNS, COEFFICIENTS = 35, 12
QUALITY = 95  # of the JPEG files
LANDMARKS = 68
_OTHERS_R = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)  # units of which OpenFace tells the intensity
_OTHERS_C = (*_OTHERS_R[:-1], 28, 45)  # and the presence
_HEAD = ("face", "confidence", *(f"AU{unit:02d}_r" for unit in _OTHERS_R), *(f"AU{unit:02d}_c" for unit in _OTHERS_C))
_LARGEST = 1e5  # a mean coefficient above it is damage


def read_face(path):
    """(S, S, 3) uint8 RGB of one picture; InputError: missing, damaged, or no square."""
    from media.pictures.kinds import damaged, open_picture
    from media.pictures.stills import still_to_rgb

    with open_picture(require_file(path, "face")) as image:
        if image is None:
            raise damaged(path, "no picture")
        face = still_to_rgb(image, path)[0]
    if face.shape[0] != face.shape[1]:
        raise InputError(f"{path}: the face has {face.shape[1]} x {face.shape[0]} pixels, a square is needed")
    return face


def read_landmarks(path):
    """(68, 2) float64 of one .lms; InputError: missing, or not 68 pairs of finite numbers."""
    words = require_file(path, "landmarks").read_text(encoding="utf-8", errors="replace").split()
    try:
        points = np.array(words, np.float64)
    except ValueError:
        points = np.zeros(0)
    if points.shape != (2 * LANDMARKS,) or not np.isfinite(points).all():
        raise InputError(f"{path}: holds no {LANDMARKS} lines of two numbers; find the landmarks of that picture again")
    return points.reshape(LANDMARKS, 2)


def windows_of(folder):
    """Path of the windows of an example: mfcc35/mfcc.npy or the like; the one with the most columns.

    Raises:
        InputError: there is none.
    """
    found = [(int(name[1]), one) for one in folders_in(folder) if (name := re.fullmatch(r"mfcc([0-9]+)", one.name))]
    if not found:
        raise InputError(f"{folder}: has no folder mfcc{COLUMNS} with {SOUND}")
    return max(found)[1] / SOUND


def read_windows(path):
    """(n, W, 12) float64, time x coefficient, of a mfcc.npy.

    Raises:
        InputError: missing, no array of windows (n, 12, W) or (n, 12, W, 1), W of 32 or more, or values that are no
            coefficients.
    """
    try:
        windows = np.load(require_file(path, "windows of MFCC"), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{path}: is no array of numpy ({error})") from error
    if windows.ndim == 4 and windows.shape[3] == 1:
        windows = windows[..., 0]
    if windows.ndim != 3 or windows.shape[1] != COEFFICIENTS or windows.shape[2] < FEWEST_WIDE or windows.dtype.kind != "f":
        raise InputError(f"{path}: holds {windows.dtype} {windows.shape}, windows (n, {COEFFICIENTS}, {COLUMNS}, 1) of float64 "
                         "are needed")  # fmt: skip
    if not np.isfinite(windows).all() or not abs(windows.mean()) < _LARGEST:
        raise InputError(f"{path}: the windows of MFCC hold values that are no coefficients")
    return np.ascontiguousarray(windows.transpose(0, 2, 1), np.float64)


def read_example(folder):
    """Faces, landmarks and windows of one example; frames are those from 0.jpg on, without a gap.

    Returns:
        faces: (F, S, S, 3) uint8 RGB; landmarks: (F, 68, 2) float64 in pixels of the faces, pixel centres at whole numbers;
        windows: (F, W, 12) float64; SHA-256 of the files' bytes, 64 digits.

    Raises:
        InputError: a file is missing or damaged, faces of different sizes, or fewer windows than faces.
    """
    count = 0
    while (folder / FACES / f"{count}.jpg").is_file():
        count += 1
    if not count:
        raise InputError(f"{folder / FACES / '0.jpg'}: no such file (face)")
    faces, landmarks, digest, sound = [], [], hashlib.sha256(), windows_of(folder)
    for number in range(count):
        paths = [folder / FACES / f"{number}.{kind}" for kind in ("jpg", "lms")]
        faces.append(read_face(paths[0]))
        landmarks.append(read_landmarks(paths[1]))
        if faces[-1].shape != faces[0].shape:
            raise InputError(f"{paths[0]}: the face has another size than the first one; all of an example have one size")
        for path in paths:
            digest.update(path.read_bytes())
    windows = read_windows(sound)
    if len(windows) < count:
        raise InputError(f"{sound}: has fewer windows than there are faces ({len(windows)}, {count})")
    digest.update(sound.read_bytes())
    return np.stack(faces), np.stack(landmarks), windows[:count], digest.hexdigest()


def write_example(folder, faces, landmarks, units, windows, waveform):
    """Write one example, each file whole or not at all.

    Args:
        folder: Path of the example.
        faces: (50, S, S, 3) uint8 RGB; landmarks: (50, 68, 2) float in their pixels.
        units: (present (50, 5), intensity (50, 5), known (50,)); other units of a csv are 0, `confidence` is 0 where the units
            are not known.
        windows: (50, 35, 12) float, time x coefficient.
        waveform: (n,) int16, 16 kHz.
    """
    from PIL import Image

    for number, face in enumerate(faces):
        names = [folder / FACES / f"{number}.jpg"] + ([folder / IDENTITY / "0.jpg"] if number == 0 else [])
        for name in names:
            with atomic_output(name) as path:
                Image.fromarray(face).save(path, quality=QUALITY, subsampling=0)
        with atomic_output(folder / FACES / f"{number}.lms") as path:
            np.savetxt(path, landmarks[number], "%f")
        with atomic_output(folder / FACES / f"{number}.csv") as path:
            path.write_text(_csv(*(one[number] for one in units)), encoding="utf-8")
    with atomic_output(folder / f"{folder.name}.wav") as path, open(path, "wb") as raw, wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.ascontiguousarray(waveform, "<i2").tobytes())
    with atomic_output(folder / f"mfcc{COLUMNS}" / SOUND) as path, open(path, "wb") as file:
        np.save(file, np.ascontiguousarray(windows.transpose(0, 2, 1)[..., None], "<f8"))


def is_whole(folder):
    """Whether all files of an example are there."""
    files = [folder / FACES / f"{number}.{kind}" for number in range(FRAMES) for kind in ("jpg", "csv", "lms")]
    files += [folder / IDENTITY / "0.jpg", folder / f"mfcc{COLUMNS}" / SOUND, folder / f"{folder.name}.wav"]
    return all(path.is_file() for path in files)


def _csv(present, intensity, known):
    """Text of the csv of one face, as FaceLandmarkImg writes it."""
    told = {f"AU{unit:02d}_r": f"{value:.2f}" for unit, value in zip(UNITS, intensity, strict=True)}
    told |= {f"AU{unit:02d}_c": f"{value:.2f}" for unit, value in zip(UNITS, present, strict=True)}
    told |= {"face": "0", "confidence": "0.98" if known else "0.00"}
    return ",".join(_HEAD) + "\n" + ",".join(told.get(name, "0.00") for name in _HEAD) + "\n"
