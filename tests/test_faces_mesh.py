"""The default detector on pictures of a real face."""

import os
import subprocess
import sys
import threading
from itertools import islice

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces.detectors import build_detector
from faces.detectors.quiet import silent_stderr
from faces.detectors.tiles import SearchDepth, levels
from faces.detectors.views import roll_of
from faces.landmarks import INNER_LIP_TOP, JAW, LEFT_EYE, MOUTH, RIGHT_EYE, apply_affine, interocular
from faces.mouth import mouth_opening
from faces.tracking.track import FaceSelection, track_face
from media import VideoReader
from tests.conftest import ROOT
from tests.faces_kit import portrait


@pytest.fixture(scope="module")
def detector():
    made = build_detector("mediapipe")
    yield made
    made.close()


def placed(matrix, width=640, height=480):
    """The portrait laid on a grey canvas by a (2, 3) matrix."""
    canvas = np.full((height, width, 3), 90, np.uint8)
    cv2.warpAffine(portrait(), matrix, (width, height), canvas, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT)
    return canvas


def at(x=0.0, y=0.0, scale=1.0, roll=0.0):
    """Similarity transform that brings the portrait's face (about (225, 115), 100 pixels wide) to (x, y)."""
    a, b = scale * np.cos(np.deg2rad(roll)), scale * np.sin(np.deg2rad(roll))
    linear = np.array([[a, -b], [b, a]])
    return np.concatenate([linear, (np.array([x, y]) - linear @ (225, 115))[:, None]], 1)


@pytest.fixture(scope="module")
def upright(detector):
    """The face of the portrait as it is."""
    (face,) = detector.detect(portrait())
    return face


def test_the_portraits_landmarks_are_where_they_belong(upright):
    points = upright.landmarks
    right, left, mouth = (points[part].mean(0) for part in (RIGHT_EYE, LEFT_EYE, MOUTH))
    assert right[0] < left[0] - 25  # the subject's right eye is on our left
    assert mouth[1] > max(right[1], left[1]) + 25 and right[0] < mouth[0] < left[0]
    assert points[30][1] < points[INNER_LIP_TOP][1] < points[8][1]  # tip of the nose, lip, chin
    assert (np.diff(points[JAW][2:15, 0]) > 0).all() and (np.diff(points[JAW][:9, 1]) > 0).all()
    assert (points[48:60].min(0) <= points[60:68].min(0)).all() and (points[48:60].max(0) >= points[60:68].max(0)).all()
    np.testing.assert_allclose((right + left) / 2, (221, 95), atol=12)
    assert 0.02 < mouth_opening(points) < 0.3  # she smiles with her teeth
    assert upright.score > 0.5 and 90 < upright.size < 150


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_nothing_is_found_where_nothing_is(detector, shade):
    frame = np.full((720, 1280, 3), shade, np.uint8)
    assert detector.detect(frame) == []


@pytest.mark.parametrize("corner", [(200, 150), (1150, 600), (640, 360)])
def test_a_small_face_in_a_large_frame(detector, upright, corner):
    scale = 0.08 * 1280 / (upright.box[2] - upright.box[0])  # a face of 8 % of the width
    matrix = at(*corner, scale)
    (face,) = detector.detect(placed(matrix, 1280, 720))
    away = face.landmarks - apply_affine(matrix, upright.landmarks)
    assert np.linalg.norm(away, axis=1).mean() < 0.05 * interocular(face.landmarks)


def test_a_face_found_only_in_a_tile(detector, upright):
    matrix = at(900, 500, 0.42)  # 4 % of the width
    found = detector.detect(placed(matrix, 1280, 720))
    assert len(found) == 1
    np.testing.assert_allclose(found[0].centre, apply_affine(matrix, upright.centre[None])[0], atol=6)


def test_a_head_of_60_pixels_in_3840x2160_is_found(detector, upright):
    matrix = at(2600, 1400, 0.42)
    (found,) = detector.detect(placed(matrix, 3840, 2160))
    np.testing.assert_allclose(found.centre, apply_affine(matrix, upright.centre[None])[0], atol=6)


def test_a_video_without_a_face_is_searched_deeply_now_and_then_alone(monkeypatch):
    depth, deep = SearchDepth(), []
    for _ in range(40):
        deep.append(depth.deep())
        depth.update([])
    assert np.flatnonzero(deep).tolist() == [0, 1, 2, 12, 24, 36]
    depth.update(["a face"])
    assert depth.deep()


