"""What the tests of evaluate.py share: drawn faces whose landmarks a test detector reads back, a tiny sync expert, reports."""

import json
from importlib import import_module
from types import SimpleNamespace

import cv2
import numpy as np
import torch
from hypothesis import strategies as st

import evaluate
from common import cli
from common.errors import InputError
from faces.detectors import Face
from faces.landmarks import CANONICAL_STABLE, STABLE
from media import VideoWriter
from metrics.measures.registry import build_measures, columns_of
from metrics.networks.load import Networks
from models import build_model
from tests.inference_kit import OWN, tone
from training.checkpoint import save_checkpoint

WIDTH, HEIGHT, EYES = 160, 176, 40.0
LEAST = 45  # frames that a sync expert with unit-length embeddings needs
RED, BLUE = (255, 0, 0), (0, 0, 255)
# Multiples of 4 keep the marks' edges on the chroma grid, where the encoder leaves them.
GAPS = 4 * np.round(3 + 3 * np.sin(np.arange(30) / 3)).astype(int)
# Modules that hold `build_detector` under a name of their own. One that is first imported while it is replaced would hold the
# drawn one for all later tests of the process.
HOLDERS = ("pipeline.lips.compare", "pipeline.preview", "pipeline.tracking", "talking_faces.comparing")
SUFFIXES = {".json", ".csv", ".md", ".tex", ".html"}


def layout(x, y, gap):
    """68 landmarks of a drawn face: eyes' middle at (x, y), lips `gap` pixels apart; jaw and brows lie on a circle."""
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    points = np.stack([1.2 * np.cos(angles), 0.6 + 1.2 * np.sin(angles)], 1)
    points[list(STABLE)] = CANONICAL_STABLE
    around = np.linspace(np.pi, 3 * np.pi, 12, endpoint=False)
    points[48:60] = np.stack([0.4 * np.cos(around), 1.2 + 0.15 * np.sin(around)], 1)
    points[60:68] = np.stack([0.3 * np.cos(around[::2][:1]).repeat(8), np.full(8, 1.2)], 1)
    points[60:68, 0] = [-0.3, -0.15, 0, 0.15, 0.3, 0.15, 0, -0.15]
    points = points * EYES + (x, y)
    points[61:64, 1] -= gap / 2
    points[65:68, 1] += gap / 2
    return points.astype(np.float32)


def draw(x, y, gap, seen=True, seed=0):
    """A textured frame with a red square between the eyes and a blue bar as high as the lips are apart (plus 4 px)."""
    texture = np.random.default_rng(seed).integers(60, 190, (HEIGHT // 8, WIDTH // 8), np.uint8)
    frame = cv2.cvtColor(cv2.resize(texture, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2RGB)
    if seen:
        frame[y - 4:y + 4, x - 4:x + 4] = RED
        middle = int(y + 1.2 * EYES)
        half = int(gap) // 2 + 2
        frame[middle - half:middle + half, x - 12:x + 12] = BLUE
    return frame


class DrawnFaces:
    """Reads `draw`'s marks back."""

    name, version = "drawn", "1"

    def detect(self, frame):
        red, green, blue = (frame[..., channel].astype(int) for channel in range(3))
        spot, bar = (red > 150) & (green < 90) & (blue < 90), (blue > 150) & (green < 90) & (red < 90)
        if spot.sum() < 16:
            return []
        rows, columns = np.nonzero(spot)
        return [Face.from_landmarks(layout(columns.mean() + 0.5, rows.mean() + 0.5, bar.any(1).sum() - 4), 1.0)]

    def follow(self, frame, face):
        return next(iter(self.detect(frame)), None)

    def close(self):
        pass


def never_covered(scores, fps, shots=None):
    """As `faces.tracking.covering.covered_frames`, for drawn faces: their mouth is a blue bar, which may pass for a cover."""
    return np.zeros(len(scores), bool)


def use_drawn_faces(monkeypatch):
    """Every detector that the program builds is a DrawnFaces, and no drawn mouth counts as covered; returns one."""
    for module in HOLDERS:
        import_module(module)
    monkeypatch.setattr("faces.tracking.track.covered_frames", never_covered)
    for place in ("faces.detectors.build_detector", "pipeline.tracking.build_detector"):
        monkeypatch.setattr(place, lambda *args, **options: DrawnFaces())
    return DrawnFaces()


def talking(gaps, hidden=(), seed=0):
    """Frames of a drawn face that sways; no face in the frames of `hidden`."""
    return [draw(80 + 2 * (i % 3), 60, gap, seen=i not in hidden, seed=seed) for i, gap in enumerate(gaps)]


def write(path, frames, fps=25, sound=False, metadata=None):
    """Write a video, nearly lossless; `sound` adds bursts of a buzz, `metadata` tags."""
    audio = tone(len(frames) / fps) if sound else None
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width=width, height=height, fps=fps, crf=1, audio=audio, sample_rate=16000,
                     metadata=metadata) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def write_clips(folder, shifts, count=LEAST):
    """A video with sound in `folder` for each {name: shift of its mouth movement}; returns the folder."""
    for name, shift in shifts.items():
        write(folder / f"{name}.mp4", talking(np.resize(np.roll(GAPS, shift), count)), sound=True)
    return folder


def read_damaged(read, path, content, data):
    """What `read` makes of a file with a damage that hypothesis draws: the end cut off, or one byte changed.

    Args:
        read: function of a path.
        path: of the damaged file, which is written here; content: bytes of the whole one.
        data: from st.data().

    Returns:
        What `read` returns; None where it refuses the file in one line that names it.
    """
    content = bytearray(content)
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)):]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        return read(path)
    except InputError as error:
        assert path.name in str(error) and "\n" not in str(error)
        return None


def columns_for(*, expert=None, is_lse=False, frechet=None):
    """The columns of an evaluation with these networks, which only bear names; `frechet` None: the expert's embeddings."""
    judge = expert and SimpleNamespace(name=expert, is_lse=is_lse, by_landmarks=False)
    inception = frechet and SimpleNamespace(name=frechet, is_fid=False)
    return columns_of(build_measures(Networks(judge=judge, inception=inception)))


def save_expert(path, seed=0):
    """A seeded sync expert of Wav2Lip's kind, of the smallest width."""
    torch.manual_seed(seed)
    config = {"name": "syncnet_color", "face_size": 96, "width": 0.25}
    save_checkpoint(path, build_model(config), {"model": config, "data": OWN, "training": {}})
    return path


def run(*arguments):
    """Exit code of evaluate.py, run inside this process."""
    return cli.run(evaluate.main, [str(argument) for argument in arguments])


def table(out):
    """The report in OUT.json."""
    return json.loads(out.with_name(out.name + ".json").read_text())


def values(report, label, name=None):
    """The values of the one video (of this name) in the row of this label."""
    row = next(row["row"] for row in report["rows"] if row["label"] == label)
    (found,) = [one["values"] for one in report["videos"] if one["row"] == row and name in (None, one["name"])]
    return found


def cells(report, label):
    """The cells of the row of this label."""
    return next(row["cells"] for row in report["rows"] if row["label"] == label)


def heads(report):
    """The labels of the columns."""
    return [column["label"] for column in report["columns"]]
