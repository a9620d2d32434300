"""Intervals hold what they promise."""

import numpy as np
import pytest
from scipy import stats

from bplf_tf.metrics.confidence import (
    Estimate,
    bootstrap_interval,
    combined_error,
    difference_figures,
    estimate,
    holm,
    ratio_interval,
    share_interval,
    shown,
    times_drawn,
)


def test_confidence_interval_by_hand():
    # Mean 2, standard deviation 1, t of two degrees of freedom at 97.5 %: 4.302653.
    result = estimate([1.0, 2.0, 3.0])
    assert result.mean == 2.0
    assert result.half_width == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    # t = 2 sqrt(3); for two degrees of freedom the distribution is known in closed form.
    t = 2 * np.sqrt(3)
    assert result.p_value == pytest.approx(1 - t / np.sqrt(t**2 + 2), rel=1e-9)
    assert str(result) == "2.0000 ± 2.4841"


def test_confidence_intervals_cover():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(1000):
        result = estimate(rng.normal(3.0, 2.0, size=4))
        hits += abs(result.mean - 3.0) < result.half_width
    assert 930 <= hits <= 970


def test_few_or_equal_values_claim_nothing():
    assert estimate([1.5]) == Estimate(1.5, None, 1, None)
    # Equal values do not say that no other value would differ.
    assert estimate([1.5, 1.5]) == Estimate(1.5, None, 2, None)
    assert str(estimate([1.5, 1.5])) == "1.5000"
    for wrong in ([], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="needs finite numbers"):
            estimate(wrong)


@pytest.mark.parametrize(("right", "count"), [(0, 7), (3, 7), (60, 61), (61, 61)])
def test_shares_are_those_of_scipy(right, count):
    expected = stats.binomtest(right, count).proportion_ci(0.95, "wilson")
    assert share_interval(right / count, count) == pytest.approx((expected.low, expected.high))


def test_shares_of_observations_in_groups():
    # Of 100 observations that are 20 in truth, the variance is that of 20.
    of_twenty = share_interval(0.8, 20)
    assert share_interval(0.8, 100, 0.8 * 0.2 / 20) == pytest.approx(of_twenty)
    low, high = share_interval(0.8, 100, 0.8 * 0.2 / 20, freedom=3)
    assert 0 <= low < of_twenty[0] < of_twenty[1] < high <= 1
    # No variance seen, or of rounding alone, is no certainty.
    assert share_interval(1.0, 30, 1e-33) == share_interval(1.0, 30)
    assert share_interval(1.0, 30)[0] < 0.9
    for share, count in ((1.2, 5), (0.5, 0), (float("nan"), 5)):
        with pytest.raises(ValueError, match="needs a share"):
            share_interval(share, count)


def test_ratios_cover():
    rng = np.random.default_rng(4)
    truth, hits = 0.6 / 0.8, 0
    for _ in range(1000):
        first, second = rng.binomial(150, 0.6) / 150, rng.binomial(60, 0.8) / 60
        low, high = ratio_interval(
            (first, second), share_interval(first, 150), share_interval(second, 60)
        )
        assert 0 <= low <= first / second <= high
        hits += low < truth < high
    assert 930 <= hits <= 970
    # The smaller the denominator's error, the nearer to the numerator's alone.
    exact = ratio_interval((0.5, 0.9), share_interval(0.5, 80), (0.9 - 1e-12, 0.9 + 1e-12))
    assert exact == pytest.approx(np.array(share_interval(0.5, 80)) / 0.9)
    assert ratio_interval((0.0, 0.5), share_interval(0.0, 9), share_interval(0.5, 9))[0] == 0


def test_seeds_and_images_cover():
    """Three seeds that read the same 80 images: both make a difference."""
    rng = np.random.default_rng(5)
    both = alone = 0
    for _ in range(600):
        of_seeds = rng.normal(0, 0.02, 3)
        of_images = rng.normal(0, 0.2, 80)
        values = of_seeds[:, None] + of_images
        variance, freedom = combined_error(
            values.mean(axis=1), values.mean(axis=0).var(ddof=1) / 80, 80
        )
        both += difference_figures(values.mean(), variance, freedom)["p_value"] > 0.05
        alone += abs(values.mean()) < estimate(values.mean(axis=1)).half_width
    assert 555 <= both <= 590  # of 570 expected
    assert alone < both


def test_one_seed_leaves_the_images():
    assert combined_error([0.7], 0.01, 11) == pytest.approx((0.01, 10))
    assert combined_error([0.7, 0.7], 0.0, 11) == (0.0, np.inf)
    assert difference_figures(-1.0, 0.0, np.inf) == {
        "mean": -1.0, "half_width": None, "p_value": None,
    }  # fmt: skip


def test_holm_by_hand():
    # Of three: 0.01 * 3, 0.02 * 2, and 0.04, which may not be less than the one before.
    assert holm([0.04, 0.01, None, 0.02]) == pytest.approx([0.04, 0.03, None, 0.04], nan_ok=True)
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_draws_keep_the_labels():
    labels = np.array([0, 1, 1, 1, 2, 2])
    rng = np.random.default_rng(0)
    draws = np.stack([times_drawn(labels, rng) for _ in range(200)])
    for label in range(3):
        assert (draws[:, labels == label].sum(axis=1) == (labels == label).sum()).all()
    assert draws[:, 0].tolist() == [1] * 200
    assert draws.max() == 3


def test_figures_as_text():
    assert shown({"mean": 0.5, "half_width": 0.04}, 2) == "0.50 ± 0.04"
    assert shown({"mean": 0.5, "half_width": None}, 2) == "0.50"
    assert shown({"mean": 1, "interval": [0.9, 1.0]}, 2) == "1.00 (0.90 to 1.00)"


def test_the_bootstrap_covers():
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        values = rng.exponential(2.0, size=60)
        low, high = bootstrap_interval(np.mean, values, seed=trial, resamples=100)
        hits += low < 2.0 < high
    assert 176 <= hits <= 198  # of 190 expected; skewed values cost some


def test_the_bootstrap_agrees_with_students_t():
    values = np.random.default_rng(2).normal(size=400)
    low, high = bootstrap_interval(np.mean, values)
    found = estimate(values)
    assert (low + high) / 2 == pytest.approx(found.mean, abs=0.01)
    assert (high - low) / 2 == pytest.approx(found.half_width, rel=0.1)
    assert bootstrap_interval(np.mean, values) == (low, high)


def test_observations_of_a_group_are_drawn_together():
    rng = np.random.default_rng(3)
    of_people = rng.normal(size=30)
    values, people = np.repeat(of_people, 20), np.repeat(np.arange(30), 20)
    low, high = bootstrap_interval(np.mean, values, groups=people)
    narrow_low, narrow_high = bootstrap_interval(np.mean, values)
    found = estimate(of_people)
    assert (high - low) / 2 == pytest.approx(found.half_width, rel=0.2)
    assert (high - low) > 3 * (narrow_high - narrow_low)


def test_arrays_are_drawn_alike():
    first = np.arange(50.0)
    assert bootstrap_interval(lambda a, b: float((a - b).sum()), first, first) == (0, 0)
    with pytest.raises(ValueError, match="needs observations"):
        bootstrap_interval(np.mean, np.zeros(0))
