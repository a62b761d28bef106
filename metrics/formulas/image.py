"""Likeness of two pictures, SSIM and PSNR; sharpness of one."""

import numpy as np

DATA_RANGE = 255.0
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
SSIM_K1, SSIM_K2 = 0.01, 0.03
PSNR_IDENTICAL = 100.0


def ssim(first, second):
    """Structural similarity, Wang et al. 2004 (IEEE TIP 13(4), eq. 13), mean over pixels and the three colour channels.

    Gaussian window of 11 x 11 with sigma 1.5, population covariance, K1 0.01, K2 0.03, data range 255; only windows that lie
    wholly inside count. Equals skimage.metrics.structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=255, channel_axis=-1) and, to float32, torchmetrics' default.

    Args:
        first, second: (H, W, 3) or (H, W) uint8, or float in [0, 255]; H, W >= 11.

    Returns:
        float in [-1, 1]; 1 for equal pictures.
    """
    import cv2

    first, second = _pair(first, second)
    if min(first.shape[:2]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs pictures of at least {SSIM_WINDOW} x {SSIM_WINDOW} pixels, not {first.shape[:2]}")
    taps = np.exp(-0.5 * ((np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) / SSIM_SIGMA) ** 2)
    taps /= taps.sum()
    margin = SSIM_WINDOW // 2

    def local_mean(picture):
        return cv2.sepFilter2D(picture, cv2.CV_64F, taps, taps)[margin:-margin, margin:-margin]

    mean_1, mean_2 = local_mean(first), local_mean(second)
    variances = local_mean(first * first) - mean_1 * mean_1 + local_mean(second * second) - mean_2 * mean_2
    covariance = local_mean(first * second) - mean_1 * mean_2
    c1, c2 = (SSIM_K1 * DATA_RANGE) ** 2, (SSIM_K2 * DATA_RANGE) ** 2
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1 * mean_1 + mean_2 * mean_2 + c1)
    return float(np.mean(luminance * (2 * covariance + c2) / (variances + c2)))


def psnr(first, second):
    """Peak signal-to-noise ratio in dB, peak 255, mean squared error over all pixels and channels.

    Equal pictures have no finite value; they are given 100 dB, which is above everything that 8-bit pictures of face-crop size
    can reach (one level in one value of a 96 x 96 crop is 92.5 dB), so that a mean over frames exists.

    Args:
        first, second: (H, W[, 3]) uint8, or float in [0, 255], of one shape.

    Returns:
        float, at most 100.
    """
    first, second = _pair(first, second)
    error = float(np.mean((first - second) ** 2))
    if error == 0:
        return PSNR_IDENTICAL
    return min(PSNR_IDENTICAL, float(10 * np.log10(DATA_RANGE**2 / error)))


def sharpness(picture):
    """Variance of the Laplacian of the grey levels: large where there is fine detail, or noise.

    Pech-Pacheco et al. 2000 (ICPR, "Diatom autofocusing in brightfield microscopy"); the 3x3 Laplacian of OpenCV.

    Args:
        picture: (H, W, 3) uint8 RGB.

    Returns:
        float, not negative, grey levels squared.
    """
    import cv2

    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def mouth_region(crop):
    """The mouth's part of an aligned face crop: rows S/2 to S, columns S/4 to 3S/4; (S, S, 3) -> (S/2, S/2, 3), a view.

    In aligned crops (faces.crops) that is from the base of the nose to below the chin of an open mouth, 1.4 eye distances wide.
    """
    side = crop.shape[0]
    return crop[side // 2 :, side // 4 : side // 4 + side // 2]


def _pair(first, second):
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"pictures differ in shape: {first.shape} and {second.shape}")
    return first, second
