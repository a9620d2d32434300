"""What every kind of model has to stand, at weights away from their start."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bplf_tf import BPLF, ModelConfig
from tests.bplf_tf.random_weights import randomise

CLASSES = ("anger", "happy", "sad")


def images(config: ModelConfig, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = rng.uniform(0, 200, (count, 1, 1, 1)) + rng.uniform(
        0, 50, (count, *config.image_shape)
    )
    return smooth.astype(np.uint8)


def labels(config: ModelConfig, count: int) -> np.ndarray | None:
    return np.arange(count) % len(config.classes) if config.classes else None


def check_density(config: ModelConfig) -> BPLF:
    """log_prob and inversion against the autodiff Jacobian, in float64; returns the model."""
    model = BPLF(config)
    model.initialize(images(config, 32), labels(config, 32))
    randomise(model, scale=0.2)
    label = [0.2, 0.5, 0.3] if config.classes else None
    size = config.dimensions
    distribution = model.distribution(label)
    x = np.random.default_rng(0).uniform(-0.4, 0.4, (2, *config.image_shape))
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = distribution.bijector.inverse(x)
    jacobian = tf.reshape(tape.batch_jacobian(z, x), [2, size, size])
    _check_networks_count(jacobian.numpy(), config)
    expected = distribution.distribution.log_prob(z) + tf.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(
        distribution.log_prob(tf.identity(x)), expected, rtol=1e-8, atol=1e-9
    )

    z = tf.identity(z)  # else TFP's cache returns x itself
    with tf.GradientTape() as tape:
        tape.watch(z)
        restored = distribution.bijector.forward(z)
    np.testing.assert_allclose(restored, x, atol=1e-8)
    backward = tf.reshape(tape.batch_jacobian(restored, z), [2, size, size])
    log_det = distribution.bijector.forward_log_det_jacobian(tf.identity(z), event_ndims=1)
    np.testing.assert_allclose(log_det, tf.linalg.slogdet(backward)[1], rtol=1e-8, atol=1e-9)
    return model


def _check_networks_count(jacobian: np.ndarray, config: ModelConfig) -> None:
    """Where they read nothing, a triangular Jacobian has the same log-det, and proves nothing."""
    beside = jacobian * (1 - np.eye(jacobian.shape[-1]))
    largest = np.abs(jacobian).max()
    assert np.abs(beside).max() > 1e-3 * largest
    # Of a linear flow, it would be the same everywhere; of an additive one, its log-det is.
    assert np.abs(beside[0] - beside[1]).max() > 1e-4 * largest
    if config.coupling == "affine":
        first, second = np.linalg.slogdet(jacobian)[1]
        assert abs(first - second) > 1e-4


def gradients(config: ModelConfig) -> dict[str, np.ndarray]:
    """Of a training step, by the paths of the weights."""
    model = BPLF(config)
    model.initialize(images(config, 32), labels(config, 32))
    randomise(model)
    seen: dict[str, np.ndarray] = {}

    class Recorder(keras.optimizers.SGD):
        def apply(self, grads: Any, trainable_variables: Any = None) -> None:
            for gradient, variable in zip(grads, trainable_variables, strict=True):
                assert gradient is not None, variable.path
                seen[f"{len(seen)} {variable.path}"] = gradient.numpy()

    model.compile(Recorder(), run_eagerly=True)
    model.fit(images(config, 8), labels(config, 8), batch_size=8, shuffle=False, verbose=0)
    return seen


def check_gradients(config: ModelConfig) -> None:
    """Every weight matters."""
    for path, gradient in gradients(config).items():
        assert np.all(np.isfinite(gradient)), path
        assert np.abs(gradient).max() > 0, path


def check_constant_memory(config: ModelConfig) -> None:
    """The gradients of a training step are those with stored activations, and none is zero."""
    changed = ModelConfig.from_dict({**config.to_dict(), "memory": "constant"})
    expected, actual = gradients(config), gradients(changed)
    assert len(expected) == len(actual)
    for (path, reference), gradient in zip(expected.items(), actual.values(), strict=True):
        scale = np.abs(reference).max()
        assert scale > 0, path
        np.testing.assert_allclose(gradient, reference, rtol=0, atol=1e-7 * scale, err_msg=path)
