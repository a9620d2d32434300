"""`PixelLogit`, alone and as a density."""

import dataclasses

import hypothesis
import hypothesis.extra.numpy
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors import PixelLogit
from tests.bplf_tf.bijectors import checks

tfb, tfd = tfp.bijectors, tfp.distributions

# Mostly black, as MNIST; mostly white; flat.
HISTOGRAM = np.array(
    [
        [0.8, 0.001, 0.009, 0.01, 0.02, 0.02, 0.04, 0.1],
        [0.1, 0.02, 0.04, 0.02, 0.01, 0.009, 0.001, 0.8],
        [1 / 8] * 8,
    ]
)


def make(dtype):
    return PixelLogit(tf.constant(HISTOGRAM, dtype))


def draw_pixels(rng, shape):
    return rng.uniform(-0.5, 0.5, size=shape)


def draw_wide(rng, shape):
    return rng.normal(scale=3, size=shape)


def case(shape, dynamic):
    return checks.Case(
        make=make,
        latent_shape=shape,
        image_shape=shape,
        draw_image=draw_pixels,
        dynamic_latent_shape=dynamic,
        dynamic_image_shape=dynamic,
    )


def test_bijector_on_pixels():
    checks.check_bijector(case((3,), (None,)))


def test_log_det_sums_over_an_image():
    checks.check_numbers(case((2, 3, 3), (None, None, 3)))


def test_pixels_beyond_the_range():
    wide = dataclasses.replace(case((3,), (None,)), draw=draw_wide, draw_image=draw_wide)
    checks.check_numbers(wide)


def test_flat_histogram_is_realnvps_logit():
    x = np.linspace(-0.5, 0.5, 101)[:, np.newaxis]
    flat = PixelLogit(np.full([1, 16], 1 / 16), alpha=0.01)
    shift, scale = np.float64(0.5), np.float64(0.98)
    value = tfb.Chain([tfb.Shift(-shift), tfb.Scale(1 / scale), tfb.Shift(np.float64(-0.01))])
    logit = tfb.Chain([value, tfb.Sigmoid()])
    np.testing.assert_allclose(flat.inverse(x), logit.inverse(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        flat.inverse_log_det_jacobian(x, 1), logit.inverse_log_det_jacobian(x, 1), rtol=1e-9
    )


def test_logistic_noise_becomes_the_histogram():
    """Within the range, data of this histogram is logistic to the flow."""
    x = (np.arange(8000) + 0.5) / 8000 - 0.5
    distribution = tfd.TransformedDistribution(
        tfd.Independent(tfd.Logistic(np.zeros(3), 1.0), 1), PixelLogit(HISTOGRAM, alpha=0.05)
    )
    density = np.exp(distribution.log_prob(np.repeat(x[:, np.newaxis], 3, axis=1)))
    shares = np.repeat(0.9 * HISTOGRAM * 8, 1000, axis=1)
    np.testing.assert_allclose(density, np.prod(shares, axis=0), rtol=1e-9)


@hypothesis.given(
    counts=hypothesis.extra.numpy.arrays(np.int64, (2, 16), elements=st.integers(0, 1000)),
    seed=st.integers(0, 2**31),
)
@hypothesis.settings(max_examples=50, deadline=None)
def test_any_histogram_inverts(counts, seed):
    histogram = (counts + 0.01) / (counts + 0.01).sum(axis=1, keepdims=True)
    bijector = PixelLogit(histogram)
    rng = np.random.default_rng(seed)
    x = rng.uniform(-0.5, 0.5, size=(50, 2))
    y = bijector.inverse(x).numpy()
    np.testing.assert_allclose(bijector.forward(y), x, rtol=0, atol=1e-9)
    order = np.argsort(x[:, 0])
    assert np.all(np.diff(y[order, 0]) > 0)


@pytest.mark.parametrize("shape", [(8,), (1, 6), (1, 0), (2, 1, 8)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"histogram must have shape .*got \("):
        PixelLogit(np.ones(shape))


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0])
def test_alpha_outside_its_range_is_refused(alpha):
    with pytest.raises(ValueError, match=f"alpha .* got {alpha}"):
        PixelLogit(HISTOGRAM, alpha=alpha)
