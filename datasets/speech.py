"""Speech features beside the prepared clips, of the clip's own voice and of changed ones; datasets.preparing.speech makes them.

A side file `speech/<id>` holds, for a clip of N frames of 25 a second:

    voice_0 (N + 2 * 16, 288) float16: speech.features "embedding" of the clip's own sound, from frame -16 on
    voice_1, voice_2, ... (M + 2 * 16, 288) float16: of changed voices (speech.voices), on their own time axes
    mel_1, mel_2, ... (80, m) float16: their mels; that of the clip's own sound stands in the clip itself
    speeds (V + 1,) float64: frame j of voice v is heard at frame j * speeds[v] of the clip; speeds[0] is 1
"""

from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from datasets.clip_files import read_side, side_path
from speech.features import FRAME_RATE

KIND = "speech"
VERSION = 1  # of what is stored, and of how voices are changed
MARGIN = 16  # frames before the clip and after it


@dataclass(frozen=True)
class Voice:
    """Whose sound a window is heard with.

    Attributes:
        number: of the voice in the side file; 0 is the clip's own.
        speed: frame j of the voice is frame j * speed of the clip.
        frames: of the voice.
    """

    number: int
    speed: float
    frames: int


def parameters_of(row, voices):
    """dict of what decides the speech features of a clip: its sound, too, which may have been moved since."""
    sound = [row.sound_begins, row.sound_delay, row.av_corrected]
    known = {"version": VERSION, "voices": int(voices), "margin": MARGIN}
    return {**known, "source_hash": row.source_hash, "frames": row.frames, "sound": sound}


class SpeechFile:
    """The side file of one clip.

    Args:
        folder: of the prepared corpus; row: datasets.prepared.ClipRow.

    Attributes:
        voices: tuple of Voice, the clip's own first.

    Raises:
        InputError: it is missing or out of date; the message says how to make it.
    """

    def __init__(self, folder, row):
        path = side_path(folder, KIND, row.id)
        if not path.is_file():
            raise InputError(f"{folder}: {row.id} has no speech features; run  {command(folder)}")
        self._arrays, notes = read_side(folder, KIND, row.id)
        stored, speeds = notes["parameters"], self._arrays.get("speeds", ())
        if stored != parameters_of(row, stored.get("voices", 0)):
            raise InputError(f"{folder}: the speech features of {row.id} are out of date; run  {command(folder)}")
        names = [*(f"voice_{one}" for one in range(len(speeds))), *(f"mel_{one}" for one in range(1, len(speeds)))]
        if not names or any(name not in self._arrays for name in names) or len(self.embedding(0)) != row.frames + 2 * MARGIN:
            raise InputError(f"{path}: not the speech features of {row.frames} frames; remove it and run  {command(folder)}")
        self.voices = tuple(
            Voice(number, float(speed), len(self.embedding(number)) - 2 * MARGIN) for number, speed in enumerate(speeds)
        )

    def embedding(self, voice):
        """(frames + 2 MARGIN, 288) float16 of a voice, by number; row 0 is frame -MARGIN."""
        return self._arrays[f"voice_{voice}"].view(np.ndarray)

    def mel(self, voice):
        """(80, m) float16 of a changed voice, by number."""
        return self._arrays[f"mel_{voice}"].view(np.ndarray)


def check_speech(folder, rows, *, stored=True):
    """InputError where clips cannot give speech features; looks at the names of files alone.

    Args:
        folder: of the prepared corpus; rows: ClipRows; stored: whether side files are needed.
    """
    if other := [row for row in rows if row.fps != FRAME_RATE]:
        raise InputError(f"{folder}: holds clips of {other[0].fps:g} frames a second, speech features have {FRAME_RATE}; "
                         f"prepare them with --fps {FRAME_RATE}")  # fmt: skip
    missing = [row.id for row in rows if stored and not side_path(folder, KIND, row.id).is_file()]
    if missing:
        raise InputError(f"{folder}: {len(missing)} of {len(rows)} clips have no speech features; run  {command(folder)}")


def command(folder):
    """The command that makes the speech features of a prepared corpus."""
    return f"python prepare.py --out {folder} --speech_features"
