"""Where a video is cut: the detector over its pictures, and the tracker that begins anew."""

import numpy as np
import pytest

from faces.crops import CropSpec, plan_crops
from faces.detectors import Face
from faces.tracking.cuts import CutDetector
from faces.tracking.track import FaceSelection, track_face
from faces.tracking.tracked import FaceTrack
from tests.faces_kit import plain_face, track_of

WIDTH, HEIGHT = 160, 120


def scene(seed, fine=12):
    """(H, W, 3) uint8: patches with soft edges, others for each seed."""
    import cv2

    patches = np.random.default_rng(seed).integers(20, 235, (fine * 3 // 4, fine, 3), np.uint8)
    return cv2.resize(patches, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)


def moved(picture, x):
    return np.roll(picture, x, axis=1)


def faded(picture, shares):
    return [np.rint(picture * share).astype(np.uint8) for share in shares]


def begins(frames):
    """Numbers of the frames at which the detector sees a shot begin; of one through black, of the first after it."""
    detector = CutDetector(frames)
    return [number for number, _ in enumerate(detector) if detector.cut()]


ONE, TWO = scene(1), scene(2)
DOWN = np.linspace(1, 0, 9)
BLACK = [np.zeros_like(ONE)]


def test_frames_come_in_order_and_all():
    frames = [np.full((40, 50, 3), number, np.uint8) for number in range(9)]
    assert [int(frame[0, 0, 0]) for frame in CutDetector(iter(frames))] == list(range(9))
    assert not list(CutDetector([])) and not begins(frames[:1])


@pytest.mark.parametrize("at", [4, 9])
def test_a_cut_is_found_where_it_is(at):
    noise = np.random.default_rng(0)
    frames = [picture + noise.integers(0, 6, picture.shape, np.uint8) for picture in [ONE] * at + [TWO] * 8]
    assert begins(frames) == [at]


@pytest.mark.parametrize("between", [[np.full_like(ONE, 250)], [np.uint8(ONE // 2 + TWO // 2)]], ids=["flash", "mix"])
def test_one_frame_between_the_shots_hides_no_cut(between):
    (found,) = begins([ONE] * 6 + between + [TWO] * 6)
    assert found in (6, 7)


NO_CUTS = {
    "flash": [ONE] * 6 + [np.minimum(ONE.astype(int) * 2 + 60, 255).astype(np.uint8)] * 2 + [ONE] * 6,
    "lamp": [ONE] * 6 + [np.minimum(ONE * np.linspace(1.6, 0.8, WIDTH)[None, :, None], 255).astype(np.uint8)] * 6,
    "dark": [ONE] * 6 + faded(ONE, [0.3] * 6),
    "camera": [moved(ONE, round(40 * np.sin(t / 3))) for t in range(24)],
    "jerk": [moved(ONE, 6 * max(0, min(t - 8, 4))) for t in range(20)],
    "held frames": [moved(ONE, 10 * (t // 2)) for t in range(20)],
    "black frames": [ONE] * 6 + BLACK * 3 + [ONE] * 6,
    "fade in and out": faded(ONE, DOWN[::-1]) + [ONE] * 3 + faded(ONE, DOWN) + faded(ONE, DOWN[::-1]),
    "nothing at all": BLACK * 12,
}


@pytest.mark.parametrize("kind", NO_CUTS)
def test_what_is_no_cut(kind):
    assert begins(NO_CUTS[kind]) == []


@pytest.mark.parametrize("kind", ["black", "fade"])
def test_two_scenes_with_black_between(kind):
    frames = [ONE] * 5 + BLACK * 4 + [TWO] * 6
    if kind == "fade":
        frames = [ONE] * 4 + faded(ONE, DOWN) + BLACK * 2 + faded(TWO, DOWN[::-1]) + [TWO] * 6
    detector, found = CutDetector(frames), []
    for number, _ in enumerate(detector):
        if detector.cut():
            found.append((number, detector.gap))
    assert len(found) == 1
    assert (found[0] == (9, 4)) if kind == "black" else found[0][1] > 2


def test_another_face_before_the_same_wall_is_found_by_its_surroundings():
    first, second = ONE.copy(), ONE.copy()
    head = slice(38, 62), slice(58, 82)
    first[head], second[head] = scene(3, 24)[head], scene(4, 24)[head]
    face = Face(np.float32([62, 42, 78, 58]), np.zeros((68, 2), np.float32), 1.0)
    detector = CutDetector([first] * 6 + [second] * 6)
    assert [number for number, _ in enumerate(detector) if detector.cut(face)] == [6]
    assert begins([first] * 6 + [second] * 6) == []


class Scripted:
    """Knows where the faces of a frame are: places[t]; a frame has its number in its first pixel. `follow` keeps what it had
    for as long as a face is near, as a mesh does that is not told of a cut."""

    name, version = "scripted", "1"

    def __init__(self, places):
        self.places, self.calls = places, []

    def detect(self, frame):
        self.calls.append("detect")
        return [Face.from_landmarks(plain_face(*place), 0.9) for place in self.places[frame[0, 0, 0]]]

    def follow(self, frame, face):
        self.calls.append("follow")
        near = [place for place in self.places[frame[0, 0, 0]] if np.hypot(*(face.centre - place[:2])) < 40]
        return Face(face.box, face.landmarks, 1.0) if near else None

    def close(self):
        pass


def followed(pictures, places, selection=None):
    frames = []
    for number, picture in enumerate(pictures):
        frames.append(picture.copy())
        frames[-1][0, 0] = number
    detector = Scripted(places)
    return track_face(frames, detector, selection), detector


def middles(track):
    return track.landmarks[:, [36, 45], 0].mean(1)


def test_no_face_is_carried_over_a_cut():
    places = [[(60, 50, 15)]] * 6 + [[(66, 52, 17)]] * 6
    track, detector = followed([ONE] * 6 + [TWO] * 6, places)
    assert track.shots.tolist() == [0] * 6 + [1] * 6 and track.cuts() == [6] and track.runs() == [(0, 6), (6, 12)]
    np.testing.assert_allclose(middles(track), [60] * 6 + [66] * 6, atol=0.01)
    assert detector.calls.count("detect") == 2


def test_a_gap_is_not_filled_over_a_cut():
    places = [[(60, 50, 15)]] * 5 + [[]] * 3 + [[(62, 50, 15)]] * 5
    assert followed([ONE] * 13, places)[0].interpolated.sum() == 3
    track, _ = followed([ONE] * 7 + [TWO] * 6, places)
    assert not track.interpolated.any() and not track.present[5:8].any() and track.cuts() == [7]


LEFT, RIGHT = (40, 50, 12), (110, 50, 15)


@pytest.mark.parametrize("selection, x", [
    (FaceSelection(), 40), (FaceSelection(index=1), 110), (FaceSelection(near=(45, 60)), 40),
])  # fmt: skip
def test_the_same_rule_chooses_in_every_shot(selection, x):
    """In the first shot the right face is the larger one, in the second the left one."""
    larger = (40, 50, 20)
    track, _ = followed([ONE] * 6 + [TWO] * 6, [[LEFT, RIGHT]] * 6 + [[larger, RIGHT]] * 6, selection)
    assert middles(track)[11] == pytest.approx(x, abs=0.01)
    assert followed([ONE] * 12, [[LEFT, RIGHT]] * 6 + [[larger, RIGHT]] * 6)[0].cuts() == []


def test_a_shot_with_fewer_faces_than_the_number_stays_without():
    track, _ = followed([ONE] * 6 + [TWO] * 6, [[LEFT, RIGHT]] * 6 + [[(70, 50, 20)]] * 6, FaceSelection(index=1))
    assert track.present.tolist() == [True] * 6 + [False] * 6 and track.cuts() == []


def test_a_face_that_is_found_far_from_the_lost_one_begins_a_shot():
    track, _ = followed([ONE] * 10, [[LEFT]] * 5 + [[RIGHT]] * 5)
    assert track.shots.tolist() == [0] * 5 + [1] * 5


def test_what_was_taken_in_the_dark_for_the_old_face_is_dropped():
    frames = [ONE] * 5 + BLACK * 2 + faded(TWO, [0.1, 0.1, 0.3]) + [TWO] * 5
    places = [[LEFT]] * 5 + [[]] * 2 + [[LEFT, RIGHT]] * 8
    track, _ = followed(frames, places, FaceSelection())
    assert track.cuts() == [5] and middles(track)[9] == pytest.approx(110, abs=0.01)
    assert not (np.abs(middles(track)[5:] - 40) < 5).any()


def test_crops_are_not_smoothed_over_a_cut():
    track = track_of([plain_face(100, 90, 30)] * 10 + [plain_face(130, 100, 40)] * 10)
    alone = plan_crops(track_of([plain_face(100, 90, 30)] * 10), CropSpec())
    track.shots = np.arange(20) // 10
    for crop, other in zip(plan_crops(track, CropSpec()), alone, strict=False):
        np.testing.assert_allclose(crop.matrix, other.matrix, atol=1e-9)
    windows = plan_crops(track, CropSpec("window", 640))
    assert all(np.ptp([one.left for one in part]) <= 1 for part in (windows[:10], windows[10:]))


def test_a_track_keeps_its_shots_and_measures(tmp_path):
    track, _ = followed([ONE] * 6 + [TWO] * 6, [[(60, 50, 15)]] * 12)
    assert track.light.shape == (12, 3) and np.isfinite(track.light[::2]).all() and (track.detail[::2] > 0).all()
    assert np.abs(track.light[:6:2] - track.light[0]).max() < 2 and not track.covered.any()
    track.covered = np.arange(12) == 3
    track.save(tmp_path / "a.npz")
    again = FaceTrack.load(tmp_path / "a.npz")
    for name in ("shots", "light", "detail", "covered"):
        np.testing.assert_array_equal(getattr(again, name), getattr(track, name))
    part = again.first(7)
    assert len(part) == len(part.light) == len(part.covered) == 7 and part.cuts() == [6] and again.first(99) is again
    track.light = track.light[:5]
    track.save(tmp_path / "b.npz")
    with pytest.raises(ValueError, match="fit together"):
        FaceTrack.load(tmp_path / "b.npz")


def test_a_face_that_leaves_the_frame_is_not_whole():
    assert track_of([plain_face(), plain_face(20), None, plain_face(160, 200)]).whole().tolist() == [True, False, False, False]


def test_a_face_that_jumps_in_size_and_is_gone_at_once_is_not_believed():
    faces = [plain_face(eyes=40)] * 20 + [plain_face(eyes=12)] * 3 + [None] * 4 + [plain_face(eyes=80)] * 10
    faces += [plain_face(eyes=30)] * 8 + [plain_face(eyes=44)] * 5
    kept = track_of(faces).believed(25)
    assert kept[:20].all() and not kept[20:27].any() and kept[27:45].all() and not kept[45:].any()
    assert track_of([plain_face()]).believed(25).all() and track_of([plain_face(), plain_face(eyes=70)]).believed(25).all()
    track = track_of([plain_face(eyes=40)] * 20 + [plain_face(eyes=80)] * 4)
    assert not track.believed(25)[20:].any()
    track.shots = (np.arange(24) >= 20).astype(int)  # a short shot is no mistake
    assert track.believed(25).all()
