"""What spatial_processing.py writes, frame after frame: labels, videos of modules and of optimised faces; then statistics."""

import json
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from common.files import atomic_output
from pipeline.texture.modules import block_picture, heat_picture, statistics, with_borders


@dataclass
class Summary:
    """Running figures of all frames.

    Attributes:
        frames: looked at; without_face: of these, those in which a crop was asked for and there is no face.
        modules, distance: sums over the frames of the number of modules and of the mean distance.
        losses: list of (frame, loss or None, loss after optimisation or None); empty without a generated video.
        shown: pipeline.texture.frames.View that the pictures show: the frame asked for, else the next one with a face, else the
            last one before.
    """

    frames: int = 0
    without_face: int = 0
    modules: int = 0
    distance: float = 0.0
    losses: list = field(default_factory=list)
    shown: object = None

    def add(self, view, wanted, compares):
        """Count a View in; `wanted`: number of the frame to show; `compares`: there is a generated video."""
        self.frames += 1
        if compares:
            self.losses.append((view.index, view.loss, view.loss_after))
        if view.texture is None:
            self.without_face += 1
            return
        self.modules += view.texture.count
        self.distance += float(view.texture.distance.mean())
        if self.shown is None or self.shown.index < wanted:
            self.shown = view

    def mean_loss(self, place):
        """Mean of the losses before (1) or after (2) optimisation; None where there is none."""
        values = [row[place] for row in self.losses if row[place] is not None]
        return float(np.mean(values)) if values else None


class FrameFiles:
    """Files that grow with the frames; they appear under their names when the block ends well. A context manager.

    Args:
        out: folder.
        video: write modules.mp4 (modules and distances) and optimised.mp4, too; else a picture of one frame is looked at.
        fps: of the videos.
        sound: {"audio", "sample_rate", "metadata"} of optimised.mp4.
    """

    def __init__(self, out, *, video, fps, sound):
        self._out, self._video, self._fps, self._sound = out, video, fps, sound
        self._writers, self._most = {}, None

    def __enter__(self):
        with ExitStack() as stack:
            self._labels = stack.enter_context(atomic_output(self._out / "modules.npz"))
            self._archive = stack.enter_context(zipfile.ZipFile(self._labels, "w", zipfile.ZIP_DEFLATED))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self._stack.__exit__(*error)

    def write(self, view):
        """Take in one View."""
        if view.texture is not None:
            name = f"labels_{view.index:06d}.npy" if self._video else "labels.npy"
            with self._archive.open(name, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, view.texture.labels)
        if self._video:
            if view.texture is not None:
                self._most = self._most or float(np.percentile(view.texture.distance, 99))
                heat = heat_picture(view.texture.distance, self._most)
                self._frame("modules", np.concatenate([with_borders(view.texture.picture, view.texture.labels), heat], axis=1))
            elif "modules" in self._writers:
                self._frame("modules", np.zeros((self._writers["modules"].height, self._writers["modules"].width, 3), np.uint8))
            if view.frame is not None:
                self._frame("optimised", view.frame, **self._sound)
        elif view.frame is not None:
            write_picture(self._out / "optimised.png", view.frame)

    def _frame(self, name, frame, **how):
        from media import VideoWriter

        if name not in self._writers:
            size = {"width": frame.shape[1], "height": frame.shape[0], "fps": self._fps}
            self._writers[name] = self._stack.enter_context(VideoWriter(self._out / f"{name}.mp4", **size, **how))
        self._writers[name].write(frame)


def write_picture(path, picture):
    """(H, W, 3) uint8 RGB -> PNG."""
    from PIL import Image

    with atomic_output(path) as temporary:
        Image.fromarray(np.ascontiguousarray(picture)).save(temporary)


def write_json(path, content):
    """Write `content` as JSON."""
    with atomic_output(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_summary(out, summary, spec, facts):
    """blocks.png, distance.png, modules.png and modules.json of the frame that is shown; loss.json where videos were compared.

    Args:
        out: folder.
        summary: Summary with a frame to show.
        spec: faces.texture.TextureSpec.
        facts: dict of what else modules.json shall say first.
    """
    texture = summary.shown.texture
    write_picture(out / "blocks.png", block_picture(texture))
    write_picture(out / "distance.png", heat_picture(texture.distance, float(np.percentile(texture.distance, 99))))
    write_picture(out / "modules.png", with_borders(texture.picture, texture.labels))
    seen = summary.frames - summary.without_face
    write_json(out / "modules.json", {
        **facts,
        "height": texture.labels.shape[0], "width": texture.labels.shape[1],
        "clusters": spec.clusters, "compactness": spec.compactness, "iterations": spec.iterations, "block_size": texture.size,
        "frames": {"count": summary.frames, "without_face": summary.without_face,
                   "modules_mean": summary.modules / seen, "distance_mean": summary.distance / seen},
        "frame": summary.shown.index,
        "modules": statistics(texture),
    })  # fmt: skip
    if summary.losses:
        rows = [{"frame": frame, "loss": loss, "loss_optimised": after} for frame, loss, after in summary.losses]
        write_json(out / "loss.json", {"loss": summary.mean_loss(1), "loss_optimised": summary.mean_loss(2), "frames": rows})
