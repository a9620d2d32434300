"""The fused operation beside Keras' own batch normalisation, which is the reference."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bplf_tf.metrics.batch_normalization import FusedBatchNormalization

SHAPE = (6, 5, 4, 3)


def both(**arguments):
    """Keras' layer and ours, with the same weights."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(0.5, 2.0, (4, SHAPE[-1])).astype(np.float32)
    layers = []
    for kind in (keras.layers.BatchNormalization, FusedBatchNormalization):
        layer = kind(momentum=0.8, **arguments)
        layer.build(SHAPE)
        layer.set_weights(list(weights))
        layers.append(layer)
    return layers


def activations():
    return tf.constant(np.random.default_rng(1).normal(2, 3, SHAPE).astype(np.float32))


def test_training_is_that_of_keras():
    outputs, gradients = [], []
    x, upstream = activations(), tf.constant(np.random.default_rng(2).normal(size=SHAPE), "float32")
    layers = both()
    for layer in layers:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y * upstream)
        outputs.append(y)
        gradients.append(tape.gradient(loss, [x, layer.gamma.value, layer.beta.value]))
    np.testing.assert_allclose(*outputs, atol=1e-5)
    for of_keras, of_ours in zip(*gradients, strict=True):
        np.testing.assert_allclose(of_ours, of_keras, atol=1e-4)
    np.testing.assert_allclose(layers[1].moving_mean, layers[0].moving_mean, rtol=1e-5)
    # Keras takes up the biased variance of the batch, the fused operation the unbiased one.
    count = np.prod(SHAPE[:-1])
    batch = np.var(activations(), axis=(0, 1, 2)) * count / (count - 1)
    before = both()[1].moving_variance.numpy()
    np.testing.assert_allclose(layers[1].moving_variance, 0.8 * before + 0.2 * batch, rtol=1e-5)


@pytest.mark.parametrize("trainable", [True, False])
def test_inference_is_that_of_keras_and_changes_nothing(trainable):
    layers = both()
    for layer in layers:
        layer.trainable = trainable
    kept = layers[1].get_weights()
    # A frozen layer uses its moving statistics in training too.
    outputs = [layer(activations(), training=not trainable) for layer in layers]
    np.testing.assert_allclose(*outputs, atol=1e-5)
    for before, after in zip(kept, layers[1].get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_bfloat16_in_and_out_with_statistics_in_float32():
    exact, ours = both()[1], both(dtype="mixed_bfloat16")[1]
    y = ours(activations(), training=True)
    assert y.dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(y, tf.float32), exact(activations(), training=True), rtol=0.02, atol=0.05
    )
    assert ours.moving_mean.dtype == "float32"


def test_a_mask_is_refused():
    with pytest.raises(ValueError, match="a mask is not supported"):
        both()[1](activations(), mask=tf.ones(SHAPE[:-1], tf.bool))
