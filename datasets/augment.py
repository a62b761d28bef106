"""Random changes of an item: one change of the picture, one of the sound, the same for all its frames."""

import numpy as np

SILENCE = -4.0
DECIBEL = 0.08  # mel units: 100 dB span 8 units (METHODS 5.1)


class PictureChange:
    """Mirroring, moving, turning, zooming, blur, grain and colour, drawn once for an item.

    Args:
        augment: dict of strengths, each 0 where it is missing, or None: `flip` probability of mirroring; `shift` most pixels by
            which the crop is moved; `turn` spread in degrees; `zoom` spread of the size's logarithm; `colour` spread of gain
            and offset per channel; `blur` probability of being out of focus; `grain` most standard deviation of pixel noise.
        rng: numpy Generator.
    """

    def __init__(self, augment, rng):
        augment = augment or {}
        colour = augment.get("colour", 0.0)
        self.flip = bool(rng.random() < augment.get("flip", 0.0))
        self.gain = (1 + colour * rng.standard_normal((1, 3, 1, 1)) * 0.5 + colour * rng.standard_normal()).astype(np.float32)
        self.offset = (colour * 0.3 * rng.standard_normal((1, 3, 1, 1))).astype(np.float32)
        self.active = colour > 0
        most = int(augment.get("shift", 0))
        self.shift = tuple(int(step) for step in rng.integers(-most, most + 1, 2)) if most else (0, 0)
        self.linear = None  # (2, 2): about the middle of the crop
        if augment.get("turn") or augment.get("zoom"):
            angle = np.deg2rad(augment.get("turn", 0.0) * rng.standard_normal())
            size = np.exp(augment.get("zoom", 0.0) * rng.standard_normal())
            self.linear = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
        self.blur = float(rng.uniform(0.4, 2.0)) if rng.random() < augment.get("blur", 0.0) else 0.0
        grain = float(augment.get("grain", 0.0))
        self.grain = float(rng.uniform(0, grain)) if grain else 0.0
        self.rng = rng

    def __call__(self, frames, moved=True, out=None):
        """Change pictures.

        Args:
            frames: (T, S, S, 3) uint8.
            moved: False for the reference, which is not moved with the others.
            out: (T, 3, S, S) float32 that may be written to.

        Returns:
            (T, 3, S, S) float32 in [0, 1]: `out`, or a new array.
        """
        turned = moved and self.linear is not None
        if moved and not turned and any(self.shift):
            frames = _moved(frames, *self.shift)
        if self.flip and not turned:
            frames = frames[:, :, ::-1]
        count, height, width, channels = frames.shape
        faces = np.empty((count, channels, height, width), np.float32) if out is None else out
        np.divide(frames.transpose(0, 3, 1, 2), np.float32(255), out=faces)  # in one pass: loading is mostly this
        if turned:
            faces = self._warped(faces)
            faces = np.ascontiguousarray(faces[..., ::-1]) if self.flip else faces
        if self.blur:
            faces = _blurred(faces, self.blur)
        if self.grain:
            faces += np.float32(self.grain) * self.rng.standard_normal(faces.shape, np.float32)
        if self.active:
            faces *= self.gain
            faces += self.offset
        return np.clip(faces, 0, 1, out=faces) if self.active or self.grain else faces

    @property
    def same_again(self):
        """True where a second call changes a picture just as the first did; grain is drawn anew in each."""
        return not self.grain

    def labels(self, frames, moved=True, out=None):
        """(T, S, S) integers, one a pixel -> (T, S, S) int64, in `out` or new, changed in place and size as the picture is."""
        turned = moved and self.linear is not None
        if turned:
            frames = self._warped(frames[:, None].astype(np.float32), "nearest")[:, 0]
        elif moved and any(self.shift):
            frames = _moved(frames, *self.shift)
        labels = np.empty(frames.shape, np.int64) if out is None else out
        labels[...] = frames[..., ::-1] if self.flip else frames
        return labels

    def points(self, landmarks, size):
        """(T, 68, 2) crop pixels, moved, turned, zoomed and mirrored with the picture."""
        landmarks = np.array(landmarks, np.float32)
        if self.linear is not None:
            middle = np.float32((size - 1) / 2)
            landmarks = (landmarks - middle) @ self.linear.T + middle
        landmarks = landmarks + np.array(self.shift[::-1], np.float32)
        if not self.flip:
            return landmarks
        from faces.landmarks import MIRROR

        mirrored = landmarks[:, list(MIRROR)]
        mirrored[..., 0] = size - 1 - mirrored[..., 0]
        return mirrored

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
        mel: (80, m) of the whole clip.
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

    def __call__(self, windows):
        """(..., 80, 16) float32 mel windows -> the same shape."""
        windows = np.array(windows, np.float32)
        if self.silent:
            hushed = windows.mean(-2).max(-1) < self.quiet
            windows[hushed] = SILENCE
        if self.shift:
            windows = np.where(windows > SILENCE, windows + np.float32(self.shift), windows)
        if self.noisy:
            noise = self.floor + 0.25 * self.rng.standard_normal(windows.shape)
            windows = np.maximum(windows, noise.astype(np.float32))
        return np.clip(windows, -4, 4, dtype=np.float32)
