"""MediaPipe face mesh: works offline, its models lie inside the wheel.

Faces are found by MediaPipe's full-range detector, on overlapping tiles when the whole frame shows none. Landmarks come from
the face mesh with refined lips, run on a square window around the face. The window stands still while the face stays in its
middle, so that the mesh can track inside it, and is laid anew when the face leaves it. Windows keep the true aspect ratio:
squeezed input gives wrong lips.
"""

import warnings

import numpy as np

from common.errors import InputError
from faces.detectors import Face
from faces.detectors.quiet import silent_stderr
from faces.landmarks import MESH_TO_68

WINDOW_SIDE = 288  # pixels of the window that the mesh sees
WINDOW_SCALE = 2.0  # side of the window over the size of the face
BOX_SCALE = 1.6  # side of the window over the longer side of a box of the finder
DRIFT = 0.22  # the window is laid anew when the face's centre leaves its middle by this share of the face's size ...
GROWTH = 1.3  # ... or its size changes by this factor
MIN_DETECTION, MIN_PRESENCE = 0.5, 0.5
TILE_FROM = 480  # frames with a longer side than this are searched in tiles too when the whole shows no face
TILE_LEAST = 96  # strips narrower than this are not searched in tiles: there would be very many, and no face with a mouth
CUT_LEVEL = 40.0  # mean absolute grey-level change of the window, from one frame to the next, that counts as a cut
MIN_FACE = 12  # pixels; smaller faces carry no mouth
MIN_LANDMARK_SPREAD = 1e-3


