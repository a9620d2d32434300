"""Our convolutions against the library's: values, gradients, gradients of gradients."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bplf_tf.networks.convolution import add_bias, convolve


def _library(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(x, kernel, 1, "SAME")


def _with_gradients(convolution: object, x: tf.Tensor, kernel: tf.Tensor) -> list[tf.Tensor]:
    """Value, both gradients, and the gradient of a function of them."""
    with tf.GradientTape() as outer:
        outer.watch([x, kernel])
        with tf.GradientTape() as inner:
            inner.watch([x, kernel])
            y = convolution(x, kernel)  # type: ignore[operator]
            loss = tf.reduce_sum(tf.sin(y))
        first = inner.gradient(loss, [x, kernel])
        norm = tf.reduce_sum(first[0] ** 2) + tf.reduce_sum(first[1] ** 2)
    return [y, *first, *outer.gradient(norm, [x, kernel])]


@settings(max_examples=25)
@given(
    side=st.sampled_from([1, 3, 5]),
    channels=st.sampled_from([(2, 20), (4, 20), (8, 20), (20, 4), (20, 9), (3, 3), (20, 20)]),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
)
def test_values_and_gradients_are_the_librarys(
    side: int, channels: tuple[int, int], shape: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(*shape, channels[0])))
    kernel = tf.constant(rng.normal(size=(side, side, *channels)))
    ours = _with_gradients(convolve, x, kernel)
    for mine, library in zip(ours, _with_gradients(_library, x, kernel), strict=True):
        np.testing.assert_allclose(mine, library, atol=1e-9 * max(1, np.abs(library).max()))


@pytest.mark.parametrize("channels", [(2, 20), (20, 4), (20, 20)])
def test_any_batch_shape_and_unknown_sizes(channels: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4, 5, channels[0])).astype(np.float32)
    kernel = tf.constant(rng.normal(size=(3, 3, *channels)).astype(np.float32))
    expected = _library(x.reshape(6, 4, 5, -1), kernel)
    signature = [tf.TensorSpec([None, None, None, None, channels[0]])]
    compiled = tf.function(lambda v: convolve(v, kernel), input_signature=signature)
    np.testing.assert_allclose(
        compiled(x), tf.reshape(expected, (2, 3, 4, 5, -1)), rtol=1e-4, atol=1e-4
    )


def test_bias_and_its_gradients() -> None:
    rng = np.random.default_rng(0)
    x, upstream = rng.normal(size=(2, 2, 3, 4, 5))
    for shape in ((5,), (2, 1, 1, 5)):
        bias = tf.constant(rng.normal(size=shape))
        with tf.GradientTape() as tape:
            tape.watch(bias)
            y = add_bias(tf.constant(x), bias)
        np.testing.assert_allclose(y, x + bias.numpy())
        axes = tuple(i for i in range(4) if len(shape) == 1 and i < 3) or (1, 2)
        expected = upstream.sum(axes, keepdims=len(shape) > 1)
        np.testing.assert_allclose(tape.gradient(y, bias, upstream), expected)
