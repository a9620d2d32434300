"""The histogram of the training images' pixels."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bplf_tf.bijectors import PixelLogit
from bplf_tf.likelihood import GREY_LEVELS

# Share of a flat histogram mixed in: no grey level is impossible because it was not seen.
_FLAT_SHARE = 0.02


class PixelLogitLayer(keras.layers.Layer):
    """One histogram per channel for `bplf_tf.bijectors.PixelLogit`, flat before `initialize`."""

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.histogram = self.add_weight(
            shape=(channels, GREY_LEVELS),
            initializer=keras.initializers.Constant(1 / GREY_LEVELS),
            trainable=False,
            name="histogram",
        )
        self.built = True

    def bijector(self) -> PixelLogit:
        """The bijector on images `[..., channels]`."""
        return PixelLogit(self.histogram.value)

    def initialize(self, images: tf.Tensor) -> None:
        """Counts the grey levels of uint8 images `[B, H, W, C]`."""
        channels = np.moveaxis(np.asarray(images), -1, 0)
        counts = [np.bincount(c.ravel(), minlength=GREY_LEVELS) for c in channels]
        seen = np.asarray(counts) / channels[0].size
        self.histogram.assign((1 - _FLAT_SHARE) * seen + _FLAT_SHARE / GREY_LEVELS)
