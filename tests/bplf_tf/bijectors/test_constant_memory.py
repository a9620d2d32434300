"""FlowStack in constant memory: the same values and gradients as with stored activations."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors import FlowStack
from tests.bplf_tf.bijectors.test_flow_stack import make_step, parameters

DEPTH = 5


def gradients(dtype, constant_memory, condition=None, compiled=True):
    """log-likelihood under a standard normal, and its gradients by input and parameters."""
    arrays = parameters(DEPTH, condition=condition)
    x = np.random.default_rng(7).normal(size=(3, 2, 3, 4))

    def value_and_gradients():
        stacked = tf.nest.map_structure(lambda v: tf.constant(v, dtype), arrays)
        images = tf.constant(x, dtype)
        with tf.GradientTape() as tape:
            tape.watch([images, stacked])
            stack = FlowStack(make_step, stacked, constant_memory=constant_memory)
            z = stack.inverse(images)
            log_det = stack.inverse_log_det_jacobian(images, event_ndims=3)
            weight = tf.constant([1.0, 0.5, -2.0], dtype)
            total = tf.reduce_sum(weight * (log_det - tf.reduce_sum(z**2 / 2, axis=[1, 2, 3])))
        return total, tape.gradient(total, [images, stacked])

    run = tf.function(value_and_gradients) if compiled else value_and_gradients
    return run()


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("conditional", [False, True])
def test_gradients_are_those_of_stored_activations(conditional, compiled):
    condition = np.random.default_rng(1).normal(size=(3, 5)) if conditional else None
    expected, by = gradients(tf.float64, False, condition)
    actual, by_again = gradients(tf.float64, True, condition, compiled)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)
    for reference, gradient in zip(tf.nest.flatten(by), tf.nest.flatten(by_again), strict=True):
        scale = np.max(np.abs(reference))
        assert scale > 0
        np.testing.assert_allclose(gradient, reference, rtol=0, atol=1e-9 * scale)


def test_float32_gradients_stay_close():
    _, expected = gradients(tf.float32, False)
    _, actual = gradients(tf.float32, True)
    for reference, gradient in zip(tf.nest.flatten(expected), tf.nest.flatten(actual), strict=True):
        np.testing.assert_allclose(
            gradient, reference, rtol=0, atol=1e-4 * np.max(np.abs(reference))
        )


def test_steps_must_be_flow_bijectors():
    stack = FlowStack(tfp.bijectors.Scale, tf.ones([2, 4]), constant_memory=True)
    x = tf.ones([1, 2, 2, 4])
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = stack.inverse(x)
    with pytest.raises(ValueError, match="got Scale"):
        tape.gradient(z, x)
