"""face-alignment: S3FD boxes (Zhang et al., ICCV 2017) and FAN landmarks (Bulat and Tzimiropoulos, ICCV 2017).

An optional extra, made for GPUs. Faces are found by S3FD once, and followed by FAN alone: FAN was trained on boxes that are the
extent of the 68 landmarks, so those of the previous frame say where to look. S3FD is asked again only when FAN loses the face.

The package's networks are plain torch modules; their weights are read with `weights_only=True`, so no code in a file is run.
"""

import contextlib
import logging
import pickle
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import require_file
from faces.detectors import Face

S3FD_FILE, FAN_FILE = "s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar"
# FAN's heat maps are trained towards Gaussians of height 1. Below this mean of their 68 peaks a face counts as lost [inferred:
# no weights could be had to measure it].
MIN_PEAK = 0.3
MIN_FACE = 12  # pixels; smaller faces carry no mouth
LEAST_SIDE = 320  # pixels; frames are not shrunk below this when GPU memory is short
log = logging.getLogger(__name__)


class S3fdFanDetector:
    """Detector over face-alignment 1.5; see `faces.detectors.Detector`.

    Args:
        device: "cpu", "cuda", "cuda:1", "mps".
        weights: folder with the two weight files; nothing outside it is read or downloaded. None takes torch's cache
            (`$TORCH_HOME/hub/checkpoints`) and downloads there what is missing, as the package does.
        batch_size: faces of one frame that FAN sees at once; halved when GPU memory is short.

    Raises:
        InputError: the package or a file is missing, a file is damaged or holds something else, or there is no such device.
    """

    name = "face-alignment"

    def __init__(self, *, device="cpu", weights=None, batch_size=8):
        import torch

        package = _import_package()
        self.version = package.__version__
        self._device = _checked_device(str(device))
        s3fd, fan = weight_files(weights)
        _read_weights(s3fd)
        make = _local_aligner(package, _read_weights(fan), fan)
        with _out_of_memory() as short:
            try:
                self._aligner = make(
                    package.LandmarksType.TWO_D,
                    device=self._device,
                    flip_input=False,
                    face_detector="sfd",
                    face_detector_kwargs={"path_to_detector": str(s3fd)},
                    compile=False,
                    max_batch_size=max(1, int(batch_size)),
                )
            except torch.OutOfMemoryError:
                raise
            except _MISMATCH as error:
                raise _damaged(s3fd, error) from error
        if short.error:
            raise self._too_little("to load S3FD and FAN") from short.error

    def detect(self, frame):
        """(H, W, 3) uint8 RGB -> list of Face, largest first. The score is S3FD's."""
        boxes = self._find_boxes(np.ascontiguousarray(frame))
        boxes = [box for box in boxes if min(box[2] - box[0], box[3] - box[1]) >= MIN_FACE and _inside(box, frame.shape)]
        if not boxes:
            return []
        marks, peaks = self._landmarks(frame, boxes)
        faces = [
            Face.from_landmarks(points, np.clip(box[4], 0, 1))
            for box, points, peak in zip(boxes, marks, peaks, strict=True)
            if peak >= MIN_PEAK
        ]
        return sorted((face for face in faces if face.size >= MIN_FACE), key=lambda face: -face.size)

    def follow(self, frame, face):
        """The face again, in the next frame, or None when FAN is unsure of it. The score is the mean peak of the heat maps."""
        if face.size < MIN_FACE or not _inside(face.box, frame.shape):
            return None
        (points,), (peak,) = self._landmarks(frame, [face.box])
        if peak < MIN_PEAK:
            return None
        found = Face.from_landmarks(points, np.clip(peak, 0, 1))
        jumped = np.linalg.norm(found.centre - face.centre) > 0.6 * face.size or not 0.6 < found.size / face.size < 1.67
        return None if jumped or found.size < MIN_FACE else found

    def close(self):
        """Free the networks; the detector is of no use afterwards."""
        self._aligner = None

    def _find_boxes(self, frame):
        """S3FD's boxes, (n, 5): x1, y1, x2, y2 in pixels, and score.

        A frame too large for the memory of the GPU is searched at half its size, and so on.
        """
        import cv2

        view, scale = frame, 1
        while True:
            with _out_of_memory() as short:
                found = self._aligner.face_detector.detect_from_image(view)
                break
            if max(view.shape[:2]) / 2 < LEAST_SIDE:
                raise self._too_little("for S3FD, even on small frames") from short.error
            scale *= 2
            view = cv2.resize(frame, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_AREA)
            log.warning("GPU memory is short: faces are looked for at 1/%d of the size", scale)
        boxes = np.asarray(found, np.float64).reshape(-1, 5).copy()
        boxes[:, :4] *= scale
        return boxes

    def _landmarks(self, frame, boxes):
        """FAN's landmarks (n, 68, 2) float32 in frame pixels and mean peaks (n,) of the heat maps, for boxes x1, y1, x2, y2.

        The package gives the pixel that holds the point: whole numbers.
        """
        aligner = self._aligner
        boxes = [np.asarray(box, np.float64)[:4] for box in boxes]
        while True:
            with _out_of_memory() as short:
                marks, peaks, _ = aligner.get_landmarks_from_image(frame, boxes, return_landmark_score=True)
                return np.asarray(marks, np.float32), np.asarray(peaks, np.float32).reshape(len(boxes), -1).mean(1)
            if aligner.max_batch_size == 1:
                raise self._too_little("for FAN, even for one face at a time") from short.error
            aligner.max_batch_size = max(1, min(aligner.max_batch_size, len(boxes)) // 2)

    def _too_little(self, what):
        return InputError(f"--device {self._device}: too little free memory {what}; free some, or use --device cpu")


_MISMATCH = (RuntimeError, ValueError, KeyError, TypeError, AttributeError)  # what load_state_dict raises
_UNREADABLE = (*_MISMATCH, EOFError, OSError, IndexError, pickle.UnpicklingError)  # what torch.load raises on other files


def _import_package():
    try:
        import face_alignment
        import face_alignment.models
    except ImportError as error:
        raise InputError(
            f'face-alignment cannot be loaded ({error}): pip install -e ".[face-alignment]", or use --detector mediapipe'
        ) from error
    return face_alignment


def _checked_device(device):
    """The device's name, when torch has such a device."""
    import torch

    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"--device {device}: unknown; choose cpu, cuda, cuda:N or mps") from error
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(wanted.type, 0)
    if (wanted.index or 0) >= count:
        raise InputError(f"--device {device}: torch sees no such device here; use --device cpu")
    return device


