import pytest

from trainers.statistics import paired_difference, smoothed


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
