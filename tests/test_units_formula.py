"""metrics/formulas/units: counts, F1, accuracy, and their intervals over clips."""

import numpy as np
import pytest

from metrics.formulas.units import accuracy, always, count_units, f1, mean_over_units, rate, unit_scores


def test_counts_f1_and_accuracy_by_hand():
    true = np.array([[1, 0], [1, 0], [0, 0], [0, 0], [1, 1]])
    said = np.array([[1, 0], [0, 0], [1, 0], [0, 0], [1, 1]])
    counts = count_units(true, said, [True, True, True, True, False])
    assert counts.tolist() == [[1, 0], [1, 0], [1, 0], [1, 4]]
    np.testing.assert_allclose(f1(counts), [0.5, np.nan])
    np.testing.assert_allclose(accuracy(counts), [0.5, 1])
    np.testing.assert_allclose(rate(counts), [0.5, 0])
    np.testing.assert_allclose(f1(always(counts)), [2 / 3, 0])
    assert mean_over_units(f1(counts)) == 0.5 and np.isnan(mean_over_units(np.full(2, np.nan)))
    assert np.isnan(accuracy(count_units(true, said, np.zeros(5, bool)))).all()
    with pytest.raises(ValueError, match="differ in shape"):
        count_units(true, said[:4])


def test_scores_are_those_of_all_frames_and_their_ends_come_from_clips():
    rng = np.random.default_rng(0)
    true = rng.random((12, 40, 2)) < (0.5, 0.1)
    said = np.where(rng.random((12, 1, 2)) < 0.5, true, ~true)
    counts = [count_units(*clip) for clip in zip(true, said, strict=True)]
    found = unit_scores(counts, ("AU25", "AU10"))
    one = found["units"]["AU25"]
    hits = (true & said)[..., 0].sum()
    assert one["f1"] == pytest.approx(2 * hits / (true[..., 0].sum() + said[..., 0].sum()))
    assert found["mean"]["f1"] == pytest.approx((one["f1"] + found["units"]["AU10"]["f1"]) / 2)
    assert one["f1_low"] < one["f1"] < one["f1_high"] and found["frames"] == 480 and found["clips"] == 12
    wide = one["accuracy_high"] - one["accuracy_low"]
    assert wide > 0.3, "frames of a clip that are all right or all wrong are drawn together"
    assert found == unit_scores(counts, ("AU25", "AU10"))
    single = unit_scores(counts[:1], ("AU25", "AU10"))["mean"]
    assert single["f1_low"] is single["f1_high"] is None and single["f1"] is not None


def test_a_unit_that_never_is_and_never_is_said_has_no_f1():
    nothing = np.zeros((9, 2), bool)
    found = unit_scores([count_units(nothing, nothing)] * 3, ("AU25", "AU10"))
    assert found["units"]["AU25"]["f1"] is None and found["units"]["AU25"]["accuracy"] == 1
    assert found["mean"]["f1"] is None
