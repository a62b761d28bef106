"""Who is driven by what: clips of two groups, four ways each."""

import wave
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from common.errors import InputError
from common.files import atomic_output
from datasets.corpora import list_clips
from datasets.prepared import PreparedCorpus
from media import VideoReader, probe
from metrics.clips.protocols import derangement

GROUPS = {"test": "held-out sentences of known people", "unseen": "people never seen"}
WAYS = {  # key: (protocol of metrics.rows, what it is)
    "own": ("paired", "the video of the person, driven by its own sound"),
    "other": ("unpaired", "the same video, driven by the sound of another clip (control: swapped)"),
    "silent": ("unpaired", "the same video, driven by silence (control)"),
    "portrait": ("paired", "the first frame of the video alone, driven by the video's own sound"),
}
RATE = 16000


@dataclass(frozen=True)
class Clip:
    """One real clip: its id, the key of its group, the video, and the clip whose sound drives it in the way "other"."""

    id: str
    group: str
    video: Path
    other: Path


def choose(corpus, grid, count):
    """Clips of each group, spread evenly over the list that is sorted by id.

    Args:
        corpus: folder of a prepared corpus, which says who is in which split; grid: folder of GRID.
        count: of each group at most.

    Raises:
        InputError: a group of fewer than two clips.
    """
    videos = {source.id: source.path for source in list_clips("grid", grid)}
    chosen = []
    for group, words in GROUPS.items():
        ids = sorted(row.id for row in PreparedCorpus.open_folder(corpus).split(group) if row.id in videos)
        if len(ids) < 2:
            raise InputError(f"--grid {grid}: has {len(ids)} clips of {words}; two or more are needed")
        some = min(count, len(ids))
        ids = [ids[at * len(ids) // some] for at in range(some)]
        other = derangement(ids, 0)
        chosen += [Clip(one, group, Path(videos[one]), Path(videos[other[one]])) for one in ids]
    return chosen


def file_name(clip, suffix):
    """Name of a file that belongs to a clip, in a folder of its kind."""
    return clip.id.replace("/", "_") + suffix


class Material:
    """What drives and is driven, made once: pictures and silence.

    Args:
        folder: where they are kept.
    """

    def __init__(self, folder):
        self._folder = Path(folder)

    def face_and_sound(self, clip, way):
        """(face, sound) paths of a clip in one of WAYS."""
        if way == "silent":
            return clip.video, self._silence(clip)
        if way == "portrait":
            return self._picture(clip), clip.video
        return clip.video, clip.other if way == "other" else clip.video

    def _picture(self, clip):
        path = self._place(clip, ".png")
        if not path.is_file():
            frame = next(iter(VideoReader(clip.video)))
            with atomic_output(path) as temporary:
                cv2.imwrite(str(temporary), frame[..., ::-1])
        return path

    def _silence(self, clip):
        path = self._place(clip, ".wav")
        if not path.is_file():
            samples = np.zeros(int(RATE * probe(clip.video).seconds), np.int16)
            with atomic_output(path) as temporary, wave.open(str(temporary), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(RATE)
                file.writeframes(samples.tobytes())
        return path

    def _place(self, clip, suffix):
        path = self._folder / file_name(clip, suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
