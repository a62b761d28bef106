import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from faces.detectors import Face, build_detector
from faces.tracking.track import FaceSelection, track_face
from faces.tracking.tracked import FaceTrack
from tests.faces_kit import plain_face


class Scripted:
    """A detector that knows where the faces are: `script[t]` lists (x, y, eyes) of the faces that frame t shows.

    The frame carries its own number, so the detector needs no eyes. `calls` notes what was asked.
    """

    name, version = "scripted", "1"

    def __init__(self, script):
        self.script, self.calls = script, []

    def frames(self, width=640, height=480):
        for number in range(len(self.script)):
            yield np.full((height, width, 3), number, np.uint8)

    def detect(self, frame):
        self.calls.append("detect")
        faces = [Face.from_landmarks(plain_face(*place), 0.9) for place in self.script[frame[0, 0, 0]]]
        return sorted(faces, key=lambda face: -face.size)

    def follow(self, frame, face):
        self.calls.append("follow")
        near = [
            Face.from_landmarks(plain_face(*place), 1.0)
            for place in self.script[frame[0, 0, 0]]
            if np.linalg.norm(Face.from_landmarks(plain_face(*place), 1.0).centre - face.centre) < 15
        ]
        return near[0] if near else None

    def close(self):
        pass


def track(script, selection=None, **options):
    detector = Scripted(script)
    found = track_face(detector.frames(), detector, selection, **options)
    return found, detector


def middles(found):
    """x of the point between the eyes, frame by frame; NaN where there is no face."""
    return found.landmarks[:, [36, 45], 0].mean(1)


LEFT, RIGHT = (120, 100, 40), (420, 100, 60)


def test_a_face_is_found_once_and_then_followed():
    found, detector = track([[(100 + 2 * t, 100, 40)] for t in range(20)])
    assert detector.calls == ["detect"] + ["follow"] * 19
    np.testing.assert_allclose(middles(found), 100 + 2 * np.arange(20), atol=0.01)
    assert found.present.all() and not found.interpolated.any() and (found.width, found.height) == (640, 480)
    assert found.landmarks.dtype == np.float32 and found.most_faces == 1


def test_a_short_gap_is_filled_in_a_straight_line():
    script = [[(100 + 4 * t, 100, 40)] for t in range(20)]
    script[5:8] = [[]] * 3
    found, _ = track(script, fps=25)
    assert found.present.all() and np.flatnonzero(found.interpolated).tolist() == [5, 6, 7]
    np.testing.assert_allclose(middles(found), 100 + 4 * np.arange(20), atol=0.01)


@pytest.mark.parametrize("fps, longest", [(25, 6), (50, 12), (10, 2)])
def test_the_longest_gap_is_a_time_not_a_number_of_frames(fps, longest):
    for gap in (longest, longest + 1):
        script = [[LEFT]] * 3 + [[]] * gap + [[LEFT]] * 3
        found, _ = track(script, fps=fps)
        assert found.present.all() == (gap == longest)
        assert np.isnan(found.landmarks).any() == (gap > longest)


def test_frames_before_the_first_and_after_the_last_face_stay_without():
    found, _ = track([[], []] + [[LEFT]] * 4 + [[]])
    assert found.present.tolist() == [False, False, True, True, True, True, False]
    assert not found.interpolated.any() and np.isnan(found.landmarks[[0, 1, 6]]).all()


def test_no_face_at_all_is_a_track_without_one():
    found, _ = track([[]] * 5)
    assert len(found) == 5 and not found.present.any()


def test_no_frame_at_all_is_refused():
    with pytest.raises(InputError, match="no frame"):
        track([])


def test_the_largest_face_is_taken_and_kept():
    script = [[LEFT, RIGHT]] * 3 + [[(120, 100, 90), RIGHT]] * 3  # the other one comes closer
    found, detector = track(script)
    np.testing.assert_allclose(middles(found), 420, atol=0.01)
    assert found.most_faces == 2 and detector.calls.count("detect") == 1


@pytest.mark.parametrize("index, x", [(0, 120), (1, 420)])
def test_a_face_chosen_by_number_counted_from_the_left(index, x):
    found, _ = track([[RIGHT, LEFT]] * 4, FaceSelection(index=index))
    np.testing.assert_allclose(middles(found), x, atol=0.01)


def test_a_numbered_face_is_waited_for():
    found, _ = track([[LEFT]] * 3 + [[LEFT, RIGHT]] * 3, FaceSelection(index=1))
    assert found.present.tolist() == [False] * 3 + [True] * 3
    np.testing.assert_allclose(middles(found)[3:], 420, atol=0.01)


