"""Aligned faces of a picture or video, and the generated frame with its face optimised by the modules of the real one."""

import numpy as np

from common.errors import InputError
from faces.crops import CropSpec, paste_mask, plan_crops
from faces.landmarks import apply_affine
from faces.texture import texture_modules
from media import probe
from pipeline.options import FaceOptions
from pipeline.playback.source import FaceSource
from pipeline.references.choice import choose_reference
from pipeline.tracking import TrackStore, prepare

SIDES = (48, 384)  # of a crop in pixels


class RealFaces:
    """The face of a real picture or video, followed, with one aligned crop for each frame.

    Args:
        path: picture or video.
        size: side of the crops; None takes about as many pixels as the face has itself, 48 to 384.
        frames: look at the first so many only.
        detector, weights: see faces.detectors.build_detector.

    Attributes:
        size: side of the crops; track: FaceTrack; crops: list of crops or None.

    Raises:
        InputError: no face in it.
    """

    def __init__(self, path, *, size=None, frames=None, detector="mediapipe", weights=None):
        info = probe(path)
        own_rate = info.fps if info.is_animation else None  # a frame of the face for each frame of the file
        options = FaceOptions(fps=own_rate, detector=detector, detector_weights=weights)
        self.source = FaceSource(path, options)
        self.track = prepare(self.source, options, store=TrackStore(None), frames=frames)
        fps = self.source.fps
        if size is None:
            plan = plan_crops(self.track, CropSpec("aligned", SIDES[0]), fps=fps)
            zooms = [np.sqrt(abs(np.linalg.det(crop.matrix[:, :2]))) for crop in plan if crop is not None]
            size = int(np.clip(4 * round(SIDES[0] / float(np.median(zooms)) / 4), *SIDES))
        self.size, self.crops = size, plan_crops(self.track, CropSpec("aligned", size), fps=fps)

    def crop(self, index):
        """Crop of frame `index`, or None; that of a picture is the same for all."""
        return self.crops[self._place(index)]

    def landmarks(self, index):
        """(68, 2) float32 crop pixels of a frame that has a crop."""
        points = self.track.landmarks[self._place(index)].astype(np.float64)
        return apply_affine(self.crop(index).matrix, points).astype(np.float32)

    def reference(self):
        """(number of the frame that inference would take as the reference, its face (S, S, 3) uint8)."""
        index = choose_reference(self.track)
        for frame in self.source.frames(index, index + 1):
            return index, self.crop(index).extract(frame)
        raise InputError(f"{self.source.path}: frame {index} cannot be decoded a second time; was it changed meanwhile?")

    def _place(self, index):
        return 0 if self.source.is_image else min(index, len(self.crops) - 1)


class FaceImprover:
    """Face optimisation of whole generated frames, by the modules of one reference frame of the real video, as in inference.

    Args:
        faces: RealFaces of the real picture or video, to which the generated frames are aligned.
        spec: faces.texture.TextureSpec of the reference's modules.

    Attributes:
        reference: number of the reference frame.
    """

    def __init__(self, faces, spec):
        from faces.optimise import FaceOptimiser

        self._faces, (self.reference, face) = faces, faces.reference()
        labels = texture_modules(face, min(spec.clusters, faces.size**2), spec.compactness, spec.iterations)
        self._optimise = FaceOptimiser(face, labels, faces.landmarks(self.reference))
        self._mask = paste_mask(faces.size)

    def __call__(self, index, frame):
        """(H, W, 3) uint8 generated frame -> the same; what is not optimised keeps its bits, a frame without a face all.

        The change is laid over the frame and not the face itself, which being cut out and laid back would blur.
        """
        crop = self._faces.crop(index)
        if crop is None:
            return frame
        face = crop.extract(frame)
        better = self._optimise(face, self._faces.landmarks(index))
        change = crop.paste(frame, better, self._mask).astype(np.int16) - crop.paste(frame, face, self._mask)
        return np.clip(frame + change, 0, 255).astype(np.uint8)
