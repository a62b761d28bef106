"""The figures of benchmarks.held_out: does the mouth follow the sound, and only the sound.

Four experiments on clips that training never saw: (a) own sound, (b) another clip's sound, (c) no sound, (d) the lag of (a).
"""

from dataclasses import dataclass, field

import numpy as np

from metrics.formulas.correlation import over_clips, partial_correlation, pearson
from metrics.formulas.image import mouth_region, sharpness, ssim
from metrics.formulas.landmarks import mouth_distances
from speech.mel import SILENCE, mel_spectrogram
from speech.waveform import SAMPLE_RATE

LAGS = range(-5, 6)
NULL_DRAWS = 40
QUIET_DB = -60.0
CLOSED_PERCENTILE, OPEN_PERCENTILE = 10, 95


@dataclass(frozen=True)
class Own:
    """Experiment (a) on one clip: row of figures and the driven Footage."""

    figures: dict
    driven: object = field(repr=False)

    def openings(self, clip):
        """(driven, real) mouth opening of the common length."""
        return self.driven.opening, clip.real.opening[: len(self.driven.opening)]


@dataclass(frozen=True)
class Swap:
    """Experiment (b): target T driven by the sound of A; `driven` is the mouth opening, NaN near the reference."""

    target: object
    audio: object
    driven: np.ndarray = field(repr=False)

    def series(self, other, given=None):
        """(driven, opening of the clip `other`, `given` or else the opening of A), of the common length."""
        given = self.audio.real.opening if given is None else given
        count = min(len(self.driven), len(other), len(given))
        return self.driven[:count], other.real.opening[:count], given[:count]


def measure_own(stage, clip):
    """(a) and (d): the clip driven by its own sound.

    Figures: correlation of the mouth opening with the real one; lag in frames at which that is highest (positive: the mouth is
    late); LMD raw and aligned in crop pixels, of the generated and of the reference held still; spread of the opening over the
    real spread; unsteadiness, the mean size of its second difference over the real one; SSIM of the mouth and its sharpness
    (variance of the Laplacian) over the real one; flicker of the skin around it, the mean change from frame to frame over
    the real one.
    """
    driven = stage.drive(clip, clip.mel)
    count = len(driven.opening)
    away, real = clip.away[:count], clip.real
    made, truth = np.where(away, driven.opening, np.nan), real.opening[:count]
    figures = {"clip": clip.id, "speaker": clip.speaker, "reference": clip.reference, "frames": int(away.sum())}
    figures |= {"correlation": pearson(made, truth), "lag": best_lag(made, truth)}
    still = np.repeat(real.landmarks[clip.reference][None], count, axis=0)
    for name, points in (("", driven.landmarks), ("_copy", still)):
        distances = mouth_distances(points[away], real.landmarks[:count][away], np.eye(2, 3))
        figures |= {f"lmd_raw{name}": _mean(distances.raw), f"lmd_aligned{name}": _mean(distances.aligned)}
    figures["spread"] = float(np.nanstd(made) / np.nanstd(truth[away]))
    figures["unsteadiness"] = _roughness(driven.opening) / _roughness(truth)
    pairs = [(mouth_region(a), mouth_region(b)) for a, b, far in zip(driven.crops, real.crops, away, strict=False) if far]
    figures["ssim_mouth"] = float(np.mean([ssim(a, b) for a, b in pairs]))
    figures["sharpness"] = float(np.mean([sharpness(a) for a, _ in pairs]) / np.mean([sharpness(b) for _, b in pairs]))
    figures["flicker"] = _flicker(driven.crops, clip) / _flicker(real.crops[:count], clip)
    return Own(figures, driven)


def measure_swap(stage, target, audio):
    """(b) on one pair."""
    driven = stage.drive(target, audio.mel)
    count = len(driven.opening)
    return Swap(target, audio, np.where(target.away[:count], driven.opening, np.nan)), driven


def measure_rest(stage, clip, rng):
    """(c): the clip driven by digital silence and by white noise at -60 dB of full scale.

    Figures, for each of the two: `level`, the median opening above the real clip's closed level (10th percentile), over the
    real range (10th to 95th percentile): 0 is closed, 1 wide open; `spread`, standard deviation over the real one.
    """
    seconds = len(clip) / clip.fps
    noise = rng.normal(0, 10 ** (QUIET_DB / 20), int(seconds * SAMPLE_RATE)).astype(np.float32)
    sounds = {"silence": np.full_like(clip.mel, SILENCE), "noise": mel_spectrogram(noise)}
    closed, wide = np.nanpercentile(clip.real.opening, (CLOSED_PERCENTILE, OPEN_PERCENTILE))
    figures, footage = {"clip": clip.id, "speaker": clip.speaker}, {}
    for name, mel in sounds.items():
        footage[name] = stage.drive(clip, mel)
        opening = footage[name].opening
        figures[f"{name}_level"] = float((np.nanmedian(opening) - closed) / (wide - closed))
        figures[f"{name}_spread"] = float(np.nanstd(opening) / np.nanstd(clip.real.opening))
    return figures, footage


def best_lag(made, truth):
    """Lag in frames, -5 to 5, at which the two openings correlate best; positive: `made` is late. None if undefined."""
    scores = {}
    for lag in LAGS:
        scores[lag] = pearson(*_shifted(made, truth, lag))
    scores = {lag: score for lag, score in scores.items() if np.isfinite(score)}
    return max(scores, key=scores.get) if scores else None


