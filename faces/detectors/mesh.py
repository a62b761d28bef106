"""MediaPipe face mesh: works offline, its models lie inside the wheel.

Faces are found by MediaPipe's full-range detector, on overlapping tiles when the whole frame shows none, finer and finer ones,
and on turned frames when it shows none for certain. Landmarks come from the face mesh with refined lips, run on a square
window around the face, in which a face that leans far stands upright. The window stands still while the face stays in its
middle, so that the mesh can track inside it, and is laid anew when the face leaves it or leans. Windows keep the true aspect
ratio: squeezed input gives wrong lips.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from common.errors import InputError
from faces.crops import inverse
from faces.detectors import Face
from faces.detectors.quiet import silent_stderr
from faces.detectors.tiles import SearchDepth, levels
from faces.detectors.views import LEAN, Window, between, roll_of, turned_views
from faces.landmarks import MESH_TO_68, apply_affine

WINDOW_SIDE = 288  # pixels of the window that the mesh sees
WINDOW_SCALE = 2.0  # side of the window over the size of the face
BOX_SCALES = (1.6, 2.2)  # side of the window over the longer side of a box of the finder; where the mesh sees no face, wider
DRIFT = 0.22  # the window is laid anew when the face's centre leaves its middle by this share of the face's size ...
GROWTH = 1.3  # ... or its size changes by this factor
MOST_LEAN = 50.0  # degrees that a face may lean in its window before the window is laid anew
CERTAIN = 0.8  # score of the finder below which turned frames are searched too: faces seen the wrong way up seldom score more
UPRIGHT_VOTE = 2.0  # weight of a hit on the frame as it is, against those on turned ones
MIN_DETECTION, MIN_PRESENCE = 0.5, 0.5
FINDER_SIDE, LARGE = 640, 2048  # pixels: larger pictures are shrunk for the finder; much larger ones before they are padded
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
        self._depth = SearchDepth()
        self._window = None  # the standing window
        self._window_size = 0.0  # size of the face when the window was laid
        self._last_view = None

    def detect(self, frame):
        """(H, W, 3) uint8 RGB -> list of Face, largest first."""
        frame = np.ascontiguousarray(frame)
        faces = []
        for hits in self._find(frame):
            seen = (self._read(frame, hit, scale) for scale in BOX_SCALES for hit in hits)
            faces.append(next((face for face in seen if face is not None), None))
        faces = _distinct([face for face in faces if face is not None and face.size >= MIN_FACE])
        self._window = None
        self._depth.update(faces)
        return sorted(faces, key=lambda face: -face.size)

    def follow(self, frame, face):
        """The face again, in the next frame, or None when it left, was covered, or the picture was cut."""
        frame = np.ascontiguousarray(frame)
        if not self._window_fits(face):
            self._window = Window.around(face.centre, face.size * WINDOW_SCALE, roll_of(face.landmarks))
            self._window_size, self._last_view = face.size, None
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
        if between(roll_of(face.landmarks), self._window.angle) > MOST_LEAN:
            return False
        away = np.abs(face.centre - self._window.middle).max()
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
        """Landmarks (68, 2) in frame pixels from a Window, or None."""
        import cv2

        shown = min(WINDOW_SIDE, max(window.side, 96))
        view = window.cut(frame, shown)
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
        return apply_affine(inverse(window.matrix(shown)), points - 0.5).astype(np.float32)

    def _read(self, frame, found, scale):
        """Face at a place that the finder named, or None where the mesh sees none."""
        window = Window.around(found.centre, found.size * scale, found.angle)
        landmarks = self._mesh(self._still, frame, window)
        if landmarks is None:
            return None
        roll = roll_of(landmarks)
        if between(roll, window.angle) > LEAN:  # once more, upright: the mesh has seen few faces that lean
            again = self._mesh(self._still, frame, Window.around(found.centre, found.size * scale, roll))
            landmarks = landmarks if again is None else again
        return Face.from_landmarks(landmarks, found.score)

    def _find(self, frame):
        """Places where the finder sees a face, as `_agreed` has them: on the whole frame, else on tiles; where none of these is
        certain, on turned frames too.
        """
        found = self._boxes_in(frame, 0, 0)
        tiles = levels(*frame.shape[:2])
        for level in tiles if self._depth.deep() else tiles[:1]:
            if found:
                break
            for top, left, rows, columns in level:
                found += self._boxes_in(frame[top : top + rows, left : left + columns], left, top)
        if max((one.score for one in found), default=0.0) < CERTAIN:
            for angle, view, to_frame in turned_views(frame):
                scale = float(np.sqrt(abs(np.linalg.det(to_frame[:, :2]))))
                for one in self._boxes_in(view, 0, 0):
                    centre = apply_affine(to_frame, one.centre[None])[0]
                    found.append(_Found(centre, one.size * scale, one.score, angle))
        return _agreed(found)

    def _boxes_in(self, view, left, top):
        """list of _Found on a part of the frame that begins at (left, top)."""
        import cv2

        rows, columns = view.shape[:2]
        side = whole = max(rows, columns)
        if side > LARGE:
            rows, columns = (max(1, round(extent * FINDER_SIDE / side)) for extent in (rows, columns))
            view, side = cv2.resize(view, (columns, rows), interpolation=cv2.INTER_AREA), FINDER_SIDE
        padded = np.zeros((side, side, 3), np.uint8)  # the detector squeezes what is not square
        padded[:rows, :columns] = view
        if side > FINDER_SIDE:
            padded = cv2.resize(padded, (FINDER_SIDE, FINDER_SIDE), interpolation=cv2.INTER_AREA)
        result = self._finder.process(padded)
        boxes = []
        for found in result.detections or ():
            box = found.location_data.relative_bounding_box
            centre = np.array([box.xmin + box.width / 2, box.ymin + box.height / 2]) * whole + (left, top)
            boxes.append(_Found(centre, max(box.width, box.height) * whole, float(found.score[0]), 0.0))
        return boxes


@dataclass(frozen=True)
class _Found:
    """What the finder saw: centre (2,) and longer side of the box in frame pixels, score, and how the face stands (degrees)."""

    centre: np.ndarray
    size: float
    score: float
    angle: float


def _agreed(found):
    """Places as lists of the hits there, on views turned this way and that, in the order in which the others support them;
    hits that most speak against are left out.

    The finder takes a face the wrong way up now and then, with a score like a right one, but then in a single view; the right
    way up it shows in neighbouring views too.
    """
    left, places = sorted(found, key=lambda one: -one.score), []
    while left:
        near = [np.linalg.norm(left[0].centre - one.centre) <= 0.4 * max(left[0].size, one.size) for one in left]
        here = [one for one, is_near in zip(left, near, strict=True) if is_near]
        left = [one for one, is_near in zip(left, near, strict=True) if not is_near]
        weight = np.array([other.score * (UPRIGHT_VOTE if other.angle == 0 else 1) for other in here])
        angles = np.deg2rad([other.angle for other in here])
        support = np.cos(angles[:, None] - angles) @ weight
        best = [here[at] for at in np.argsort(-support, kind="stable") if support[at] > 0]
        # Of a face whose chin is outside the frame, the rest may look like a face on its head, a little beside.
        if best and not any(_on_its_head(best[0], other[0]) for other in places if other):
            places.append(best)
    return places


def _on_its_head(one, better):
    """True when a hit lies over a better one and the other way up."""
    return between(one.angle, better.angle) > 90 and np.linalg.norm(one.centre - better.centre) < max(one.size, better.size)


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
