"""Crops of prepared clips: as they are stored, as networks take them, and back; how alike two are."""

import numpy as np
import torch

from metrics.formulas.image import mouth_region, psnr, sharpness, ssim


def crops_of(corpus, row):
    """(F, S, S, 3) uint8 RGB crops of a clip."""
    return np.array(corpus.open(row)["face"])


def as_faces(crops):
    """(N, S, S, 3) uint8 RGB -> (N, 3, S, S) float32 tensor in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255  # channels last


def as_crops(faces):
    """(N, 3, S, S) float tensor in [0, 1] -> (N, S, S, 3) uint8 RGB."""
    return (faces * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()


def likeness(made, real):
    """{"psnr", "ssim", "sharpness" (over the real one), and the same of the mouth, "mouth_*"}: means over frames.

    Args:
        made, real: (N, S, S, 3) uint8 RGB.
    """
    pairs, found = list(zip(made, real, strict=True)), {}
    for part, cut in (("", lambda crop: crop), ("mouth_", mouth_region)):
        found[f"{part}psnr"] = float(np.mean([psnr(cut(a), cut(b)) for a, b in pairs]))
        found[f"{part}ssim"] = float(np.mean([ssim(cut(a), cut(b)) for a, b in pairs]))
        detail = np.mean([[sharpness(np.ascontiguousarray(cut(one))) for one in pair] for pair in pairs], 0)
        found[f"{part}sharpness"] = float(detail[0] / max(detail[1], 1e-9))
    return found
