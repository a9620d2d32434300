"""Parts that TFP has too, with the same weights: the same numbers."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.bijectors import glow as tfp_glow

from bplf_tf import BPLF, preset_config
from bplf_tf.bijectors import DynamicLinear, Invert1x1Conv
from tests.bplf_tf.bijectors.checks import random_network
from tests.bplf_tf.random_weights import randomise

tfb = tfp.bijectors

X = np.random.default_rng(0).normal(size=(3, 2, 2, 4))


def assert_same(ours, theirs, x=X, atol=1e-12):
    """Values and log-dets of both directions; theirs leads from image to latent by `forward`."""
    x = tf.constant(x)
    z = theirs.forward(x)
    np.testing.assert_allclose(ours.inverse(x), z, atol=atol)
    assert np.abs(z - x).max() > 0.1
    log_det = np.broadcast_to(theirs.forward_log_det_jacobian(tf.identity(x), 3), len(x))
    assert np.abs(log_det).min() > 0.01
    np.testing.assert_allclose(
        np.broadcast_to(ours.inverse_log_det_jacobian(tf.identity(x), 3), len(x)),
        log_det,
        atol=10 * atol,
    )
    other = tf.constant(np.random.default_rng(1).normal(size=x.shape))
    np.testing.assert_allclose(ours.forward(other), theirs.inverse(other), atol=atol)


def test_1x1_convolution():
    kernel = np.random.default_rng(2).normal(size=(4, 4))
    theirs = tfb.ScaleMatvecLU(*tf.linalg.lu(tf.constant(kernel.T)))  # W x there, x W here
    assert_same(Invert1x1Conv(tf.constant(kernel)), theirs, atol=1e-10)


def test_coupling_of_realnvp():
    network = random_network(0, 2, 2, tf.float64)

    def shift_and_log_scale(x0, units):
        assert units == 2
        log_scale, shift = network(x0)
        return shift, log_scale

    theirs = tfb.RealNVP(num_masked=2, shift_and_log_scale_fn=shift_and_log_scale)
    assert_same(DynamicLinear(None, [network]), theirs)


def test_additive_coupling():
    network = random_network(0, 2, 2, tf.float64)
    theirs = tfb.RealNVP(num_masked=2, bijector_fn=lambda x0, _: tfb.Shift(network(x0)[1]))
    ours = DynamicLinear(None, [lambda x: (None, network(x)[1])])
    x = tf.constant(X)
    np.testing.assert_allclose(ours.inverse(x), theirs.forward(x), atol=1e-12)
    np.testing.assert_array_equal(ours.inverse_log_det_jacobian(x, 3), np.zeros(3))


class _Network(tf.Module):
    """The network of a step, as `tfb.Glow` wants it: raw log-scales, then shifts."""

    def __init__(self, coupling):
        super().__init__()
        self.coupling = coupling
        self.dtype_of_the_block = tf.Variable(0.0, dtype=tf.float64)

    def __call__(self, x):
        return self.coupling(x)


@pytest.mark.parametrize("kernel_form", ["lu", "dense"])
def test_step_of_glow(kernel_form):
    config = preset_config(
        "glow",
        "tiny",
        image_shape=(4, 4, 1),
        classes=(),
        levels=1,
        depth=1,
        width=4,
        dtype="float64",
        kernel_form=kernel_form,
        affine_order="scale_shift",  # as TFP has it; Glow's own code shifts first
    )
    model = randomise(BPLF(config), scale=0.3)
    steps = model.steps[0]
    # Glow's last layer has biases inside the sigmoid, and no other constants.
    steps.log_scale_2.assign(np.zeros((1, 2)))
    ours = model.level(0).step(0)
    slices = {name: t[0] for name, t in steps.network.stacked(None, tf.float64).items()}

    def coupling(x):
        raw, shift = tf.split(steps.network.apply(slices, x), 2, axis=-1)
        return tf.concat([raw, shift + steps.shift_2.value[0]], axis=-1)

    block = tfp_glow.GlowBlock(
        (2, 2, 4), 1, lambda shape: _Network(coupling), True, tfp.util.SeedStream(0, "")
    )
    act_norm, convolution = block.bijectors[0], block.bijectors[1].bijector
    scale = np.exp(steps.actnorm.log_scale[0])
    act_norm._s.assign(scale)
    act_norm._m.assign(steps.actnorm.shift[0] / scale)
    act_norm._initialized.assign(True)
    kernel = ours.bijectors[1].kernel
    lower_upper, permutation = tf.linalg.lu(tf.transpose(kernel))
    convolution._bijector.lower_upper.assign(lower_upper)
    convolution._bijector.permutation.assign(permutation)
    assert_same(ours, tfb.Invert(block), atol=1e-10)
