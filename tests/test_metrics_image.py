"""SSIM and PSNR against scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from metrics.formulas.image import mouth_region, psnr, ssim


def reference_ssim(first, second):
    return structural_similarity(first, second, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
                                 channel_axis=-1)


def distorted(seed, size, strength, kind):
    rng = np.random.default_rng(seed)
    top, left = rng.integers(0, 512 - size, 2)
    picture = astronaut()[top:top + size, left:left + size]
    change = {"noise": rng.normal(size=picture.shape), "shift": np.full(picture.shape, rng.normal()),
              "stripes": np.broadcast_to(np.sin(np.arange(size))[:, None, None], picture.shape)}[kind]
    return picture, np.clip(picture + strength * change, 0, 255).astype(np.uint8)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(11, 120), st.floats(0.5, 120), st.sampled_from(["noise", "shift", "stripes"]))
def test_ssim_and_psnr_equal_skimage(seed, size, strength, kind):
    first, second = distorted(seed, size, strength, kind)
    assert ssim(first, second) == pytest.approx(reference_ssim(first, second), abs=1e-9)
    assert ssim(first, second) == pytest.approx(ssim(second, first), abs=1e-12)
    if (first != second).any():
        assert psnr(first, second) == pytest.approx(peak_signal_noise_ratio(first, second, data_range=255), abs=1e-9)


def test_ssim_of_flat_pictures_by_hand():
    """Without variance SSIM is the luminance term alone: (2 a b + c1) / (a^2 + b^2 + c1)."""
    first, second = np.full((20, 20, 3), 100, np.uint8), np.full((20, 20, 3), 50, np.uint8)
    assert ssim(first, second) == pytest.approx((2 * 100 * 50 + 6.5025) / (100**2 + 50**2 + 6.5025), abs=1e-9)
    assert psnr(first, second) == pytest.approx(20 * np.log10(255 / 50), abs=1e-9)


def test_equal_pictures():
    picture = astronaut()[:96, :96]
    assert ssim(picture, picture) == pytest.approx(1, abs=1e-12)
    assert psnr(picture, picture) == 100
    nearly = picture.copy()
    nearly[0, 0, 0] ^= 1
    assert psnr(picture, nearly) == pytest.approx(92.55, abs=0.01)


def test_mouth_region_is_the_middle_of_the_lower_half():
    crop = np.arange(96 * 96).reshape(96, 96)
    region = mouth_region(crop)
    assert region.shape == (48, 48) and region[0, 0] == crop[48, 24] and region[-1, -1] == crop[95, 71]


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="differ in shape"):
        psnr(np.zeros((20, 20)), np.zeros((20, 21)))
    with pytest.raises(ValueError, match="at least 11"):
        ssim(np.zeros((10, 20)), np.zeros((10, 20)))
