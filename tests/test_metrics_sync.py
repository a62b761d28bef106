"""The verdict over all shifts of two series of embeddings: against plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import InputError
from metrics.sync.score import OVERLAP, PADDED, ShiftRule, score_runs, score_sync, window_count

SHIFTS = range(-15, 16)


def embeddings(seed, count, dimension=8):
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def delayed(sound, frames):
    """The embeddings of sound that comes so many frames later."""
    shifted = np.zeros_like(sound)
    at = np.arange(len(sound)) - frames
    inside = (at >= 0) & (at < len(sound))
    shifted[inside] = sound[at[inside]]
    return shifted


def mean_distance(lips, sound, offset, eps=1e-6):
    """Mean distance of window i of the lips and window i - offset of the sound; zeros where there is no sound."""
    distances = []
    for at in range(len(lips)):
        other = sound[at - offset] if 0 <= at - offset < len(sound) else np.zeros(lips.shape[1])
        distances.append(np.sqrt(((lips[at].astype(np.float64) - other + eps) ** 2).sum()))
    return np.mean(distances)


# score_sync


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 50), st.integers(1, 12), st.integers(-15, 15))
def test_the_verdict_equals_a_plain_loop(seed, count, dimension, shift):
    lips = embeddings(seed, count, dimension)
    sound = delayed(lips, shift) + 0.1 * embeddings(seed + 1, count, dimension)
    curve = np.array([mean_distance(lips, sound, offset) for offset in SHIFTS])
    found = score_sync(torch.from_numpy(lips), torch.from_numpy(sound), PADDED)
    np.testing.assert_allclose(found.curve, curve, rtol=1e-5, atol=1e-6)
    assert found.curve.shape == (31,) and found.curve.dtype == np.float64 and found.windows == count
    assert found.distance == pytest.approx(curve.min(), rel=1e-5, abs=1e-5)
    assert found.confidence == pytest.approx(np.median(curve) - curve.min(), abs=1e-4)
    assert found.zero_distance == pytest.approx(curve[15], rel=1e-5, abs=1e-5)
    assert found.curve[found.offset + 15] == found.curve.min()


@pytest.mark.parametrize("frames", [-15, -4, -1, 0, 1, 3, 15])
def test_the_offset_is_negative_where_the_sound_is_late(frames):
    lips = embeddings(5, 60)
    found = score_sync(lips, delayed(lips, frames), PADDED)
    assert found.offset == -frames and np.argmin(found.curve) == 15 - frames
    assert (found.zero_distance > found.distance + 1) == (frames != 0)
    assert found.distance < 1.2 and found.confidence > 1


def test_a_constant_lag_leaves_the_least_distance_alone():
    lips = embeddings(6, 400)
    sound = lips + 0.3 * embeddings(7, 400)
    plain, late = score_sync(lips, sound, PADDED), score_sync(lips, delayed(sound, 3), PADDED)
    assert (plain.offset, late.offset) == (0, -3)
    assert late.distance == pytest.approx(plain.distance, rel=0.03)
    assert late.zero_distance > 2 * plain.zero_distance


def test_strangers_have_no_confidence():
    found = score_sync(embeddings(8, 400), embeddings(9, 400), PADDED)
    assert found.confidence < 0.2 and found.distance > 3


def test_other_widths_of_the_search():
    lips = embeddings(1, 30)
    assert score_sync(lips, delayed(lips, 4), PADDED, max_shift=5).curve.shape == (11,)
    assert score_sync(lips, delayed(lips, 4), PADDED, max_shift=5).offset == -4


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(InputError, match="at least 6 frames"):
        score_sync(np.zeros((0, 8), np.float32), np.zeros((0, 8), np.float32), PADDED)
    for lips, sound in (((5, 8), (6, 8)), ((5, 8), (5, 7)), ((5,), (5,))):
        with pytest.raises(ValueError, match="embeddings must both be"):
            score_sync(np.zeros(lips, np.float32), np.zeros(sound, np.float32), PADDED)


# unit-length embeddings: only windows that have sound


def unit(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def overlap_distance(lips, sound, offset, eps=1e-6):
    """(mean distance, windows) of window i of the lips and window i - offset of the sound, where both are there."""
    pairs = [(lips[at], sound[at - offset]) for at in range(len(lips)) if 0 <= at - offset < len(sound)]
    distances = [np.sqrt(((a.astype(np.float64) - b + eps) ** 2).sum()) for a, b in pairs]
    return np.mean(distances), len(distances)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(40, 90), st.integers(2, 12), st.integers(-15, 15))
def test_overlapping_windows_alone_equal_a_plain_loop(seed, count, dimension, shift):
    lips = unit(embeddings(seed, count, dimension))
    sound = unit(delayed(lips, shift) + 0.1 * embeddings(seed + 1, count, dimension))
    curve = np.array([overlap_distance(lips, sound, offset)[0] for offset in SHIFTS])
    found = score_sync(torch.from_numpy(lips), torch.from_numpy(sound), OVERLAP)
    np.testing.assert_allclose(found.curve, curve, rtol=1e-4, atol=1e-5)
    assert found.offset == -shift or found.curve[15 - shift] - found.distance < 0.05
    assert found.zero_distance == pytest.approx(curve[15], rel=1e-4, abs=1e-5) and found.windows == count


def strangers(seed, count=70, dimension=64, slow=5):
    """Unit-length embeddings that change slowly, as those of windows that share frames do, and others that have nothing to do
    with them but a common part; most are more than 1 apart."""
    smooth = np.ones(slow) / slow
    values = [np.stack([np.convolve(row, smooth, "valid") for row in embeddings(one, dimension, count + slow - 1)], 1)
              for one in (2 * seed, 2 * seed + 1)]
    return [unit(one + 0.2) for one in values]


def test_the_ends_of_the_search_do_not_win_for_strangers():
    """Zeros are 1 away from everything, and unrelated unit vectors farther: padded shifts win, by definition of the padding."""
    def far(rule):
        offsets = [abs(score_sync(*strangers(seed), rule).offset) for seed in range(200)]
        return np.mean([offset >= 13 for offset in offsets])

    padded, overlap = far(PADDED), far(OVERLAP)
    assert padded > 0.6, "the fault that this rule mends"
    assert overlap < 0.4, f"6 of 31 shifts lie there: 19 % if all were alike; found {overlap:.0%}"


def test_the_published_rule_is_untouched():
    lips, sound = embeddings(1, 20), embeddings(2, 20)
    assert PADDED == ShiftRule(padded=True, run=1, overlap=1)
    np.testing.assert_array_equal(score_sync(lips, sound, PADDED).curve, score_runs([(lips, sound)], PADDED).curve)
    padded = np.pad(sound, ((15, 15), (0, 0)))
    means = [torch.nn.functional.pairwise_distance(torch.tensor(lips), torch.tensor(padded[at : at + 20])).mean()
             for at in range(31)]
    np.testing.assert_array_equal(score_sync(lips, sound, PADDED).curve, np.array([float(mean) for mean in means])[::-1])


@pytest.mark.parametrize("rule", [PADDED, OVERLAP])
def test_runs_weigh_by_their_windows(rule):
    lips = [unit(embeddings(seed, count)) for seed, count in ((1, 25), (2, 120))]
    runs = [(lips[0], unit(delayed(lips[0], 4) + 0.02)), (lips[1], unit(delayed(lips[1], -2) + 0.02))]
    found = score_runs(runs, rule)
    for place, offset in enumerate(SHIFTS):
        if rule is OVERLAP:
            parts = [overlap_distance(*run, offset) for run in runs]
        else:
            parts = [(mean_distance(*run, offset), len(run[0])) for run in runs]
        mean = sum(value * windows for value, windows in parts) / sum(windows for _, windows in parts)
        assert found.curve[place] == pytest.approx(mean, rel=1e-4)
    assert found.offset == 2 and found.windows == 145 and found.left_out == 0


def test_scraps_of_a_few_windows_change_nothing():
    """One run of 100 windows in sync, and ten scraps of 1 to 10 that are not."""
    lips = unit(embeddings(3, 100))
    scraps = [tuple(unit(embeddings(10 * count + side, count)) for side in (1, 2)) for count in range(1, 11)]
    whole, alone = score_runs([(lips, lips), *scraps], OVERLAP), score_sync(lips, lips, OVERLAP)
    np.testing.assert_array_equal(whole.curve, alone.curve)
    assert (whole.windows, whole.left_out, whole.offset) == (100, 55, 0)


def test_what_is_too_short_for_overlapping_windows_is_refused():
    lips = unit(embeddings(4, 200))
    for count, message in ((1, "the longest run has 6 frames; .* needs 45 frames"), (24, "the longest run has 29 frames"),
                           (25, "at a shift of 15 frames only 10 windows have sound, and 25 must"), (39, "only 24 windows")):
        with pytest.raises(InputError, match=message):
            score_sync(lips[:count], lips[:count], OVERLAP)
    assert score_sync(lips[:40], lips[:40], OVERLAP).windows == 40
    pieces = [(lips[:25], lips[:25])] * 3
    with pytest.raises(InputError, match="only 20 windows have sound"):
        score_runs(pieces[:2], OVERLAP)
    assert score_runs(pieces, OVERLAP).windows == 75


@pytest.mark.parametrize(("frames", "samples", "rate", "expected"), [
    (75, 48000, 16000, 70), (75, 47999, 16000, 69), (75, 60000, 16000, 70), (75, 132300, 44100, 70), (75, 132299, 44100, 69),
    (6, 16000, 16000, 1), (5, 16000, 16000, 0), (0, 0, 16000, 0), (75, 0, 16000, 0), (100, 8000, 8000, 20),
])  # fmt: skip
def test_window_count(frames, samples, rate, expected):
    assert window_count(frames, samples, rate) == expected
