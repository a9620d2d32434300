"""Weights of NICE's diagonal scale."""

from typing import Any

import keras
import tensorflow as tf

from bplf_tf.bijectors import DiagonalScale
from bplf_tf.networks.conv import SMALLEST_DEVIATION


class DiagonalScaleLayer(keras.layers.Layer):
    """One log-scale for every number of a level, `y = exp(log_scale) * x` (image to latent).

    Layers that preserve volume can neither spread nor gather; this one does it for them (NICE,
    Dinh et al. 2015, section 3.3).
    """

    def __init__(self, shape: tuple[int, int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")
        self.built = True

    def bijector(self) -> DiagonalScale:
        """The bijector on `[..., h, w, c]`, forward from latent to image."""
        return DiagonalScale(self.log_scale.value)

    def initialize(self, x: tf.Tensor) -> tf.Tensor:
        """Data-dependent start from `[B, h, w, c]`: unit variance everywhere; returns the outcome.

        Border pixels may hardly vary over some hundred images: their deviation is floored by a
        tenth of the mean one.
        """
        deviation = tf.math.reduce_std(x, axis=0)
        floor = tf.maximum(tf.reduce_mean(deviation) / 10, SMALLEST_DEVIATION)
        self.log_scale.assign(-tf.math.log(tf.maximum(deviation, floor)))
        return self.bijector().inverse(x)
