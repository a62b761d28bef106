"""Random changes of an item: one change of the picture, one of the sound, the same for all its frames.

Colour is not changed here but on the device, see datasets.fields.shipped: the loader ships uint8.
"""

import numpy as np

SILENCE = -4.0
DECIBEL = 0.08  # mel units: 100 dB span 8 units
WHITE = 1.78  # mean mel of white noise of standard deviation 1, were it not clipped; measured with speech.mel


class PictureChange:
    """Mirroring, moving, turning, zooming, blur, grain and colour, drawn once for an item.

    Args:
        augment: dict of strengths, each 0 where it is missing, or None: `flip` probability of mirroring; `shift` most pixels by
            which the crop is moved; `turn` spread in degrees; `zoom` spread of the size's logarithm; `colour` spread of gain
            and offset per channel; `blur` probability of being out of focus; `grain` most standard deviation of pixel noise.
        rng: numpy Generator.

    Attributes:
        flip: whether the picture is mirrored; shift: pixels down and right.
        colour: (2, 3) float32, gain and offset of R, G and B for values in [0, 1]; None where nothing changes them.
        grainy: whether grain is asked for, which each picture gets anew.
    """

    def __init__(self, augment, rng):
        augment = augment or {}
        colour = augment.get("colour", 0.0)
        self.flip = bool(rng.random() < augment.get("flip", 0.0))
        gain = (1 + colour * rng.standard_normal((1, 3, 1, 1)) * 0.5 + colour * rng.standard_normal()).astype(np.float32)
        offset = (colour * 0.3 * rng.standard_normal((1, 3, 1, 1))).astype(np.float32)
        self.colour = np.stack([gain.ravel(), offset.ravel()]) if colour > 0 else None
        most = int(augment.get("shift", 0))
        self.shift = tuple(int(step) for step in rng.integers(-most, most + 1, 2)) if most else (0, 0)
        self.linear = None  # (2, 2): about the middle of the crop
        if augment.get("turn") or augment.get("zoom"):
            angle = np.deg2rad(augment.get("turn", 0.0) * rng.standard_normal())
            size = np.exp(augment.get("zoom", 0.0) * rng.standard_normal())
            self.linear = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
        self.blur = float(rng.uniform(0.4, 2.0)) if rng.random() < augment.get("blur", 0.0) else 0.0
        grain = float(augment.get("grain", 0.0))
        self.grainy = grain > 0
        self.grain = float(rng.uniform(0, grain)) if grain else 0.0
        self.rng = rng

    def pixels(self, faces, frames, *, moved=True, out=None):
        """Frames of a clip, changed in everything but colour.

        Args:
            faces: (N, S, S, 3) uint8 RGB, all of the clip.
            frames: (T,) int, numbers of the frames.
            moved: False for a reference, which is not moved, turned or zoomed with the others.
            out: (T, S, S, 3) uint8 that may be written to.

        Returns:
            (T, S, S, 3) uint8: `out`, or a new array. What turning, zooming, blur and grain give is rounded.
        """
        pixels = faces[frames]
        turned = moved and self.linear is not None
        if moved and not turned and any(self.shift):
            pixels = _moved(pixels, *self.shift)
        if turned or self.blur or self.grainy:
            pixels = self._retouched(pixels, turned)
        elif self.flip:
            pixels = pixels[:, :, ::-1]
        if out is None:
            return np.ascontiguousarray(pixels)
        out[...] = pixels
        return out

    def __call__(self, faces, moved=True):
        """All frames of a clip with every change: (T, S, S, 3) uint8 -> (T, 3, S, S) float32 in [0, 1], RGB."""
        changed = self.pixels(faces, np.arange(len(faces)), moved=moved).transpose(0, 3, 1, 2) / np.float32(255)
        if self.colour is None:
            return changed
        gain, offset = self.colour[:, None, :, None, None]
        return np.clip(changed * gain + offset, 0, 1)

    def labels(self, labels, frames, *, moved=True, out=None):
        """Labels of pixels, changed in place and size as the picture is.

        Args:
            labels: (N, S, S) integers, all of the clip; frames, moved: as of `pixels`.
            out: (T, S, S) of the same dtype that may be written to.

        Returns:
            (T, S, S) of the same dtype: `out`, or a new array.
        """
        kind, labels = labels.dtype, labels[frames]
        if moved and self.linear is not None:
            labels = self._warped(labels[:, None].astype(np.float32), "nearest")[:, 0].astype(kind)
        elif moved and any(self.shift):
            labels = _moved(labels, *self.shift)
        if self.flip:
            labels = labels[..., ::-1]
        if out is None:
            return np.ascontiguousarray(labels)
        out[...] = labels
        return out

    def points(self, landmarks, size, *, moved=True):
        """(T, 68, 2) crop pixels, moved, turned, zoomed and mirrored with the picture; `moved` as for `pixels`."""
        landmarks = np.array(landmarks, np.float32)
        if moved and self.linear is not None:
            middle = np.float32((size - 1) / 2)
            landmarks = (landmarks - middle) @ self.linear.T + middle
        if moved:
            landmarks = landmarks + np.array(self.shift[::-1], np.float32)
        if not self.flip:
            return landmarks
        from faces.landmarks import MIRROR

        mirrored = landmarks[:, list(MIRROR)]
        mirrored[..., 0] = size - 1 - mirrored[..., 0]
        return mirrored

    def _retouched(self, pixels, turned):
        """(T, S, S, 3) uint8 -> the same turned and zoomed where asked, mirrored, blurred and grained, and rounded."""
        faces = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) / np.float32(255)
        if turned:
            faces = self._warped(faces)
        if self.flip:
            faces = np.ascontiguousarray(faces[..., ::-1])
        if self.blur:
            faces = _blurred(faces, self.blur)
        if self.grain:
            faces += np.float32(self.grain) * self.rng.standard_normal(faces.shape, np.float32)
        return np.rint(np.clip(faces, 0, 1) * np.float32(255)).astype(np.uint8).transpose(0, 2, 3, 1)

    def _warped(self, faces, mode="bilinear"):
        """Turned, zoomed and moved, the border repeated."""
        import torch

        size = faces.shape[-1]
        inverse = np.linalg.inv(self.linear)
        down, right = self.shift
        offset = -inverse @ np.array([right, down], np.float32) * (2 / size)  # grid_sample counts half crops
        matrix = torch.from_numpy(np.concatenate([inverse, offset[:, None]], 1).astype(np.float32))[None]
        grid = torch.nn.functional.affine_grid(matrix, (1, 1, size, size), align_corners=False).expand(len(faces), -1, -1, -1)
        options = {"mode": mode, "padding_mode": "border", "align_corners": False}
        return torch.nn.functional.grid_sample(torch.from_numpy(faces), grid, **options).numpy()


