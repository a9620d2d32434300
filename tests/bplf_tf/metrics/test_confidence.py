"""Intervals hold what they promise."""

import numpy as np
import pytest

from bplf_tf.metrics.confidence import Estimate, bootstrap_interval, estimate


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
    assert estimate([1.5, 1.5]) == Estimate(1.5, 0.0, 2, None)
    for wrong in ([], [1.0, float("nan")]):
        with pytest.raises(ValueError, match="needs finite numbers"):
            estimate(wrong)


def test_the_bootstrap_covers():
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(300):
        values = rng.exponential(2.0, size=60)
        low, high = bootstrap_interval(np.mean, values, seed=trial, resamples=200)
        hits += low < 2.0 < high
    assert 268 <= hits <= 296  # of 285 expected; skewed values cost some


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
