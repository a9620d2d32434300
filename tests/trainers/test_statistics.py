import numpy as np
import pytest

from trainers.statistics import Estimate, estimate, paired_difference, smoothed


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


def test_pairs_are_of_the_same_seed():
    # The seeds differ by far more than the methods do: only pairs can tell.
    method, reference = {0: 5.1, 1: 3.1, 2: 4.1, 7: 0.0}, {2: 4.0, 1: 3.01, 0: 4.99, 8: 9.0}
    difference = paired_difference(method, reference)
    assert difference.count == 3
    assert difference.mean == pytest.approx(0.1)
    assert difference.half_width < 0.03
    assert paired_difference({0: 1.0}, {1: 1.0}) is None


def test_smoothing():
    assert smoothed([2.0, 2.0, 2.0], 0.85) == pytest.approx([2.0, 2.0, 2.0])
    assert smoothed([1.0, 3.0], 0.85) == pytest.approx([1.0, (0.85 * 0.15 + 0.45) / 0.2775])
    assert smoothed([1.0, 3.0], 0.0) == [1.0, 3.0]
    with pytest.raises(ValueError, match="weight must lie"):
        smoothed([1.0], 1.0)