def _moved(frames, down, right):
    """(T, H, W) or (T, H, W, 3) moved by whole pixels, the border repeated."""
    height, width = frames.shape[1:3]
    down, right = max(-height + 1, min(down, height - 1)), max(-width + 1, min(right, width - 1))
    rows, columns = slice(max(down, 0), height + min(down, 0)), slice(max(right, 0), width + min(right, 0))
    source = frames[:, max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
    moved = np.empty(frames.shape, frames.dtype)
    moved[:, rows, columns] = source
    moved[:, rows, : columns.start] = source[:, :, :1]
    moved[:, rows, columns.stop :] = source[:, :, -1:]
    moved[:, : rows.start] = moved[:, rows.start, None]
    moved[:, rows.stop :] = moved[:, rows.stop - 1, None]
    return moved


def _blurred(faces, sigma):
    """(T, 3, S, S) under a Gaussian of `sigma` pixels, the border repeated."""
    import torch

    reach = int(np.ceil(3 * sigma))
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float32) / sigma) ** 2)
    taps = taps / taps.sum()
    flat = torch.from_numpy(faces).flatten(0, 1)[:, None]
    flat = torch.nn.functional.pad(flat, (reach,) * 4, mode="replicate")
    flat = torch.nn.functional.conv2d(torch.nn.functional.conv2d(flat, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
    return flat.view(faces.shape).numpy()


class AudioChange:
    """Loudness, noise floor and digital silence, drawn once for an item.

    Args:
        augment: dict of strengths, or None: `gain_db` spread of loudness; `noise` probability of a raised noise floor;
            `silence` probability that a window without speech is replaced by digital silence.
        rng: numpy Generator.
        mel: (80, m) of the whole clip; None where it has none and `silence` is 0.

    Attributes:
        changes: whether the sound of this item is changed at all.
    """

    def __init__(self, augment, rng, mel):
        augment = augment or {}
        self.shift = augment.get("gain_db", 0.0) * float(rng.standard_normal()) * DECIBEL
        self.noisy = bool(rng.random() < augment.get("noise", 0.0))
        self.floor = float(rng.uniform(-3.5, -1.5))
        self.silent = bool(rng.random() < augment.get("silence", 0.0))
        self.rng = rng
        if self.silent:
            loudness = np.asarray(mel).mean(0)
            self.quiet = float(np.quantile(loudness, 0.1)) + 0.25 * float(np.ptp(np.quantile(loudness, (0.1, 0.95))))
        self.changes = bool(self.shift) or self.noisy or self.silent

    def hushed(self, windows):
        """Which mel windows, (..., 80, 16), are replaced by digital silence: (...) bool."""
        return np.asarray(windows).mean(-2).max(-1) < (self.quiet if self.silent else -np.inf)

    def samples(self, samples, rng, hushed=False):
        """A piece of sound, changed as the mel is: loudness, and white noise whose mean mel is that of the noise floor.

        Args:
            samples: (n,) float32, full scale 1.
            rng: numpy Generator of the noise.
            hushed: the sound is replaced by digital silence, which may still get noise.

        Returns:
            (n,) float32, not clipped.
        """
        loudness = 0.0 if hushed else 10 ** (self.shift / DECIBEL / 20)
        changed = np.float32(loudness) * np.asarray(samples, np.float32)
        if self.noisy:
            level = 10 ** ((self.floor - WHITE) / DECIBEL / 20)
            changed = changed + np.float32(level) * rng.standard_normal(changed.shape, np.float32)
        return changed

    def __call__(self, windows):
        """(..., 80, 16) float32 mel windows -> the same shape."""
        windows = np.array(windows, np.float32)
        if self.silent:
            windows[self.hushed(windows)] = SILENCE
        if self.shift:
            windows = np.where(windows > SILENCE, windows + np.float32(self.shift), windows)
        if self.noisy:
            noise = self.floor + 0.25 * self.rng.standard_normal(windows.shape)
            windows = np.maximum(windows, noise.astype(np.float32))
        return np.clip(windows, -4, 4, dtype=np.float32)
