"""Weights of the tails of what leaves a level."""

import math
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors import heavy_tails

# Almost a Gaussian at the start: at three standard deviations the difference is 2 %.
_FIRST_BEND = 8.0
# Bounded from below, so that samples stay finite whatever is learned: sinh(10) is 1e4.
_SMALLEST_BEND = 1.0


class HeavyTailsLayer(keras.layers.Layer):
    """One `bend` per channel for `bplf_tf.bijectors.heavy_tails`, at least 1."""

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        start = keras.initializers.Constant(math.log(_FIRST_BEND - _SMALLEST_BEND))
        self.raw = self.add_weight(shape=(channels,), initializer=start, name="raw_bend")
        self.built = True

    def bijector(self) -> tfp.bijectors.Bijector:
        """The bijector on `[..., channels]`, forward from latent to image."""
        return heavy_tails(_SMALLEST_BEND + tf.exp(self.raw.value))
