"""The sample speech, the moving sample face, and the contact sheet."""

import cv2
import numpy as np
import pytest
import soundfile

from common.errors import InputError
from media import VideoReader, VideoWriter
from media.contact_sheet import contact_sheet, main, pick_frames
from samples import make_face_video as maker
from tests.conftest import ROOT


def test_sample_speech_is_clean_and_has_a_transcript():
    samples, rate = soundfile.read(ROOT / "samples" / "speech.wav", dtype="float32")
    assert rate == 16000 and samples.ndim == 1
    assert 4 <= len(samples) / rate <= 6
    assert 0.3 < np.abs(samples).max() < 0.99 and abs(samples.mean()) < 0.01
    assert (ROOT / "samples" / "speech.wav").stat().st_size < 250_000
    assert len((ROOT / "samples" / "speech.txt").read_text().split()) > 8


def test_camera_motion_is_small_smooth_and_at_rest_at_both_ends():
    point = np.array([*maker.PIVOT, 1.0])
    path = np.array([maker.view_matrix(phase) @ point for phase in np.linspace(0, 1, 126)])
    speed = np.linalg.norm(np.diff(path, axis=0), axis=1)
    assert 2 < np.ptp(path[:, 0]) < 2 * maker.SHIFT[0] + 0.1 and 2 < np.ptp(path[:, 1]) < 2 * maker.SHIFT[1] + 0.1
    assert speed.max() < 0.6
    assert max(speed[0], speed[-1]) < 0.05 < speed.max()
    for phase in np.linspace(0, 1, 126):
        linear = maker.view_matrix(phase)[:, :2]
        zoom = np.sqrt(np.linalg.det(linear))
        assert abs(zoom - 1) <= maker.ZOOM + 1e-9
        assert np.allclose(linear.T @ linear, zoom**2 * np.eye(2)), "not a similarity"


def test_moving_face_is_a_readable_video_of_one_face(tmp_path):
    from faces.detectors import build_detector

    path = tmp_path / "new folder" / "face.mp4"
    assert maker.make_face_video(path, seconds=1, fps=25) == 25
    with VideoReader(path) as reader:
        frames = list(reader)
    assert len(frames) == 25 and frames[0].shape == (maker.SIDE, maker.SIDE, 3)
    detector = build_detector("mediapipe")
    try:
        assert [len(detector.detect(frame)) for frame in (frames[0], frames[12], frames[-1])] == [1, 1, 1]
    finally:
        detector.close()


def test_moving_face_refuses_an_absurd_length_or_rate(tmp_path):
    for wrong in ({"seconds": 0}, {"seconds": 10_000}, {"fps": 0}, {"fps": 1000}):
        with pytest.raises(InputError):
            maker.make_face_video(tmp_path / "face.mp4", **wrong)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def grey_steps(tmp_path_factory):
    """A video of 50 frames, 64x48, whose grey level is four times the frame's number."""
    path = tmp_path_factory.mktemp("steps") / "steps.mp4"
    with VideoWriter(path, width=64, height=48, fps=25, crf=0) as writer:
        for index in range(50):
            writer.write(np.full((48, 64, 3), 4 * index, np.uint8))
    return path


def test_picked_frames_are_evenly_spaced_and_carry_their_time(grey_steps):
    picked = pick_frames(grey_steps, 5)
    assert [seconds for seconds, _ in picked] == pytest.approx([0.2, 0.6, 1.0, 1.4, 1.8])
    assert [frame.mean() / 4 for _, frame in picked] == pytest.approx([5, 15, 25, 35, 45], abs=0.6)
    assert pick_frames(grey_steps, 1, crop=(10, 20, 40, 44))[0][1].shape == (24, 30, 3)
    assert len(pick_frames(grey_steps, 500)) == 50


def test_sheet_shows_the_frames_in_reading_order(grey_steps, tmp_path):
    sheet = tmp_path / "made" / "sheet.png"
    assert main([str(grey_steps), "--outfile", str(sheet), "--columns", "3", "--rows", "2", "--width", "60"]) is None
    picture = cv2.imread(str(sheet))
    assert picture.shape == (2 * (45 + 20) + 4, 3 * 64 + 4, 3)
    centres = [picture[4 + 16 + 22 + row * 65, 4 + 30 + column * 64].mean() / 4 for row in range(2) for column in range(3)]
    assert centres == pytest.approx([4, 12, 20, 29, 37, 45], abs=1.1)


def test_sheet_refuses_what_it_cannot_do(grey_steps, tmp_path):
    for wrong in ({"crop": (0, 0, 65, 48)}, {"crop": (10, 10, 10, 20)}, {"columns": 0}, {"width": 100_000}):
        with pytest.raises(InputError):
            contact_sheet(grey_steps, tmp_path / "sheet.png", **wrong)
    with pytest.raises(InputError, match="png"):
        contact_sheet(grey_steps, tmp_path / "sheet.gif")
    with pytest.raises(InputError, match="no such file"):
        contact_sheet(tmp_path / "absent.mp4", tmp_path / "sheet.png")
    assert not list(tmp_path.iterdir())
