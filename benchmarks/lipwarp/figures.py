"""What is read from a made video beside the real one: lips, picture, closures, leaks."""

import numpy as np

from faces.crops import CropSpec
from faces.lip_space import Person, lip_space, movements
from faces.mouth import mouth_opening
from metrics.formulas.correlation import partial_correlation, pearson
from metrics.formulas.image import mouth_region, psnr, sharpness, ssim
from pipeline.references.choice import choose_reference

FACE_SIZE = 96
CLOSED = 0.15  # share of the way from the closed to the wide open mouth (10th and 95th percentile) below which lips are closed
SLACK = 1  # frames about a B, P or M in which they may close


class Reading:
    """Landmarks of one video, in terms of lips.

    Args:
        footage: metrics.footage.Footage; person: faces.lip_space.Person whose lips they are, None for its own.
    """

    def __init__(self, footage, person=None):
        track = footage.track
        points = np.where(footage.detected[:, None, None], track.landmarks.astype(np.float64), np.nan)
        self.points, self.opening = points, mouth_opening(points)
        self.person = person or Person.of(track.landmarks.astype(np.float64), footage.detected)
        self.lips = movements(points, self.person) * self.person.amplitude  # eye distances
        self.components = lip_space().coefficients(self.lips)
        self.reference = choose_reference(track)


def lip_figures(made, real):
    """Figures of the lips of a video that is driven by its own sound.

    Args:
        made, real: Reading; the first frames that both have are compared.

    Returns:
        dict: r of the opening and of the second and third component; spread of the opening; distance of the 20 mouth points, of
        it and of a held mouth (eye distances); roughness, the mean second difference of the lips over the real one.
    """
    count = min(len(made.opening), len(real.opening))
    seen = np.isfinite(made.opening[:count]) & np.isfinite(real.opening[:count])
    a, b = made.opening[:count][seen], real.opening[:count][seen]
    figures = {"r": pearson(a, b), "spread": float(a.std() / b.std())}
    for number in (1, 2):
        figures[f"r{number + 1}"] = pearson(made.components[:count, number][seen], real.components[:count, number][seen])
    truth = real.lips[:count][seen]
    held = real.lips[real.reference]
    figures["distance"] = float(np.linalg.norm(made.lips[:count][seen] - truth, axis=-1).mean())
    figures["distance_held"] = float(np.linalg.norm(held - truth, axis=-1).mean())
    figures["roughness"] = _rough(made.lips[:count]) / _rough(real.lips[:count])
    return figures


def _rough(lips):
    return float(np.nanmean(np.linalg.norm(np.diff(lips, 2, axis=0), axis=-1)))


def picture_figures(made, real, *, skip=0):
    """SSIM, PSNR and sharpness of the mouth: mean over the frames, on aligned crops of the real face.

    Args:
        made, real: metrics.footage.Footage.

    Returns:
        dict: `ssim`, `psnr` (dB), `sharpness` over the real one.
    """
    crops, rows = real.crops(CropSpec("aligned", FACE_SIZE)), []
    for number, (frame, truth) in enumerate(zip(made.frames(), real.frames(), strict=False)):
        if number >= skip and number < len(crops) and crops[number] is not None:
            a, b = (mouth_region(crops[number].extract(picture)) for picture in (frame, truth))
            rows.append((ssim(a, b), psnr(a, b), sharpness(a), sharpness(b)))
    mean = np.mean(rows, 0)
    return {"ssim": float(mean[0]), "psnr": float(mean[1]), "sharpness": float(mean[2] / mean[3])}


def mean_sharpness(footage):
    """Sharpness of the mouth of a video by itself, mean over its frames."""
    crops = footage.crops(CropSpec("aligned", FACE_SIZE))
    pairs = zip(footage.frames(), crops, strict=False)
    return float(np.mean([sharpness(mouth_region(crop.extract(frame))) for frame, crop in pairs if crop is not None]))


def leak_figures(made, heard, target):
    """Whom a mouth follows that is driven by another person's sound.

    Args:
        made: (n,) opening that was made; heard: (m,) of the person who is heard; target: (k,) real one of who is seen.

    Returns:
        dict: `r_heard`; `partial`, correlation with the target's own mouth, the heard one taken out of both at lags -2 to 2.
    """
    count = min(len(made), len(heard), len(target))
    made, heard, target = (series[:count] for series in (made, heard, target))
    lags = np.stack([_moved(heard, lag) for lag in range(-2, 3)], 1)
    return {"r_heard": pearson(made, heard), "partial": partial_correlation(made, target, lags)}


def _moved(series, lag):
    moved = np.full(len(series), np.nan)
    if lag > 0:
        moved[lag:] = series[:-lag]
    elif lag < 0:
        moved[:lag] = series[-lag:]
    else:
        moved[:] = series
    return moved


def closures(opening, real, runs, wanted):
    """(closed, all): how many runs of phones that close the lips show closed lips.

    Args:
        opening: (n,) of a video; real: (m,) of the real one, which says what closed and wide open are for this person.
        runs: speech.phonemes.Runs; wanted: set of phone classes.
    """
    low, high = np.nanpercentile(real, (10, 95))
    shut = opening < low + CLOSED * (high - low)
    done = [
        bool(shut[max(0, start - SLACK) : end + SLACK].any())
        for label, start, end in zip(runs.labels, runs.starts, runs.ends, strict=True)
        if label in wanted and end <= len(opening)
    ]
    return sum(done), len(done)


