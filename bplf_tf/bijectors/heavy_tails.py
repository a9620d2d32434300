"""Tails heavier than a Gaussian's, as a chain of TFP's own bijectors."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp


def heavy_tails(bend: Any, name: str = "heavy_tails") -> tfp.bijectors.Bijector:
    """`x = bend * sinh(z / bend)`: near the identity for |z| below `bend`, exponential beyond.

    A standard normal z gives x the tails of a log-normal, so that what lies far from all that
    training showed costs `bend**2 / 2 * log(2 x / bend)**2` nats instead of `x**2 / 2`. With a
    Gaussian alone, one strange picture can weigh more than thousands of others in a mean
    log-likelihood.

    Args:
      bend: positive, broadcastable to the events, such as one number per channel `[C]`.
      name: name of the bijector.
    """
    bijectors = tfp.bijectors
    return bijectors.Chain([bijectors.Scale(bend), _Sinh(), bijectors.Scale(1 / bend)], name=name)


class _Sinh(tfp.bijectors.Sinh):
    """TFP's bijector by operations that TFLite has, which knows neither sinh nor asinh."""

    def _forward(self, x: tf.Tensor) -> tf.Tensor:
        return 0.5 * (tf.math.expm1(x) - tf.math.expm1(-x))

    def _inverse(self, y: tf.Tensor) -> tf.Tensor:
        # Of the absolute value, or what is far below zero would lose its digits. tf.abs has no
        # gradient at zero.
        size = tf.maximum(y, -y)
        squarable = tf.minimum(size, tf.constant(1e18, y.dtype))
        ratio = squarable / (1 + tf.sqrt(1 + squarable**2))
        x = tf.math.log1p(size + size * ratio)
        return tf.where(y < 0, -x, x)
