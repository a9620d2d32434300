"""SplitPrior, without and with a condition."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors import SplitPrior
from tests.bplf_tf.bijectors import checks
from tests.bplf_tf.bijectors.checks import random_constants, random_network

tfd = tfp.distributions


def make(shape):
    keep, leave = shape[-1] // 2, shape[-1] - shape[-1] // 2
    return lambda dtype: SplitPrior(random_network(0, keep, leave, dtype))


def conditional(condition):
    """A split prior of four channels under `condition [..., E]`."""
    table = np.random.default_rng(3).normal(size=(condition.shape[-1], 4))

    def make(dtype):
        h = tf.cast(condition, dtype)[..., tf.newaxis, tf.newaxis, :]
        of_condition = tf.linalg.matvec(tf.constant(table.T, dtype), h)
        network = random_network(0, 2, 2, dtype)

        def prior(keep):
            log_scale, mean = network(keep)
            extra_log_scale, extra_mean = tf.split(tf.sin(of_condition), 2, axis=-1)
            return log_scale + extra_log_scale, mean + extra_mean

        return SplitPrior(prior)

    return make


@pytest.mark.parametrize("shape", [(2, 3, 2), (3, 2, 3)], ids=str)
def test_bijector(shape):
    checks.check_bijector(checks.Case(make=make(shape), latent_shape=shape, image_shape=shape))


def test_conditional_bijector():
    condition = np.random.default_rng(9).normal(size=(2, 5))
    checks.check_bijector(
        checks.Case(
            make=conditional(condition),
            latent_shape=(2, 3, 4),
            image_shape=(2, 3, 4),
            batch_shapes=((2,), (3, 2)),
            compiled=None,
        )
    )


def test_standardises_the_gaussian_of_the_half_that_leaves():
    x = np.random.default_rng(0).normal(size=(2, 2, 3, 4))
    bijector = make((2, 3, 4))(tf.float64)
    log_scale, mean = random_network(0, 2, 2, tf.float64)(tf.constant(x[..., :2]))
    z = bijector.inverse(x).numpy()
    np.testing.assert_array_equal(z[..., :2], x[..., :2])
    standard = tfd.Independent(tfd.Normal(tf.zeros([2, 3, 2], tf.float64), 1.0), 3)
    gaussian = tfd.Independent(tfd.Normal(mean, tf.exp(log_scale)), 3)
    np.testing.assert_allclose(
        standard.log_prob(z[..., 2:]) + bijector.inverse_log_det_jacobian(x),
        gaussian.log_prob(x[..., 2:]),
        rtol=1e-10,
    )


def test_conditioning_is_live():
    x = np.random.default_rng(0).normal(size=(2, 2, 2, 4))
    condition = tf.constant(np.random.default_rng(1).normal(size=(2, 5)))
    keep = np.tile([True, True, False, False], 4)
    for direction in ("forward", "inverse"):
        bijector = conditional(condition)(tf.float64)
        of_input = checks.jacobian(getattr(bijector, direction), x)
        checks.assert_conditioning_live(of_input[:, ~keep][..., keep])
        with tf.GradientTape() as tape:
            tape.watch(condition)
            bijector = conditional(condition)(tf.float64)
            y = tf.reshape(getattr(bijector, direction)(x), [2, -1])
        of_condition = tape.batch_jacobian(y, condition).numpy()
        checks.assert_conditioning_live(of_condition[:, ~keep])
        np.testing.assert_array_equal(of_condition[:, keep], 0)


def test_shared_scales_count_once_per_number():
    constants = random_constants(0, (1, 1, 2), tf.float64)
    case = checks.Case(
        make=lambda dtype: SplitPrior(lambda keep: constants),
        latent_shape=(2, 3, 4),
        image_shape=(2, 3, 4),
    )
    checks.check_log_dets(case)
    checks.check_batch_shapes(case)


def test_prior_runs_once_for_value_and_log_det():
    network = checks.Counted(random_network(0, 2, 2, tf.float64))
    bijector = SplitPrior(network)
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 2, 3, 4)))
    for i, direction in enumerate(("forward", "inverse"), start=1):
        value = getattr(bijector, direction)(x)
        getattr(bijector, f"{direction}_log_det_jacobian")(x)
        assert value.shape == x.shape
        assert network.calls == i


def test_wrong_channels():
    with pytest.raises(ValueError, match="at least 2 channels"):
        make((2, 2, 2))(tf.float32).inverse(tf.zeros([1, 2, 2, 1]))
