"""From which frames of its own a face is drawn: the bank of a job, and the sources of each frame, found piece by piece."""

import numpy as np

from faces.drawing.bank import build_bank
from faces.landmarks import apply_affine
from faces.mouth import mouth_opening
from pipeline.references.choice import choose_reference

# The first result shall come within a second of tracking, so that the bank is taken from the beginning of the video, or of each
# shot where the picture is cut: so many pixels of frames, but at least so many frames.
STRETCH_PIXELS, STRETCH_FRAMES = 300 * 1280 * 720, 50
PIECE, OVERLAP = 1500, 25  # frames of the result whose sources are found at once, and what is looked at beyond on both sides


def own_bank(scene):
    """Bank of a scene: what `--reference` says, or good frames of its beginning.

    Args:
        scene: pipeline.scene.Scene with a track.

    Raises:
        InputError: no frame shows a face that can serve.
    """
    track = scene.track
    landmarks = scene.landmarks(range(len(track)))
    found = np.isfinite(landmarks).all((1, 2)) & track.seen()
    for better in (track.whole(), None if track.covered is None else ~track.covered):
        found = found & better if better is not None and (found & better).any() else found
    shots = track.shots
    if scene.references:
        usable = np.zeros(len(track), bool)
        usable[[number for number in scene.references if number < len(track)]] = True
        scene.pictures(scene.references[:1])  # what is wrong with the number of a frame is said there
        shots = np.where(np.isin(shots, shots[usable]), shots, -1)
    else:
        usable = _first_stretch(found, shots, track.width * track.height)
    return build_bank(landmarks, usable, scene.pictures, shots=shots)


def _first_stretch(usable, shots, pixels):
    """Of the usable frames of each shot those of its beginning."""
    length = max(STRETCH_FRAMES, STRETCH_PIXELS // pixels)
    out = np.zeros_like(usable)
    for shot in np.unique(shots[usable]):
        own = np.flatnonzero(usable & (shots == shot))
        out[own[own < own[0] + length]] = True
    return out


class OwnFrames:
    """Wanted landmarks and sources of the frames of a result, found a piece at a time, so that memory does not grow with it.

    Args:
        scene: pipeline.scene.Scene.
        bank: faces.drawing.bank.Bank; None: each frame is drawn from itself.
        place: function of numbers (n,) of the result's frames and landmarks (n, 68, 2) in frame pixels -> wanted ones.
        gap: frames; no source is taken from so near the frame shown.
    """

    def __init__(self, scene, bank, place, gap=0):
        self._scene, self.bank, self._place, self._gap = scene, bank, place, gap
        self._pieces = {}

    def of(self, number):
        """What a frame of the result is drawn from.

        Args:
            number: of the result's frame.

        Returns:
            wanted: (68, 2) float64 landmarks in frame pixels. sources: list of (entry of the bank, weight); [] for the frame
            itself.
        """
        piece, at = divmod(number, PIECE)
        if piece not in self._pieces:
            self._pieces = {other: found for other, found in self._pieces.items() if abs(other - piece) < 2}
            self._pieces[piece] = self._find(piece * PIECE)
        wanted, entries, weights = self._pieces[piece]
        if entries is None:
            return wanted[at], []
        return wanted[at], [(int(e), float(w)) for e, w in zip(entries[at], weights[at], strict=True) if w > 0]

    def _find(self, start):
        """(wanted (n, 68, 2) float64, entries (n, 2), weights (n, 2)) of the piece from frame `start` on."""
        first, last = max(0, start - OVERLAP), min(self._scene.frames, start + PIECE + OVERLAP)
        numbers = np.arange(first, last)
        shown = self._scene.shown[first:last]
        landmarks = self._scene.track.landmarks[shown].astype(np.float64)
        wanted = np.full(landmarks.shape, np.nan)
        seen = np.isfinite(landmarks).all((1, 2))
        wanted[seen] = self._place(numbers[seen], landmarks[seen])
        own = slice(start - first, min(start + PIECE, self._scene.frames) - first)
        if self.bank is None or not seen.any():
            return wanted[own], None, None
        sources = self.bank.sources(wanted, shown, self._gap)
        return wanted[own], sources.entries[own], sources.weights[own]


def rest_picture(scene, bank, shot=None):
    """A sharp picture of the person with the mouth near rest, and its landmarks in the picture's pixels.

    Args:
        scene: pipeline.scene.Scene; bank: faces.drawing.bank.Bank, or None.
        shot: number of a shot of the bank; None, or one that has no entry: of all.

    Returns:
        (S, S, 3) uint8 RGB, (68, 2) float64.
    """
    if bank is not None:
        own = np.flatnonzero(bank.shots == shot)
        own = own if len(own) else np.arange(len(bank))
        entry = int(own[np.argmin(mouth_opening(bank.landmarks[own]))])
        return bank.pictures[entry], bank.landmarks[entry]
    number = choose_reference(scene.track)
    return scene.pictures([number])[0], scene.landmarks([number])[0]


def in_crop(scene, number, landmarks):
    """(68, 2) frame pixels -> pixels of the crop of source frame `number`."""
    return apply_affine(scene.crops[number].matrix, landmarks)
