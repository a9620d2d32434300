"""The regressions of `pixel_ridge` against others of the same thing, pixel by pixel."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from scipy.optimize import lsq_linear
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from bplf_tf import pixel_ridge
from bplf_tf.pixel_features import PixelFeatures
from bplf_tf.pixel_ridge import (
    MIN_SLOPE,
    cross_validated_ridge,
    make_folds,
    matched_moments,
    ridge_weights,
)
from tests.bplf_tf.pixel_data import direct_ridge, make_pairs


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("window", [1, 3, 5])
def test_equals_the_direct_solution_of_every_pixel(window, shared):
    neutral, expressive = make_pairs()
    weights = ridge_weights(PixelFeatures(window), neutral, expressive, 0.4, shared)
    _, height, width, channels = neutral.shape
    assert weights.dtype == np.float64
    assert weights.shape == (window**2 + 1, height, width, 1 if shared else channels)
    for row, column, channel in np.ndindex(*weights.shape[1:]):
        seen = range(channels) if shared else [channel]
        direct = direct_ridge(neutral, expressive, 0.4, row, column, seen, window // 2)
        np.testing.assert_allclose(weights[:, row, column, channel], direct, rtol=0, atol=1e-10)


@hypothesis.given(
    count=st.integers(2, 40),
    ridge=st.floats(1e-3, 1e3),
    seed=st.integers(0, 2**31),
)
@hypothesis.settings(max_examples=30, deadline=None)
def test_equals_the_closed_form(count, ridge, seed):
    """`N = n + l`, `Sxx = sum x^2 + l`, and so on: Cramer's rule with the bias penalised."""
    neutral, expressive = make_pairs(count, (3, 2, 1), seed)
    x, t = neutral / 255, expressive / 255
    n, sx, st_ = count + ridge, x.sum(0), t.sum(0)
    sxx, sxt = (x * x).sum(0) + ridge, (x * t).sum(0)
    determinant = sxx * n - sx**2
    slope = (sxt * n - sx * st_) / determinant
    shift = (sxx * st_ - sx * sxt) / determinant
    weights = ridge_weights(PixelFeatures(), neutral, expressive, ridge)
    np.testing.assert_allclose(weights, np.stack([slope, shift]), rtol=1e-6, atol=1e-9)


def test_kept_slopes_are_the_constrained_optimum():
    neutral, expressive = make_pairs()
    free = ridge_weights(PixelFeatures(), neutral, expressive, 0.4)
    kept = ridge_weights(PixelFeatures(), neutral, expressive, 0.4, min_slope=MIN_SLOPE)
    binding = free[0] < MIN_SLOPE
    assert 0 < binding.sum() < binding.size / 2
    np.testing.assert_allclose(kept[:, ~binding], free[:, ~binding], rtol=0, atol=1e-12)
    assert (kept[0][binding] == MIN_SLOPE).all()
    for row, column, channel in np.argwhere(binding):
        x, t = (images[:, row, column, channel] / 255 for images in (neutral, expressive))
        # The penalty as two more observations.
        design = np.concatenate([np.stack([x, np.ones_like(x)], 1), np.sqrt(0.4) * np.eye(2)])
        best = lsq_linear(
            design, np.append(t, [0, 0]), ([MIN_SLOPE, -np.inf], [np.inf, np.inf]), tol=1e-14
        )
        np.testing.assert_allclose(kept[:, row, column, channel], best.x, atol=1e-7)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_polynomial_equals_scikit_learn(degree):
    neutral, expressive = make_pairs(shape=(2, 2, 1))
    weights = ridge_weights(
        PixelFeatures(kernel="polynomial", degree=degree), neutral, expressive, 0.4
    )
    x, t = neutral[:, 1, 0, 0] / 255, expressive[:, 1, 0, 0] / 255
    design = np.stack([x**power for power in (*range(1, degree + 1), 0)], axis=1)
    expected = Ridge(0.4, fit_intercept=False).fit(design, t).coef_
    np.testing.assert_allclose(weights[:, 1, 0, 0], expected, atol=1e-9)


