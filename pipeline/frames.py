"""The frames of a result on their way through the driver: cut out of the source, drawn in batches."""

from collections import deque
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import torch

from common.errors import InputError
from faces.crops import Crop
from models.precision import exact_products
from pipeline.prefetch import prefetch

QUEUE_BYTES = 48 << 20
BATCH_BYTES = 96 << 20
CPU_BATCH, GPU_BATCH = 16, 128


@dataclass(frozen=True)
class DrawnFrame:
    """One frame on its way.

    Attributes:
        t: number in the result.
        index: number in the source.
        frame: (H, W, 3) uint8 RGB.
        crop: where the face is, or None.
        face: (S, S, 3) uint8 RGB, the face as it is cut out, later as it is drawn; None where none is drawn.
        mask: (S, S) float32, the weights with which a drawn face is pasted; None where nothing is.
    """

    t: int
    index: int
    frame: np.ndarray
    crop: Crop | None
    face: np.ndarray | None
    mask: np.ndarray | None = None

    @property
    def nbytes(self):
        """Bytes of its pictures."""
        return sum(part.nbytes for part in (self.frame, self.face, self.mask) if part is not None)


def draw_frames(plan, driver, batch_size=None):
    """Yield a DrawnFrame for each frame of the result, in order, with the face drawn where there is one.

    Args:
        plan: pipeline.plan.Plan.
        driver: pipeline.drivers.Driver.
        batch_size: most faces in one batch; None chooses by device. A batch never holds more than BATCH_BYTES of frames.
    """
    codes, states = plan.codes, _States(plan, driver)
    most = batch_size or (CPU_BATCH if driver.device.type == "cpu" else GPU_BATCH)
    most = max(1, min(most, BATCH_BYTES // plan.scene.source.frame_bytes))
    with closing(prefetch(_cut(plan), QUEUE_BYTES, lambda one: one.nbytes)) as cut:
        for batch in _batches(cut, most, states.key):
            seen = [at for at, one in enumerate(batch) if one.face is not None]
            if seen:
                crops = [batch[at].face for at in seen]
                crops = np.stack(crops[:1] if plan.scene.still else crops)
                numbers = [batch[at].t for at in seen]
                faces, masks = draw_faces(driver, states.of(states.key(batch[seen[0]])), codes, numbers, crops)
                masks = _masks(plan, masks, [batch[at].index for at in seen])
                for at, face, mask in zip(seen, faces, masks, strict=True):
                    batch[at] = replace(batch[at], face=face, mask=mask)
            while batch:
                yield batch.popleft()


class _States:
    """What the driver makes of the person, once for each of the scene's references; the last few are kept."""

    KEPT = 4

    def __init__(self, plan, driver):
        self._scene, self._codes, self._driver, self._made = plan.scene, plan.codes, driver, {}
        one_for_all = driver.every_shot or not plan.scene.references
        self.of(None if one_for_all else plan.scene.references[0])  # a mistake is told before the first frame

    def key(self, one):
        """The reference that serves a DrawnFrame, None where one state serves all; frames with the same are drawn together."""
        return None if self._driver.every_shot else self._scene.reference_of(one.index)

    def of(self, key):
        """The driver's state for the frames with this key."""
        if key not in self._made:
            scene = self._scene
            if len(self._made) == self.KEPT:
                del self._made[next(iter(self._made))]
            with exact_products(self._driver.precision == "fp32"):
                self._made[key] = self._driver.look(scene if key is None else scene.for_reference(key), self._codes)
        return self._made[key]


def draw_faces(driver, state, codes, numbers, crops):
    """`Driver.draw` and `Driver.mask` for some frames of the result; a batch that the GPU's memory does not hold is halved.

    Args:
        driver, state, codes: see Driver.
        numbers: list of B frame numbers.
        crops: (B, S, S, 3) uint8, or (1, S, S, 3) where one picture serves for all.

    Returns:
        (B, S, S, 3) uint8 faces; their (B, S, S) float32 masks, or None.
    """
    try:
        with exact_products(driver.precision == "fp32"):
            return driver.draw(state, codes[numbers], crops, numbers), driver.mask(state, numbers)
    except torch.OutOfMemoryError as error:
        if len(numbers) == 1:
            raise InputError("the GPU's memory does not hold one face; use --device cpu, or free the GPU") from error
    half = len(numbers) // 2
    parts = (slice(None, half), slice(half, None))
    halves = [draw_faces(driver, state, codes, numbers[part], crops[part] if len(crops) > 1 else crops) for part in parts]
    faces, masks = zip(*halves, strict=True)
    return np.concatenate(faces), None if masks[0] is None else np.concatenate(masks)


def _masks(plan, own, indices):
    """The weights of some frames: the driver's own, or those of the outlines of the source frames `indices`."""
    if plan.masks is None:
        return [None] * len(indices)
    weights = [plan.masks(index) for index in indices] if own is None else own
    opacity = [plan.scene.opacity_of(index) for index in indices]
    return [mask if share == 1 else mask * np.float32(share) for mask, share in zip(weights, opacity, strict=True)]


def _cut(plan):
    """Yield DrawnFrames with the face as it is cut out of the source."""
    scene = plan.scene
    for t, (index, frame) in enumerate(scene.source.play(scene.frames, scene.loop, scene.count)):
        crop = scene.crops[index]
        drawn = crop is not None and scene.opacity_of(index) > 0
        yield DrawnFrame(t, index, frame, crop, plan.cut(crop, frame, index) if drawn else None)


def _batches(frames, most, key):
    """Yield deques of at most `most` frames, all with the same `key`; one without a face joins any."""
    batch, last = deque(), None
    for one in frames:
        own = last if one.face is None else key(one)
        if batch and (len(batch) == most or last is not None and own != last):
            yield batch
            batch = deque()
        batch.append(one)
        last = own
    if batch:
        yield batch
