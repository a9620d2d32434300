"""`heavy_tails`, alone and as the tails of a split prior."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors import SplitPrior, heavy_tails
from tests.bplf_tf.bijectors import checks
from tests.bplf_tf.bijectors.checks import random_network

tfd = tfp.distributions

SHAPE = (2, 3, 4)


def per_channel(dtype, channels=4):
    return heavy_tails(tf.constant(np.linspace(1.0, 3.0, channels), dtype))


def test_bijector_per_channel():
    case = checks.Case(make=per_channel, latent_shape=SHAPE, image_shape=SHAPE)
    checks.check_log_dets(case)
    checks.check_inversion(case)


def test_split_prior_with_tails():
    def make(dtype):
        return SplitPrior(random_network(0, 2, 2, dtype), tails=per_channel(dtype, channels=2))

    checks.check_bijector(checks.Case(make=make, latent_shape=SHAPE, image_shape=SHAPE))


def test_density_integrates_to_one_and_outweighs_the_gaussian_far_out():
    x = np.linspace(-2e3, 2e3, 4_000_001)
    distribution = tfd.TransformedDistribution(
        tfd.Normal(np.float64(0), 1), heavy_tails(np.float64(3))
    )
    np.testing.assert_allclose(np.trapezoid(distribution.prob(x), x), 1, rtol=1e-6)
    assert distribution.log_prob(np.float64(100)) > -100
    assert tfd.Normal(np.float64(0), 1).log_prob(100) < -5000


def test_wide_bend_is_nearly_the_identity():
    z = np.linspace(-3, 3, 61)
    np.testing.assert_allclose(heavy_tails(np.float64(1e4)).forward(z), z, rtol=1e-7)
