"""Weights of a label-conditional affine map of each pixel by itself."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from bplf_tf.bijectors import PixelAffine
from bplf_tf.pixel_ridge import MIN_SLOPE

_ROOM = 1 - MIN_SLOPE


class PixelAffineLayer(keras.layers.Layer):
    """A slope and a shift of each label for every number of an image; the identity at the start.

    A label's slope is `1 + r * elu(raw / r)`, r = 1 - `MIN_SLOPE`: smooth, and above `MIN_SLOPE`
    whatever the weight. Conditions mix slopes and shifts linearly, as `PixelAffine.of_condition`
    does. Beyond the labels, where an edit exaggerates, slopes end at `MIN_SLOPE`, so that the map
    can be inverted under any condition.

    Args:
      image_shape: (height, width, channels).
      condition_size: number of labels E; 0 for one map for all images.
    """

    def __init__(
        self, image_shape: tuple[int, int, int], condition_size: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        shape = (max(condition_size, 1), *image_shape)
        self.raw_slope = self.add_weight(shape=shape, initializer="zeros", name="raw_slope")
        self.shift = self.add_weight(shape=shape, initializer="zeros", name="shift")
        self.built = True

    def bijector(self, condition: tf.Tensor | None) -> PixelAffine:
        """The bijector on `[..., H, W, C]`.

        Args:
          condition: `[..., E]`, or None for an unconditional model.
        """
        if condition is None:
            condition = tf.ones([1], self.compute_dtype)
        change = _ROOM * tf.nn.elu(self.raw_slope.value / _ROOM)
        slope = 1 + tf.tensordot(condition, change, axes=1)
        shift = tf.tensordot(condition, self.shift.value, axes=1)
        return PixelAffine(tf.maximum(slope, MIN_SLOPE), shift)