def _cache_folder():
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def weight_files(weights=None):
    """Paths of S3FD's and FAN's weights; arguments and errors as of `S3fdFanDetector`."""
    folder = Path(weights) if weights is not None else _cache_folder()
    if weights is None:
        _download_missing(folder)
    return _weights_file(folder, S3FD_FILE), _weights_file(folder, FAN_FILE)


def _download_missing(folder):
    """Fetch the weight files that are not in `folder`, from the addresses that the package knows."""
    if all((folder / name).is_file() for name in (S3FD_FILE, FAN_FILE)):
        return
    from face_alignment import api
    from face_alignment.detection.sfd import sfd_detector
    from torch.hub import download_url_to_file

    addresses = {S3FD_FILE: sfd_detector.models_urls["s3fd"], FAN_FILE: api.models_urls["2DFAN-4"]}
    for name, address in addresses.items():
        if (folder / name).is_file():
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
            download_url_to_file(address, str(folder / name))
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"{folder / name}: face-alignment's weights are not there and cannot be downloaded ({error}); put "
                f"{S3FD_FILE} and {FAN_FILE} into {folder} (see docs/install.md), or use --detector mediapipe"
            ) from error


def _weights_file(folder, name):
    """Path of a weight file; InputError, with what to do, where it is missing or empty."""
    try:
        return require_file(folder / name, "weights of face-alignment")
    except InputError as error:
        raise InputError(f"{error}; {folder} must hold {S3FD_FILE} and {FAN_FILE} (see docs/install.md)") from error


def _read_weights(path):
    """The state dict in a file; no code in it is run."""
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise _damaged(path, error) from error


def _damaged(path, error):
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
    return InputError(f"{path}: damaged, or not the weights of face-alignment 1.5 ({reason}); remove it and fetch it again")


def _local_aligner(package, state, path):
    """A FaceAlignment class whose FAN takes `state`, read from `path`, in place of a download."""

    class LocalFaceAlignment(package.FaceAlignment):
        def _load_native(self, network_name, network_size, device, dtype):
            network = package.models.FAN(network_size)
            try:
                network.load_state_dict(state)
            except _MISMATCH as error:
                raise _damaged(path, error) from error
            return network.to(device, dtype=dtype).eval()

    return LocalFaceAlignment


class _Shortage:
    """What `_out_of_memory` caught, if anything."""

    error = None


@contextlib.contextmanager
def _out_of_memory():
    """Catch torch's out-of-memory error, and give back what the failed attempt still held."""
    import torch

    caught = _Shortage()
    try:
        yield caught
    except torch.OutOfMemoryError as error:
        caught.error = error.with_traceback(None)  # the traceback holds the tensors
        torch.cuda.empty_cache()


def _inside(box, shape):
    """True when the middle of a box lies in the picture: FAN's crop needs that."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return 0 <= x < shape[1] and 0 <= y < shape[0]
