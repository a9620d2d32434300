import numpy as np
import pytest

from bplf_tf.metrics.expression import expression_gain, monotonicity, read_as_wanted


def test_accuracy_and_gain_by_hand():
    before = np.array([[0.9, 0.1], [0.5, 0.5]])
    after = np.array([[0.2, 0.8], [0.6, 0.4]])
    np.testing.assert_array_equal(read_as_wanted(after, [1, 1]), [True, False])
    np.testing.assert_allclose(expression_gain(before, after, [1, 1]), [0.7, -0.1])
    np.testing.assert_allclose(expression_gain(before, before, [0, 1]), 0)


def test_monotonicity_is_spearmans():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    strengths = [0.0, 0.25, 0.5, 1.0]
    shares = rng.random((6, 4))
    shares[5] = [0.1, 0.2, 0.2, 0.9]  # ties
    expected = [spearmanr(strengths, row).statistic for row in shares]
    np.testing.assert_allclose(monotonicity(strengths, shares), expected)


def test_monotonicity_of_known_cases():
    strengths = [0.0, 0.5, 1.0]
    shares = [[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.2, 0.2, 0.2]]
    np.testing.assert_allclose(monotonicity(strengths, shares), [1, -1, 0])


def test_mistakes():
    with pytest.raises(ValueError, match=r"got \[2, 2\] and \[3\]"):
        read_as_wanted(np.zeros((2, 2)), [0, 1, 1])
    with pytest.raises(ValueError, match=r"got \[3, 2\] and \[2\]"):
        expression_gain(np.zeros((2, 2)), np.zeros((3, 2)), [0, 1])
    with pytest.raises(ValueError, match="three or more different strengths"):
        monotonicity([0, 1, 1], np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"shares must be \[N, 3\]"):
        monotonicity([0, 1, 2], np.zeros((1, 2)))