@settings(deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000))
def test_squares_cover_the_frame_and_are_bounded_in_number(height, width):
    found = levels(height, width)
    assert bool(found) == (max(height, width) > 480 and min(height, width) >= 96)
    for squares in found:
        seen = np.zeros((height // 8 + 1, width // 8 + 1), bool)
        for top, left, rows, columns in squares:
            assert 0 <= top <= height - rows and 0 <= left <= width - columns
            seen[top // 8 : (top + rows + 7) // 8, left // 8 : (left + columns + 7) // 8] = True
        assert seen[: height // 8, : width // 8].all()
    assert sum(len(squares) for squares in found) < 200


def test_a_face_whose_chin_is_outside_the_picture_stands_upright(detector, upright):
    frame = portrait()[: int(upright.landmarks[57, 1])]  # the picture ends at the lower lip
    assert all(abs(roll_of(face.landmarks)) < 30 for face in detector.detect(frame))


@pytest.mark.parametrize("roll", [-40, -25, -10, 10, 25, 40])
def test_a_turned_head(detector, upright, roll):
    matrix = at(320, 240, 1.2, roll)
    (face,) = detector.detect(placed(matrix))
    away = np.linalg.norm(face.landmarks - apply_affine(matrix, upright.landmarks), axis=1)
    assert away.mean() < 0.06 * interocular(face.landmarks)


@pytest.mark.parametrize(("roll", "scale"), [(-90, 1.2), (-65, 0.6), (-65, 1.2), (65, 0.6), (90, 1.2), (90, 2.0)])
def test_a_head_that_lies_on_its_side_is_seen_as_well_as_an_upright_one(detector, upright, roll, scale):
    matrix = at(320, 240, scale, roll)
    (face,) = detector.detect(placed(matrix))
    away = np.linalg.norm(face.landmarks - apply_affine(matrix, upright.landmarks), axis=1)
    assert away.mean() < 0.04 * interocular(face.landmarks)


def test_a_head_is_followed_while_it_rolls_from_shoulder_to_shoulder(detector, upright):
    matrices = [at(320, 240, 1.2, roll) for roll in np.linspace(-90, 90, 46)]
    track = track_face((placed(matrix) for matrix in matrices), detector, fps=25)
    assert track.present.all() and not track.interpolated.any()
    wanted = apply_affine(np.stack(matrices), upright.landmarks[None])
    away = np.linalg.norm(track.landmarks - wanted, axis=-1).mean(1) / interocular(wanted)
    assert away.max() < 0.08 and np.median(away) < 0.04


def test_a_face_that_is_seen_for_certain_costs_one_look(detector, monkeypatch):
    looks = []
    monkeypatch.setattr("faces.detectors.mesh.turned_views", lambda frame: looks.append(1) or ())
    assert len(detector.detect(placed(at(320, 240, 1.2)))) == 1 and not looks
    assert detector.detect(np.zeros((480, 640, 3), np.uint8)) == [] and len(looks) == 1


def test_two_faces_largest_first(detector):
    frame = placed(at(150, 200, 0.9))
    frame[:, 320:] = placed(at(480, 200, 1.3))[:, 320:]
    first, second = detector.detect(frame)
    assert first.size > second.size and first.centre[0] > 320 > second.centre[0]


def moving(count, step=4.0):
    """A face that swings over most of the frame, so that the window has to be laid anew."""
    for t in range(count):
        yield t, at(320 + 180 * np.sin(step * t / 180), 230 + 20 * np.cos(t / 7), 1.0 + 0.2 * np.sin(t / 11), 8 * np.sin(t / 9))


def test_a_moving_face_is_followed_closely(detector, upright):
    matrices = [matrix for _, matrix in moving(70)]
    track = track_face((placed(matrix) for matrix in matrices), detector, fps=25)
    assert track.present.all() and not track.interpolated.any()
    wanted = apply_affine(np.stack(matrices), upright.landmarks[None])
    away = np.linalg.norm(track.landmarks - wanted, axis=-1).mean(1) / interocular(wanted)
    assert away.max() < 0.08 and np.median(away) < 0.04
    # Neither lead nor lag: what is left of the error does not go along with the movement.
    motion = np.gradient(wanted[:, :, 0].mean(1))
    error = track.landmarks[:, :, 0].mean(1) - wanted[:, :, 0].mean(1)
    assert abs(np.polyfit(motion, error, 1)[0]) < 0.15  # frames


def test_a_new_window_starts_without_memory(detector, upright):
    """What the mesh remembers of its last window must not colour what it sees in the next."""
    (before,), (after,) = (detector.detect(placed(at(x, 240, 1.2, roll))) for x, roll in ((200, -20), (420, 20)))

    def followed():
        return detector.follow(placed(at(421, 241, 1.2, 20)), after).landmarks

    detector._moving.reset()
    fresh = followed()
    for _ in range(3):
        assert detector.follow(placed(at(200, 240, 1.2, -20)), before)
    np.testing.assert_array_equal(followed(), fresh)


def test_a_vanished_face_is_let_go_and_found_again(detector):
    frames = [placed(at(320, 240))] * 4 + [np.full((480, 640, 3), 90, np.uint8)] * 10 + [placed(at(250, 260))] * 3
    track = track_face(iter(frames), detector, fps=25)
    assert track.present.tolist() == [True] * 4 + [False] * 10 + [True] * 3


def test_a_cut_to_another_place_is_noticed(detector):
    frames = [placed(at(150, 200))] * 4 + [placed(at(500, 260, 1.3))] * 4
    track = track_face(iter(frames), detector, fps=25)
    assert track.present.all()
    middle = track.landmarks.mean(1)[:, 0]
    assert np.ptp(middle[:4]) < 3 and np.ptp(middle[4:]) < 3 and middle[4] - middle[3] > 250


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (3, 900), (700, 5), (481, 639)])
def test_odd_frames_do_no_harm(detector, shape):
    assert detector.detect(np.zeros((*shape, 3), np.uint8)) == []


def test_a_sliced_frame_is_taken_as_well(detector, upright):
    wide = np.ascontiguousarray(np.repeat(portrait(), 2, axis=1))
    (face,) = detector.detect(wide[:, ::2])
    np.testing.assert_allclose(face.landmarks, upright.landmarks, atol=0.5)


QUIET = """
import sys
from faces.detectors import build_detector
from tests.faces_kit import portrait
detector = build_detector("mediapipe")
(face,) = detector.detect(portrait())
for shift in (0, 40, 80, 120):
    import numpy as np
    face = detector.follow(np.roll(portrait(), shift // 3, axis=1), face) or face
    detector._window = None
detector.close()
print("ours", file=sys.stderr)
"""


def test_no_log_of_the_libraries_reaches_the_terminal():
    done = subprocess.run(
        [sys.executable, "-c", QUIET],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("", "ours\n")


def test_stderr_comes_back_after_an_exception(capfd):
    with pytest.raises(RuntimeError):
        with silent_stderr():
            os.write(2, b"swallowed")
            raise RuntimeError
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_silence_in_several_threads_ends(capfd):
    def work():
        for _ in range(30):
            with silent_stderr():
                os.write(2, b"x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


@pytest.mark.media
def test_two_men_in_an_interview_chosen_by_number(shared_media, detector):
    path = shared_media / "clips" / "several_faces" / "visualvoice_interview.mp4"
    places = []
    for index in (0, 1):
        with VideoReader(path) as reader:
            track = track_face(islice(reader, 12), detector, FaceSelection(index=index), fps=25)
        assert track.present.all() and track.most_faces >= 2
        places.append(track.landmarks.mean((0, 1))[0])
    assert places[0] < places[1] - 100


@pytest.mark.media
@pytest.mark.parametrize(
    "name",
    ["hdtf/RD_Radio34_000.mp4", "voxceleb2/Audio_Source_00015.mp4", "mead/M003_level_1_happy_024.mp4", "other/face3.mp4"],
)
def test_real_speakers_are_held_in_every_frame(shared_media, detector, name):
    path = shared_media / "clips" / name
    with VideoReader(path) as reader:
        track = track_face(islice(reader, 25), detector, fps=25)
    assert track.present.all()
    opening = mouth_opening(track.landmarks)
    assert np.isfinite(opening).all() and 0 <= opening.min() and opening.max() < 0.6 and np.ptp(opening) > 0.01
