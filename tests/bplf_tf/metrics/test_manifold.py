"""Precision, recall, density and coverage: by hand, in known cases, and written out."""

import numpy as np
import pytest

from bplf_tf.metrics.manifold import manifold_figures


def gaussians(count, seed, scale=1.0, size=3):
    return scale * np.random.default_rng(seed).normal(size=(count, size))


def written_out(real, generated, k):
    """The definitions of both papers, with loops."""
    between = np.linalg.norm(real[:, None] - generated, axis=-1)

    def radius(points, i):
        return np.sort(np.linalg.norm(points - points[i], axis=1))[k]

    real_radii = [radius(real, i) for i in range(len(real))]
    generated_radii = [radius(generated, j) for j in range(len(generated))]
    rows, columns = range(len(real)), range(len(generated))
    inside = np.array([[between[i, j] < real_radii[i] for j in columns] for i in rows])
    return {
        "precision": np.mean([inside[:, j].any() for j in columns]),
        "recall": np.mean([any(between[i, j] < generated_radii[j] for j in columns) for i in rows]),
        "density": inside.sum() / (k * len(generated)),
        "coverage": np.mean([inside[i].any() for i in rows]),
    }


def test_the_definitions():
    real, generated = gaussians(40, 0), gaussians(30, 1, 1.3)
    for k in (1, 3, 5):
        assert manifold_figures(real, generated, k) == pytest.approx(
            written_out(real, generated, k)
        )


def test_by_hand():
    # Balls of the real ones, k 1, reach to the neighbour: radii 1, 1, 3.
    real = np.array([[0.0], [1.0], [4.0]])
    # Radii of the generated ones: 1, 1, 96.
    generated = np.array([[0.5], [1.5], [97.5]])
    found = manifold_figures(real, generated, 1)
    # 0.5 lies in the first two balls, 1.5 in the second and third, 97.5 in none.
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["density"] == pytest.approx(4 / 3)
    assert found["coverage"] == 1
    assert found["recall"] == 1  # 4 by the ball of radius 96 around 97.5


def test_a_collapsed_generator_covers_nothing():
    real = gaussians(300, 0)
    collapsed = real[7] + gaussians(300, 1, 0.01)
    found = manifold_figures(real, collapsed)
    assert found["precision"] == 1
    assert found["density"] > 0.5
    assert found["coverage"] < 0.05
    assert found["recall"] < 0.05


def test_a_perfect_one_has_all():
    found = manifold_figures(gaussians(600, 0), gaussians(600, 1))
    assert found["density"] == pytest.approx(1, abs=0.1)
    # In expectation 1 - C(n, k) / C(2n, k), which for k 5 is near 1 - 2^-5.
    assert found["coverage"] == pytest.approx(1 - 2**-5, abs=0.02)
    assert found["precision"] > 0.9 < found["recall"]


def test_noise_is_not_precise():
    found = manifold_figures(gaussians(200, 0), 20 + gaussians(200, 1))
    assert found == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_mistakes():
    with pytest.raises(ValueError, match="at least 6"):
        manifold_figures(gaussians(5, 0), gaussians(50, 1))
    with pytest.raises(ValueError, match="neighbours must be 1 or more"):
        manifold_figures(gaussians(5, 0), gaussians(5, 1), 0)