def test_a_number_that_never_shows_is_refused():
    with pytest.raises(InputError, match="at most 2 face"):
        track([[LEFT, RIGHT]] * 4, FaceSelection(index=2))


def test_the_face_nearest_to_a_place():
    found, _ = track([[RIGHT, LEFT]] * 4, FaceSelection(near=(100, 120)))
    np.testing.assert_allclose(middles(found), 120, atol=0.01)


def test_contradicting_selections_are_refused():
    with pytest.raises(InputError, match="exclude"):
        FaceSelection(index=0, near=(1, 1))
    with pytest.raises(InputError, match="--face_index"):
        FaceSelection(index=-1)


@pytest.mark.parametrize("gap", [2, 30])
def test_after_a_loss_the_same_face_is_taken_again(gap):
    """The small face on the left was chosen; both vanish for a while, then both are back."""
    found, _ = track([[LEFT, RIGHT]] * 3 + [[]] * gap + [[LEFT, RIGHT]] * 3, FaceSelection(near=(120, 110)))
    np.testing.assert_allclose(middles(found)[-3:], 120, atol=0.01)


def test_another_face_does_not_take_the_place_of_a_lost_one_at_once():
    script = [[LEFT, RIGHT]] * 3 + [[RIGHT, (600, 100, 30)]] * 3 + [[LEFT, RIGHT]] * 3  # hidden for three frames
    found, _ = track(script, FaceSelection(near=(120, 110)))
    assert np.flatnonzero(found.interpolated).tolist() == [3, 4, 5]
    np.testing.assert_allclose(middles(found), 120, atol=0.01)


def test_after_a_cut_the_only_face_is_taken():
    found, _ = track([[LEFT]] * 4 + [[RIGHT]] * 4)
    np.testing.assert_allclose(middles(found), [120] * 4 + [420] * 4, atol=0.01)
    assert found.present.all() and not found.interpolated.any()


def test_a_gap_is_not_filled_with_a_flight_across_the_picture():
    found, _ = track([[LEFT]] * 4 + [[]] * 3 + [[RIGHT]] * 4)
    assert np.flatnonzero(~found.present).tolist() == [4, 5, 6]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(0, 10))
def test_what_is_present_is_what_was_seen_and_short_gaps_between(seen, longest):
    found, _ = track([[LEFT] if flag else [] for flag in seen], fps=10, max_gap_seconds=longest / 10)
    expected, last = list(seen), None
    for t, flag in enumerate(seen):
        if flag:
            if last is not None and t - last - 1 <= longest:
                expected[last:t] = [True] * (t - last)
            last = t
    assert found.present.tolist() == expected
    assert (found.present & ~np.array(seen)).tolist() == found.interpolated.tolist()
    assert (np.isfinite(found.landmarks).all((1, 2)) == found.present).all()


def test_progress_is_told_frame_by_frame():
    told = []
    track([[LEFT]] * 7, on_frame=lambda: told.append(1))
    assert len(told) == 7


def test_a_track_is_read_as_it_was_written(tmp_path):
    script = [[LEFT]] * 4 + [[]] * 2 + [[LEFT]] * 4 + [[]]
    found, _ = track(script)
    found.save(tmp_path / "new folder" / "a.npz")
    again = FaceTrack.load(tmp_path / "new folder" / "a.npz")
    for name in ("landmarks", "present", "interpolated"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert (again.width, again.height, again.most_faces) == (640, 480, 1)
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["a.npz"]


def test_a_track_costs_little_room(tmp_path):
    found, _ = track([[LEFT]] * 200)
    found.save(tmp_path / "a.npz")
    assert (tmp_path / "a.npz").stat().st_size < 200 * 600


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "array", "other", "misfit", "missing"])
def test_a_damaged_track_is_told(tmp_path, damage):
    path = tmp_path / "a.npz"
    found, _ = track([[(100 + t, 100, 40)] for t in range(30)])
    found.save(path)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "array":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    elif damage == "other":
        np.savez(path, landmarks=np.zeros(3))
    elif damage == "misfit":
        FaceTrack(found.landmarks[:5], found.present, found.interpolated, 640, 480).save(path)
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes(255 - byte for byte in whole[middle : middle + 40]) + whole[middle + 40 :]
        path.write_bytes({"cut": whole[:middle], "flipped": flipped, "empty": b"", "text": b"no track"}[damage])
    with pytest.raises(ValueError):
        FaceTrack.load(path)


def test_an_unknown_detector_is_refused():
    with pytest.raises(InputError, match="mediapipe, face-alignment"):
        build_detector("dlib")
