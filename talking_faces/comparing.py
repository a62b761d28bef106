"""A generated video beside the real one, by the measures that need no network."""

from faces.detectors import build_detector
from metrics.compare import compare_videos
from models.devices import choose_device


def compare(generated, real, *, face_size=96, frames=None, detector="mediapipe", device="auto"):
    """Measure a generated video against the real one, frame by frame.

    Args:
        generated, real: paths of two videos of one person, of about the same length, driven by the same sound.
        face_size: side in pixels of the aligned face crop that is compared.
        frames: look at the first so many frames alone; None looks at all.
        detector: "mediapipe" or "face-alignment".
        device: where the detector runs.

    Returns:
        Comparison: `.values` is a dict from a column's key ("ssim_face", "psnr_mouth", "lmd_normalised", ...) to a float, or to
        None where it is undefined; docs/evaluation.md explains the columns. `.frames` counts the frames, `.notes` are sentences
        for the reader. `run_evaluate` measures sync and FID, and writes tables over many videos.

    Raises:
        InputError: a video that cannot be read, shows no face, or has another length or shape.
    """
    finder = build_detector(detector, device=str(choose_device(device)))
    try:
        return compare_videos(generated, real, finder, face_size=face_size, frames=frames)
    finally:
        finder.close()
