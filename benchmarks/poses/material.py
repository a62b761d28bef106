"""Real clips, and the known ways in which their faces are turned, scaled and moved out of the middle."""

from dataclasses import dataclass
from itertools import islice

import numpy as np

from common.errors import InputError
from faces.landmarks import LEFT_EYE, RIGHT_EYE

EXTENSIONS = (".mp4", ".mpg", ".avi", ".mkv", ".mov", ".webm")
WIDTH, HEIGHT = 640, 480
EYES = 46.0  # pixels between the eye centres at scale 1: a face of about 110 pixels
MIDDLE = (0.5, 0.45)  # where the face lies, as shares of width and height: half-way from the eyes to the chin
BELOW_EYES = 0.6  # eye distances from the eyes to that point
SWING = 2.0  # seconds from side to side and back
LOOK_FIRST = 50  # frames in which the face must show once


@dataclass(frozen=True)
class Pose:
    """How the camera is held.

    Attributes:
        name: in the table.
        roll: degrees, clockwise on the screen.
        scale: of the face.
        place: where the face lies, shares of the frame's width and height.
        sway: degrees by which the roll swings to both sides, once in SWING seconds, and the scale by 15 %.
        aim: counts towards the success rate that is asked for.
    """

    name: str
    roll: float = 0.0
    scale: float = 1.0
    place: tuple[float, float] = MIDDLE
    sway: float = 0.0
    aim: bool = True

    def matrix(self, seconds=0.0):
        """(2, 3) float64: offsets from the clip's face, in eye distances -> pixels of the frame, at a time."""
        swing = np.sin(2 * np.pi * seconds / SWING) if self.sway else 0.0
        angle = np.deg2rad(self.roll + self.sway * swing)
        size = EYES * self.scale * (1 + (0.15 * swing if self.sway else 0.0))
        a, b = size * np.cos(angle), size * np.sin(angle)
        return np.array([[a, -b, self.place[0] * WIDTH], [b, a, self.place[1] * HEIGHT]])


UPRIGHT = Pose("upright")
POSES = (
    *(Pose(f"roll {sign * roll:+d}", roll=sign * roll) for roll in (10, 20, 30, 40) for sign in (1, -1)),
    Pose("scale 0.5", scale=0.5),
    Pose("scale 2", scale=2.0),
    Pose("roll +40, scale 0.5", roll=40, scale=0.5),
    Pose("roll -40, scale 0.5", roll=-40, scale=0.5),
    Pose("roll +40, scale 2", roll=40, scale=2.0),
    Pose("roll -40, scale 2", roll=-40, scale=2.0),
    Pose("swinging to 40", sway=40),
    Pose("at the left border", place=(0.07, 0.45)),
    Pose("at the upper border", place=(0.5, 0.08)),
    Pose("in a corner below, roll +30", roll=30, place=(0.9, 0.87)),
    Pose("roll +60", roll=60, aim=False),
    Pose("roll -90", roll=-90, aim=False),
    Pose("upside down", roll=180, aim=False),
)
QUICK_POSES = tuple(pose for pose in POSES if pose.name in ("roll +20", "roll -40", "scale 0.5"))


@dataclass(frozen=True)
class FaceClip:
    """The first frames of a clip.

    Attributes:
        name: of the file; set: of the collection that it belongs to.
        frames: list of (H, W, 3) uint8 RGB.
        face: (2,) float, where the face is in the first frame that shows it.
        eyes: pixels between its eyes there.
        fps: frames a second.
    """

    name: str
    set: str
    frames: list
    face: np.ndarray
    eyes: float
    fps: float

    def posed(self, pose):
        """Yield ((HEIGHT, WIDTH, 3) uint8, (2, 3) matrix of the pose): the frames as a camera held so would show them.

        What lies outside the clip repeats its border. Large faces are shrunk by area first, so that nothing aliases.
        """
        import cv2

        for number, frame in enumerate(self.frames):
            matrix = pose.matrix(number / self.fps)
            zoom = float(np.hypot(*matrix[:, 0])) / self.eyes
            if zoom < 1:
                size = (max(1, round(frame.shape[1] * zoom)), max(1, round(frame.shape[0] * zoom)))
                shrunk = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            else:
                shrunk = frame
            by = np.array([shrunk.shape[1] / frame.shape[1], shrunk.shape[0] / frame.shape[0]])
            to_frame = np.zeros((2, 3))  # shrunk pixel p shows source (p + 0.5) / by - 0.5
            to_frame[:, :2] = matrix[:, :2] / self.eyes @ np.diag(1 / by)
            start = ((0.5 / by - 0.5) - self.face) / self.eyes
            to_frame[:, 2] = matrix[:, :2] @ start + matrix[:, 2]
            yield cv2.warpAffine(shrunk, to_frame, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR,
                                 borderMode=cv2.BORDER_REPLICATE), matrix  # fmt: skip


def list_clips(folder, per_set, only=None):
    """[(set, path)]: up to `per_set` videos of each collection below a folder, from as many sub-folders as there are.

    A collection is a folder of `folder`, or of `folder/clips`; a folder of videos is one by itself.

    Args:
        folder: Path.
        per_set: most clips of one collection.
        only: names of collections; None takes all.

    Raises:
        InputError: no folder, no video in it, or no such collection.
    """
    if not folder.is_dir():
        raise InputError(f"--media {folder}: no such folder")
    groups = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in EXTENSIONS and path.is_file():
            parts = path.relative_to(folder).parts
            parts = parts[1:] if parts[0] == "clips" and len(parts) > 2 else parts
            groups.setdefault(parts[0] if len(parts) > 1 else folder.name, []).append(path)
    if not groups:
        raise InputError(f"--media {folder}: no video in it ({' '.join(EXTENSIONS)})")
    if unknown := set(only or ()) - set(groups):
        raise InputError(f"--sets {' '.join(sorted(unknown))}: no such collection; there are {' '.join(sorted(groups))}")
    chosen = []
    for name in sorted(only or groups):
        seen = {}
        for path in groups[name]:
            seen.setdefault(path.parent, []).append(path)
        turns = sorted((number, path) for paths in seen.values() for number, path in enumerate(paths))
        chosen += [(name, path) for _, path in turns[:per_set]]
    return chosen


def read_clip(name, path, frames, detector):
    """FaceClip of the first frames of a video from the first face on, or None where none shows early enough."""
    import cv2

    from media import VideoReader

    kept, face, factor = [], None, 1.0
    with VideoReader(path) as reader:
        fps = float(reader.info.fps)
        for frame in islice(reader, LOOK_FIRST + frames):
            if face is None:
                face = next(iter(detector.detect(frame)), None)
                if face is None:
                    continue
                right, left = face.landmarks[RIGHT_EYE].mean(0), face.landmarks[LEFT_EYE].mean(0)
                eyes = float(np.linalg.norm(left - right))
                down = np.array([right[1] - left[1], left[0] - right[0]]) / eyes
                middle = (right + left) / 2 + BELOW_EYES * eyes * down
                factor = min(1.0, 2 * EYES / eyes)  # no pose shows more than this
            if factor < 1:
                size = (round(frame.shape[1] * factor), round(frame.shape[0] * factor))
                frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            kept.append(frame)
            if len(kept) == frames:
                break
    if face is None:
        return None
    return FaceClip(path.name, name, kept, (middle + 0.5) * factor - 0.5, eyes * factor, fps)
