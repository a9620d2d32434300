"""Invert1x1Conv and its LU form."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bplf_tf.bijectors import Invert1x1Conv, lu_inverse, lu_kernel, lu_log_abs_det
from tests.bplf_tf.bijectors import checks

SHAPE = (3, 2, 4)


def random_kernel(seed, *batch, channels=4):
    """A well-conditioned matrix that is neither orthogonal nor symmetric."""
    noise = np.random.default_rng(seed).normal(size=(*batch, channels, channels))
    return 0.4 * noise + np.roll(np.eye(channels), 1, axis=0)


def random_lu(seed, *batch, channels=4):
    rng = np.random.default_rng(seed)
    lu = 0.5 * rng.normal(size=(*batch, channels, channels))
    sign = rng.choice([-1.0, 1.0], size=(*batch, channels))
    permutation = rng.permuted(np.broadcast_to(np.arange(channels), sign.shape), axis=-1)
    return lu, sign, permutation.astype(np.int32)


def lu_arguments(dtype, lu, sign, permutation):
    lu, sign = tf.constant(lu, dtype), tf.constant(sign, dtype)
    return {
        "kernel": lu_kernel(lu, sign, permutation),
        "inverse_kernel": lambda: lu_inverse(lu, sign, permutation),
        "log_abs_det": lu_log_abs_det(lu),
    }


@pytest.mark.parametrize("form", ["dense", "lu"])
def test_bijector(form):
    def make(dtype):
        if form == "dense":
            return Invert1x1Conv(tf.constant(random_kernel(0), dtype))
        return Invert1x1Conv(**lu_arguments(dtype, *random_lu(0)))

    checks.check_bijector(checks.Case(make=make, latent_shape=SHAPE, image_shape=SHAPE))


@pytest.mark.parametrize("form", ["dense", "lu"])
def test_one_kernel_per_event(form):
    def make(dtype):
        if form == "dense":
            return Invert1x1Conv(tf.constant(random_kernel(0, 2), dtype))
        return Invert1x1Conv(**lu_arguments(dtype, *random_lu(0, 2)))

    checks.check_bijector(
        checks.Case(
            make=make,
            latent_shape=SHAPE,
            image_shape=SHAPE,
            batch_shapes=((2,), (3, 2)),
            compiled=None,
        )
    )


def test_multiplies_the_channels_of_every_position():
    kernel = random_kernel(1)
    x = np.random.default_rng(2).normal(size=(2, *SHAPE))
    bijector = Invert1x1Conv(kernel)
    np.testing.assert_allclose(bijector.inverse(x), x @ kernel, atol=1e-12)
    expected = 3 * 2 * np.log(abs(np.linalg.det(kernel)))
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(x), expected, rtol=1e-10)
    blocks = checks.jacobian(bijector.inverse, x)[:, :4, :4]
    checks.assert_conditioning_live(blocks)


@settings(max_examples=15)
@given(channels=st.integers(1, 7), seed=st.integers(0, 1000))
def test_lu_form(channels, seed):
    lu, sign, permutation = random_lu(seed, 3, channels=channels)
    kernel = lu_kernel(tf.constant(lu), tf.constant(sign), permutation).numpy()
    inverse = lu_inverse(tf.constant(lu), tf.constant(sign), permutation).numpy()
    identity = np.broadcast_to(np.eye(channels), kernel.shape)
    np.testing.assert_allclose(kernel @ inverse, identity, atol=1e-9)
    np.testing.assert_allclose(
        lu_log_abs_det(tf.constant(lu)), np.linalg.slogdet(kernel)[1], atol=1e-9
    )
    # W = P L (U + diag): row i of W is row permutation[i] of the product.
    lower = np.tril(lu, -1) + np.eye(channels)
    diagonal = sign * np.exp(np.diagonal(lu, axis1=-2, axis2=-1))
    upper = np.triu(lu, 1) + diagonal[..., np.newaxis] * np.eye(channels)
    expected = np.take_along_axis(lower @ upper, permutation[..., np.newaxis], axis=-2)
    np.testing.assert_allclose(kernel, expected, atol=1e-12)


def test_follows_its_variables():
    kernel = tf.Variable(random_kernel(0))
    bijector = Invert1x1Conv(kernel)
    x = tf.constant(np.random.default_rng(2).normal(size=(2, *SHAPE)))
    assert bijector.trainable_variables == (kernel,)
    checks.assert_every_variable_matters(
        lambda: tf.reduce_sum(tf.sin(bijector.inverse(tf.identity(x)))), [kernel]
    )
    checks.assert_every_variable_matters(
        lambda: bijector.inverse_log_det_jacobian(tf.identity(x)), [kernel]
    )
    kernel.assign(random_kernel(1))
    np.testing.assert_allclose(
        bijector.inverse(tf.identity(x)), Invert1x1Conv(random_kernel(1)).inverse(x)
    )


def test_every_lu_parameter_matters():
    lu, sign, permutation = random_lu(0)
    lu = tf.Variable(lu, name="lu")
    x = tf.constant(np.random.default_rng(2).normal(size=(2, *SHAPE)))
    for direction in ("forward", "inverse"):
        with tf.GradientTape() as tape:
            bijector = Invert1x1Conv(
                lu_kernel(lu, sign, permutation),
                lu_inverse(lu, sign, permutation),
                lu_log_abs_det(lu),
            )
            loss = tf.reduce_sum(tf.sin(getattr(bijector, direction)(x)))
        assert np.all(tape.gradient(loss, lu).numpy() != 0)


def test_inverse_is_computed_in_the_forward_direction_only():
    lu, sign, permutation = (tf.constant(v) for v in random_lu(0))
    inverse = checks.Counted(lambda: lu_inverse(lu, sign, permutation))
    bijector = Invert1x1Conv(lu_kernel(lu, sign, permutation), inverse, lu_log_abs_det(lu))
    x = tf.constant(np.random.default_rng(2).normal(size=(2, *SHAPE)))
    y = bijector.inverse(x)
    bijector.inverse_log_det_jacobian(x)
    assert inverse.calls == 0
    np.testing.assert_allclose(bijector.forward(tf.identity(y)), x, atol=1e-9)
    assert inverse.calls == 1
    by_tensor = Invert1x1Conv(bijector.kernel, inverse(), lu_log_abs_det(lu))
    np.testing.assert_allclose(by_tensor.forward(tf.identity(y)), x, atol=1e-9)


def test_wrong_channels():
    bijector = Invert1x1Conv(tf.eye(4))
    for function in (bijector.forward, bijector.inverse):
        with pytest.raises(ValueError, match=r"kernel for 4 channels, got .*3"):
            function(tf.zeros([1, 2, 2, 3]))
