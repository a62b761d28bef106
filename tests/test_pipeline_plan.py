import numpy as np
import pytest

from common.errors import InputError
from faces.crops import CropSpec, plan_crops
from faces.landmarks import CANONICAL_STABLE, STABLE
from faces.paste import first_row
from faces.tracking.tracked import FaceTrack
from pipeline.drivers import load_driver
from pipeline.driving import Driving
from pipeline.plan import upright_crop
from pipeline.sound import Sound
from tests.inference_kit import PUBLIC, save_tiny, tone, write_wav


@pytest.mark.parametrize(("scale", "x", "y"), [(40, 100, 90), (75.5, 240.3, 200.7)])
def test_a_box_by_hand_gives_the_crop_that_a_tracked_upright_face_gets(scale, x, y):
    landmarks = np.zeros((1, 68, 2), np.float32)
    landmarks[0, list(STABLE)] = CANONICAL_STABLE * scale + (x, y)
    seen = np.ones(1, bool)
    track = FaceTrack(landmarks, seen, ~seen, 640, 480)
    (box,) = plan_crops(track, CropSpec("box", 96, (0, 0, 0, 0)))
    (aligned,) = plan_crops(track, CropSpec("aligned", 96))
    np.testing.assert_allclose(upright_crop(box.box, 96).corners(), aligned.corners(), atol=1.5)


def test_window_starts_have_as_many_as_frames(tmp_path):
    driving = Driving(Sound.read(write_wav(tmp_path / "a.wav", tone(2.0))))
    driver = load_driver(save_tiny(tmp_path / "own.safetensors"), device="cpu")
    assert driver.frames(driving, 25) == 50
    starts = driver.listen(driving, 25, 50).starts
    assert len(starts) == 50 and starts[0] == -6 and starts[10] - starts[0] == 32
    driver = load_driver(save_tiny(tmp_path / "public.safetensors", PUBLIC), device="cpu", compat="wav2lip")
    public = driver.listen(driving, 25, driver.frames(driving, 25)).starts
    assert len(public) == driver.frames(driving, 25)
    assert public[:3].tolist() == [0, 3, 6] and public[-1] == driving.sound.mel.shape[1] - 16


def test_rows_above_the_paste_are_not_wanted():
    mask = np.zeros((96, 96), np.float32)
    mask[42:, 10:80] = 0.5
    assert first_row(mask) == 39
    assert first_row(np.ones((96, 96), np.float32)) == first_row(None) == 0


def test_sound_that_is_none_is_named(tmp_path):
    with pytest.raises(InputError, match="no.wav"):
        Sound.read(write_wav(tmp_path / "no.wav", np.zeros((1, 0), np.float32)))
