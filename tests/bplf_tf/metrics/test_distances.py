"""KID and FID against closed forms, and against sums that are written out."""

import numpy as np
import pytest
import scipy.linalg

from bplf_tf.metrics.distances import frechet_distance, kernel_distance


def gaussians(count, mean=0.0, scale=1.0, size=4, seed=0):
    return mean + scale * np.random.default_rng(seed).normal(size=(count, size))


def test_the_kernel_distance_is_the_sum_over_pairs():
    x, y = gaussians(7), gaussians(5, 0.5, seed=1)

    def kernel(a, b):
        return (a @ b / 4 + 1) ** 3

    def mean(rows, columns, apart):
        values = [
            kernel(a, b)
            for i, a in enumerate(rows)
            for j, b in enumerate(columns)
            if not (apart and i == j)
        ]
        return np.mean(values)

    expected = mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)
    assert kernel_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_the_kernel_distance_of_gaussians():
    """E k(x, y) = 1 + 3 E(u^2) + 3 E(u) + E(u^3) with u = x.y / F, of which the moments are known.

    For x, y of N(m, I) with m = c (1, ..., 1): E u = c^2, and the rest by expansion. Against
    N(0, I), where the odd moments are 0 and E u^2 = 1 / F.
    """
    size, c = 3, 0.7
    rng = np.random.default_rng(0)
    u_shifted = (
        (rng.normal(size=(400_000, size)) + c) * (rng.normal(size=(400_000, size)) + c)
    ).mean(1)
    within_shifted = np.mean((u_shifted + 1) ** 3)
    within_zero = 1 + 3 / size
    # x ~ N(0, I), y ~ N(m, I): u given y is N(0, |y|^2 / F^2), so only E u^2 = E|y|^2 / F^2 stays.
    across = 1 + 3 * (size * (1 + c**2)) / size**2
    expected = within_zero + within_shifted - 2 * across
    found = np.mean(
        [
            kernel_distance(
                gaussians(500, 0, 1, size, 2 * s), gaussians(500, c, 1, size, 2 * s + 1)
            )
            for s in range(40)
        ]
    )
    assert found == pytest.approx(expected, rel=0.05)


def test_the_kernel_distance_has_no_bias():
    values = [
        kernel_distance(gaussians(20, seed=2 * seed), gaussians(20, seed=2 * seed + 1))
        for seed in range(400)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20
    assert min(values) < 0


def test_many_rows_are_summed_in_parts(monkeypatch):
    x, y = gaussians(50), gaussians(40, 1, seed=1)
    whole = kernel_distance(x, y)
    monkeypatch.setattr("bplf_tf.metrics.distances._ROWS", 7)
    assert kernel_distance(x, y) == pytest.approx(whole, rel=1e-12)


def test_the_frechet_distance_of_gaussians_along_the_axes():
    """Of diagonal Gaussians it is |m_1 - m_2|^2 + sum (s_1 - s_2)^2."""
    scales = np.array([1.0, 2.0, 0.5])
    x = gaussians(200_000, size=3)
    y = 0.3 + gaussians(200_000, size=3, seed=1) * scales
    expected = 3 * 0.09 + ((scales - 1) ** 2).sum()
    assert frechet_distance(x, y) == pytest.approx(expected, rel=0.02)


def test_the_frechet_distance_by_scipys_root():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))
    y = rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5)) + rng.normal(size=5)
    covariances = [np.cov(part, rowvar=False) for part in (x, y)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    difference = x.mean(0) - y.mean(0)
    expected = difference @ difference + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_features_that_never_fire_do_no_harm():
    x, y = gaussians(30), gaussians(30, seed=1)
    x[:, 2] = y[:, 2] = 0
    expected = frechet_distance(np.delete(x, 2, 1), np.delete(y, 2, 1))
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("distance", [kernel_distance, frechet_distance])
def test_mistakes(distance):
    x = gaussians(5)
    with pytest.raises(ValueError, match=r"generated features must be .* at least 2, got \[1, 4\]"):
        distance(x, x[:1])
    with pytest.raises(ValueError, match="real features hold NaN"):
        distance(np.where(np.eye(5, 4) > 0, np.nan, x), x)
    with pytest.raises(ValueError, match="one length, got 4 and 3"):
        distance(x, x[:, :3])
