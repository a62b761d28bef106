"""Light that drifts inside a shot."""

import numpy as np
import pytest

from faces.tracking.exposure import light_factors, lit
from faces.tracking.skin import light_and_detail
from tests.faces_kit import plain_face, smooth_picture, track_of

SKIN = np.array([150.0, 110.0, 90.0])


def track_lit(light):
    """Track of a still face that is lit so: (N, 3) or (N,) times SKIN."""
    light = np.asarray(light, float)
    track = track_of([plain_face()] * len(light))
    track.light = (light if light.ndim == 2 else light[:, None] * SKIN).astype(np.float32)
    return track


def test_constant_light_is_left_alone_to_the_last_bit():
    noise = np.random.default_rng(0).normal(1, 0.03, 80)
    assert (light_factors(track_lit(noise), 10) == 1).all()
    turned = 1 + 0.1 * np.sin(np.arange(80) / 9)  # a head that turns
    assert (light_factors(track_lit(turned), 0) == 1).all()
    track = track_lit(noise)
    track.light = None
    assert (light_factors(track, 10) == 1).all()
    picture = smooth_picture()
    assert lit(picture, np.ones(3, np.float32)) is picture


@pytest.mark.parametrize("noise", [0, 0.02])
def test_a_fade_is_followed(noise):
    fade = np.concatenate([np.linspace(0.03, 1, 30), np.ones(20)])
    track = track_lit(fade * np.random.default_rng(0).normal(1, noise, 50))
    factors = light_factors(track, 40)
    fade = track.light[:, 0] / SKIN[0]
    away = np.abs(np.log(factors.mean(1) / fade))
    assert away.max() < 0.13 + 3 * noise and away[1:].max() < 0.05 + 3 * noise and np.abs(factors[45:] - 1).max() < 0.01 + noise
    assert (light_factors(track, 40)[:, 0] != 1)[:29].all() and (light_factors(track, 40, 5)[40:] == 1).all()


def test_a_lamp_is_followed_at_once_and_in_its_colour():
    light = np.tile(SKIN, (40, 1))
    light[20:] *= (1.5, 1.2, 0.8)
    factors = light_factors(track_lit(light), 5)
    assert np.abs(np.log(factors[:17])).max() < 0.045 and np.abs(np.log(factors[22:] / (1.5, 1.2, 0.8))).max() < 0.05
    assert np.abs(np.log(factors[20] / (1.5, 1.2, 0.8))).max() < 0.08


def test_light_is_not_smoothed_over_a_cut_nor_over_frames_without_a_face():
    light = np.ones(40)
    light[20:] = 0.3
    track = track_lit(light)
    track.shots = np.arange(40) // 20
    assert (light_factors(track, 5) == 1).all() and (light_factors(track, 25) == 1).all()
    track.shots[:] = 0
    track.present[15:20], track.light[15:20], track.light[30] = False, np.nan, np.nan
    factors = light_factors(track, 5)
    assert (factors[:20] == 1).all() and np.abs(np.log(factors[20:] / 0.3)).max() < 0.06  # a gap ends a run, not the shot
    track.light[5] = np.nan  # measured beside it
    np.testing.assert_allclose(light_factors(track, 5), factors, rtol=1e-6)


def test_pictures_are_multiplied_and_cut_off():
    picture = np.full((4, 4, 3), (200, 100, 10), np.uint8)
    assert lit(picture, np.float32([2, 0.5, 1.26]))[0, 0].tolist() == [255, 50, 13] and picture[0, 0, 0] == 200


def test_skin_is_measured_without_mouth_and_border():
    frame, landmarks = np.full((240, 320, 3), (150, 110, 90), np.uint8), plain_face()
    frame[150:] = 0  # mouth and chin
    light, detail = light_and_detail(frame, landmarks)
    np.testing.assert_allclose(light, (150, 110, 90), atol=0.5)
    noisy = np.random.default_rng(0).integers(60, 200, frame.shape, np.uint8)
    assert light_and_detail(noisy, landmarks)[1] > 5 * light_and_detail(smooth_picture(), landmarks)[1] > 0
    assert np.isfinite(light_and_detail(frame, plain_face(5))[0]).all()
    light, detail = light_and_detail(frame, plain_face(-400))
    assert np.isnan(light).all() and np.isnan(detail)