def test_rbf_is_the_kernel_ridge_of_its_features():
    """The primal regression on features is the dual one on their inner products."""
    neutral, expressive = make_pairs(shape=(2, 2, 1))
    features = PixelFeatures(kernel="rbf", centres=5)
    weights = ridge_weights(features, neutral, expressive, 0.4)
    x, t = neutral[:, 0, 1, 0] / 255, expressive[:, 0, 1, 0] / 255
    bumps = np.exp(-0.5 * ((x[:, None] - np.linspace(0, 1, 5)) / 0.25) ** 2)
    design = np.concatenate([bumps, np.ones([len(x), 1])], axis=1)
    dual = KernelRidge(alpha=0.4, kernel="linear").fit(design, t)
    np.testing.assert_allclose(design @ weights[:, 0, 1, 0], dual.predict(design), atol=1e-9)


def test_blocks_change_nothing(monkeypatch):
    neutral, expressive = make_pairs()
    whole = ridge_weights(PixelFeatures(3), neutral, expressive, 0.4)
    monkeypatch.setattr(pixel_ridge, "_BLOCK_BYTES", 1)  # a row at a time
    np.testing.assert_allclose(
        ridge_weights(PixelFeatures(3), neutral, expressive, 0.4), whole, rtol=0, atol=1e-13
    )


@pytest.mark.parametrize(("window", "shared"), [(1, False), (3, True)])
def test_cross_validation_is_leaving_out_and_looking(window, shared):
    neutral, expressive = make_pairs(noise=40)
    folds = make_folds(np.arange(20) // 2, 4, seed=1)
    features, ridges = PixelFeatures(window), (0.04, 0.4, 4.0)
    best, errors = cross_validated_ridge(
        features, neutral, expressive, folds, shared, ridges=ridges
    )
    for ridge in ridges:
        squares = []
        for fold in folds:
            kept = np.setdiff1d(np.arange(20), fold)
            weights = ridge_weights(features, neutral[kept], expressive[kept], ridge, shared)
            seen = features.each(neutral[fold], slice(0, 6))
            predicted = sum(w * f for w, f in zip(weights, seen, strict=True))
            squares.append((predicted - expressive[fold] / 255) ** 2)
        np.testing.assert_allclose(errors[ridge], np.concatenate(squares).mean(), rtol=1e-9)
    assert best == min(ridges, key=lambda ridge: errors[ridge])


def test_folds_keep_people_together():
    people = ["a", "b", "a", "c", "d", "e", "c", "a"]
    folds = make_folds(people, 3, seed=0)
    assert sorted(np.concatenate(folds)) == list(range(8))
    for person in people:
        places = {i for i, name in enumerate(people) if name == person}
        assert sum(bool(places & set(fold)) for fold in folds) == 1
    with pytest.raises(ValueError, match="6 folds and 5 people"):
        make_folds(people, 6, seed=0)


@pytest.mark.parametrize("shared", [False, True])
def test_moments_match(shared):
    neutral, expressive = make_pairs(count=30)[0], make_pairs(count=50, seed=1)[1]
    neutral[:, 0, 0] = 7  # pixels that never change
    expressive[:, 0, 0] = 100
    slope, shift = matched_moments(neutral, expressive, shared)
    edited = slope * (neutral / 255) + shift
    axes = (0, 3) if shared else 0
    x, t = neutral / 255, expressive / 255
    np.testing.assert_allclose(edited.mean(axes), t.mean(axes), atol=1e-12)
    free = slope.squeeze() > MIN_SLOPE if shared else slope > MIN_SLOPE
    np.testing.assert_allclose(edited.std(axes)[free], t.std(axes)[free], atol=2e-3)
    np.testing.assert_allclose(slope[0, 0], 1, atol=1e-12)
    assert (slope >= MIN_SLOPE).all()
    # Exact sums of whole numbers: those of float64 at hand agree.
    np.testing.assert_allclose(
        slope[3].squeeze(),
        np.maximum(
            np.sqrt((t.var(axes)[3] + 1 / 12 / 255**2) / (x.var(axes)[3] + 1 / 12 / 255**2)),
            MIN_SLOPE,
        ),
        rtol=1e-9,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 2}, "window must be an odd positive integer, got 2"),
        ({"window": True}, "window must be an odd positive integer, got True"),
        ({"kernel": "sigmoid"}, "kernel must be one of linear, polynomial, rbf, got 'sigmoid'"),
        ({"window": 3, "kernel": "rbf"}, "the rbf kernel sees one pixel: window must be 1, got 3"),
        ({"degree": 4}, "degree must be 1, 2 or 3, got 4"),
        ({"centres": 1}, "centres must be an integer of at least 2, got 1"),
    ],
)
def test_features_refuse(arguments, message):
    with pytest.raises(ValueError, match=message):
        PixelFeatures(**arguments)