class MeshDetector:
    """Detector over MediaPipe's face detection and face mesh; see `faces.detectors.Detector`."""

    name = "mediapipe"

    def __init__(self):
        with silent_stderr():  # the three models are loaded here, and TensorFlow Lite reports on each
            try:
                import mediapipe
                from mediapipe import solutions
            except ImportError as error:
                raise InputError(
                    f"mediapipe cannot be loaded ({error}); see docs/install.md, or use --detector face-alignment"
                ) from error
            # Old API of protobuf inside mediapipe, called for every face that is found.
            warnings.filterwarnings("ignore", message=r"SymbolDatabase\.GetPrototype", category=UserWarning)
            self.version = mediapipe.__version__
            self._finder = solutions.face_detection.FaceDetection(model_selection=1, min_detection_confidence=MIN_DETECTION)
            options = {"refine_landmarks": True, "max_num_faces": 1, "min_detection_confidence": 0.3}
            self._still = solutions.face_mesh.FaceMesh(static_image_mode=True, **options)
            options["min_tracking_confidence"] = MIN_PRESENCE
            self._moving = solutions.face_mesh.FaceMesh(static_image_mode=False, **options)
            for graph in (self._finder, self._still, self._moving):
                graph.process(_nothing_to_see())
        self._window = None  # (x, y, side) of the standing window
        self._window_size = 0.0  # size of the face when the window was laid
        self._last_view = None

    def detect(self, frame):
        """(H, W, 3) uint8 RGB -> list of Face, largest first."""
        frame = np.ascontiguousarray(frame)
        faces = []
        for box, score in self._find_boxes(frame):
            centre, size = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
            landmarks = self._mesh(self._still, frame, _square(centre, size * BOX_SCALE))
            if landmarks is not None:
                faces.append(Face.from_landmarks(landmarks, score))
        faces = _distinct([face for face in faces if face.size >= MIN_FACE])
        self._window = None
        return sorted(faces, key=lambda face: -face.size)

    def follow(self, frame, face):
        """The face again, in the next frame, or None when it left, was covered, or the picture was cut."""
        frame = np.ascontiguousarray(frame)
        if not self._window_fits(face):
            self._window, self._window_size, self._last_view = _square(face.centre, face.size * WINDOW_SCALE), face.size, None
            self._forget()
        landmarks = self._mesh(self._moving, frame, self._window, watch_cut=True)
        if landmarks is None:
            self._window = None
            return None
        found = Face.from_landmarks(landmarks, 1.0)
        jumped = np.linalg.norm(found.centre - face.centre) > 0.6 * face.size or not 0.6 < found.size / face.size < 1.67
        if jumped or found.size < MIN_FACE:
            self._window = None
            return None
        return found

    def close(self):
        """Free MediaPipe's graphs; the detector is of no use afterwards."""
        for graph in (self._finder, self._still, self._moving):
            graph.close()

    def _window_fits(self, face):
        if self._window is None:
            return False
        x, y, side = self._window
        away = np.abs(face.centre - (x + side / 2, y + side / 2)).max()
        return away < DRIFT * self._window_size and 1 / GROWTH < face.size / self._window_size < GROWTH

    def _forget(self):
        """Make the tracking mesh look for the face anew.

        A black picture does it: the mesh's own presence score falls, and so does what it remembers. `reset` would load the
        models again, with their log messages; it is kept for the case that a face is seen even there.
        """
        if self._moving.process(_nothing_to_see()).multi_face_landmarks:
            with silent_stderr():
                self._moving.reset()

    def _mesh(self, graph, frame, window, watch_cut=False):
        """Landmarks (68, 2) in frame pixels from the square window (x, y, side), or None."""
        import cv2

        x, y, side = window
        shown = min(WINDOW_SIDE, max(int(side), 96))
        scale = shown / side
        half = (scale - 1) / 2  # pixel centres
        matrix = np.array([[scale, 0, half - x * scale], [0, scale, half - y * scale]])
        if scale < 0.5:
            view = _area_window(frame, window, shown)
        else:
            view = cv2.warpAffine(frame, matrix, (shown, shown), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        if watch_cut:
            small = cv2.resize(view, (24, 24), interpolation=cv2.INTER_AREA).astype(np.float32)
            cut = self._last_view is not None and float(np.abs(small - self._last_view).mean()) > CUT_LEVEL
            self._last_view = small
            if cut:
                return None
        result = graph.process(view)
        if not result.multi_face_landmarks:
            return None
        mesh = result.multi_face_landmarks[0].landmark
        points = np.array([(mesh[i].x, mesh[i].y) for i in MESH_TO_68], np.float64) * shown
        if np.ptp(points) < MIN_LANDMARK_SPREAD:
            return None
        # MediaPipe's x = 1 is the right edge of the picture, so pixel centres sit at (index + 0.5) / shown.
        points = (points - 0.5 - matrix[:, 2]) / scale
        return points.astype(np.float32)

    def _find_boxes(self, frame):
        """Boxes of faces, on the whole frame, else on tiles: list of ((4,) float pixels, score)."""
        height, width = frame.shape[:2]
        boxes = self._boxes_in(frame, 0, 0)
        if not boxes and max(height, width) > TILE_FROM and min(height, width) >= TILE_LEAST:
            for top, left, rows, columns in _tiles(height, width):
                boxes += self._boxes_in(frame[top : top + rows, left : left + columns], left, top)
        return boxes

    def _boxes_in(self, view, left, top):
        import cv2

        rows, columns = view.shape[:2]
        side = max(rows, columns)
        padded = np.zeros((side, side, 3), np.uint8)  # the detector squeezes what is not square
        padded[:rows, :columns] = view
        if side > 640:
            padded = cv2.resize(padded, (640, 640), interpolation=cv2.INTER_AREA)
        result = self._finder.process(padded)
        boxes = []
        for found in result.detections or ():
            box = found.location_data.relative_bounding_box
            corners = np.array([box.xmin, box.ymin, box.xmin + box.width, box.ymin + box.height]) * side
            boxes.append((corners + (left, top, left, top), float(found.score[0])))
        return boxes


def _square(centre, side):
    """(x, y, side) of the square window around `centre`, whole pixels."""
    side = max(16, int(round(side)))
    return int(round(centre[0] - side / 2)), int(round(centre[1] - side / 2)), side


def _area_window(frame, window, shown):
    """Cut the square window out, black outside the frame, and shrink it by area, which does not alias."""
    import cv2

    x, y, side = window
    height, width = frame.shape[:2]
    cut = np.zeros((side, side, 3), np.uint8)
    left, top, right, bottom = max(0, x), max(0, y), min(width, x + side), min(height, y + side)
    if right > left and bottom > top:
        cut[top - y : bottom - y, left - x : right - x] = frame[top:bottom, left:right]
    return cv2.resize(cut, (shown, shown), interpolation=cv2.INTER_AREA)


def _tiles(height, width):
    """Overlapping squares over the frame, half its shorter side and more: (top, left, rows, columns) each."""
    side = int(min(max(height, width) * 0.6, min(height, width)))
    tops = np.unique(np.linspace(0, height - side, max(1, int(np.ceil(height / side * 1.5)))).astype(int))
    lefts = np.unique(np.linspace(0, width - side, max(1, int(np.ceil(width / side * 1.5)))).astype(int))
    return [(int(top), int(left), side, side) for top in tops for left in lefts]


def _distinct(faces):
    """Drop a face whose centre lies inside a better one: the tiles overlap."""
    kept = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(np.linalg.norm(face.centre - other.centre) > 0.4 * max(face.size, other.size) for other in kept):
            kept.append(face)
    return kept


def _nothing_to_see():
    """A black picture, of the size that the mesh sees."""
    return np.zeros((WINDOW_SIDE, WINDOW_SIDE, 3), np.uint8)