def pooled_lag(series):
    """Lag, to fractions of a frame, at which all clips together correlate best; a parabola through the best and its neighbours.

    Args:
        series: list of (made, truth) openings.

    Returns:
        float; None where it lies at the edge of the range or is undefined.
    """
    scores = []
    for lag in LAGS:
        scores.append(over_clips([_shifted(made, truth, lag) for made, truth in series]).pooled)
    if not np.isfinite(scores).all() or not 0 < (best := int(np.argmax(scores))) < len(scores) - 1:
        return None
    before, top, after = scores[best - 1 : best + 2]
    return float(LAGS[best] + 0.5 * (before - after) / (before - 2 * top + after))


def choose_pairs(clips, per_target, rng):
    """Pairs (target, audio) of different clips, of one speaker where that speaker has two or more."""
    pairs = []
    for target in clips:
        others = [clip for clip in clips if clip.id != target.id]
        same = [clip for clip in others if clip.speaker == target.speaker]
        pool = same or others
        picks = rng.permutation(len(pool))[:per_target]
        pairs += [(target, pool[pick]) for pick in picks]
    return pairs


def summarise_swaps(swaps, clips, drawn, rng):
    """Figures of experiment (b); `drawn`: {clip id: opening that the clip's sound draws on the clip itself}.

    `follows`: correlation with the mouth of the clip that is heard. `plain`: with the target's own; misleads, for sentences of
    one corpus share their timing. `partial`: the same with the heard clip's opening regressed out: the leak. `partial_drawn`:
    with what that sound draws on its own clip regressed out, which is closer to all that the sound says. `partial_lags`: with
    the heard clip's opening two frames before to two after regressed out, for a drawn mouth is smoother. `null`: `partial` with
    the mouth of a clip that was neither seen nor heard, drawn anew for each of 40 pooled values: what shared timing does.
    """
    own = [swap.series(swap.target) for swap in swaps]
    follows = over_clips([(made, heard) for made, _, heard in own])
    plain = over_clips([(made, seen) for made, seen, _ in own])
    partial = over_clips(own, partial_correlation)
    by_drawn = over_clips([swap.series(swap.target, drawn[swap.audio.id]) for swap in swaps], partial_correlation)
    by_lags = over_clips([swap.series(swap.target, with_lags(swap.audio.real.opening)) for swap in swaps], partial_correlation)
    pooled, per_pair = [], []
    for _ in range(NULL_DRAWS):
        drawn = [swap.series(other) for swap in swaps if (other := _unrelated(swap, clips, rng))]
        null = over_clips(drawn, partial_correlation)
        pooled.append(null.pooled)
        per_pair += [value for value in null.per_clip if np.isfinite(value)]
    rows = [
        {"target": swap.target.id, "audio": swap.audio.id, "follows": a, "plain": b, "partial": c}
        for swap, a, b, c in zip(swaps, follows.per_clip, plain.per_clip, partial.per_clip, strict=True)
    ]
    null = {"pooled": quantiles(pooled), "per_pair": quantiles(per_pair), "draws": NULL_DRAWS}
    return {
        "pairs": len(swaps),
        "follows": {"pooled": follows.pooled, **quantiles(follows.per_clip)},
        "plain": {"pooled": plain.pooled, **quantiles(plain.per_clip)},
        "partial": {"pooled": partial.pooled, **quantiles(partial.per_clip), "median_size": _median(np.abs(partial.per_clip))},
        "partial_drawn": {"pooled": by_drawn.pooled, **quantiles(by_drawn.per_clip)},
        "partial_lags": {"pooled": by_lags.pooled, **quantiles(by_lags.per_clip)},
        "null": null,
        "rows": rows,
    }


def with_lags(opening, most=2):
    """(n,) -> (n, 2 most + 1): the series shifted by -most to most frames, its ends repeated."""
    places = np.arange(len(opening))[:, None] + np.arange(-most, most + 1)
    return opening[np.clip(places, 0, len(opening) - 1)]


def quantiles(values):
    """{"median", "low" (25 %), "high" (75 %), "p5", "p95", "count"} of the finite ones; None where there is none."""
    values = np.array([np.nan if value is None else value for value in values], np.float64)
    values = values[np.isfinite(values)]
    names = {"median": 50, "low": 25, "high": 75, "p5": 5, "p95": 95}
    made = {name: float(np.percentile(values, at)) if len(values) else None for name, at in names.items()}
    return {**made, "count": len(values)}


def _shifted(made, truth, lag):
    """The common part of `made` and of `truth` delayed by `lag` frames."""
    return made[max(lag, 0) : len(made) + min(lag, 0)], truth[max(-lag, 0) : len(truth) + min(-lag, 0)]


def _unrelated(swap, clips, rng):
    """A clip that is neither seen nor heard, of the target's speaker where there is one."""
    others = [clip for clip in clips if clip.id not in (swap.target.id, swap.audio.id)]
    pool = [clip for clip in others if clip.speaker == swap.target.speaker] or others
    return pool[rng.integers(len(pool))] if pool else None


def _roughness(opening):
    return _mean(np.abs(np.diff(opening, 2)))


def _flicker(crops, clip):
    """Mean size of the change from frame to frame, in grey levels, in the mouth's part of the crop outside the mouth itself."""
    skin = mouth_region(~clip.optimiser().zone)
    parts = np.stack([mouth_region(crop)[skin] for crop in crops]).astype(np.float32)
    return float(np.abs(np.diff(parts, axis=0)).mean())


def _mean(values):
    values = np.asarray(values)[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")


def _median(values):
    values = np.asarray(values)[np.isfinite(values)]
    return float(np.median(values)) if len(values) else None
