"""Weights of K ActNorm layers."""

from typing import Any

import keras
import tensorflow as tf

from bplf_tf.bijectors import ActNorm
from bplf_tf.layers.part import Given, Slices, Start, along_rows
from bplf_tf.networks.conv import channel_statistics, expand_like


class ActNormWeights(keras.layers.Layer):
    """One log-scale and one shift per step and channel, `[K, C]`, that start from the data."""

    def __init__(self, depth: int, shape: tuple[int, int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _, self._row, channels = shape
        self.log_scale = self.add_weight(
            shape=(depth, channels), initializer="zeros", name="log_scale"
        )
        self.shift = self.add_weight(shape=(depth, channels), initializer="zeros", name="shift")
        self.built = True

    def stacked(self, given: Given) -> Slices:
        """See `Part`."""
        del given
        return {
            "log_scale": along_rows(expand_like(self.log_scale.value, 0), self._row),
            "shift": along_rows(expand_like(self.shift.value, 0), self._row),
        }

    def bijector(self, slices: Slices) -> ActNorm:
        """See `Part`."""
        return ActNorm(slices["log_scale"], slices["shift"])

    def start(self, slices: Slices, x: tf.Tensor) -> tuple[Start, tf.Tensor]:
        """See `Part`."""
        del slices
        mean, deviation = channel_statistics(x)
        start = [(self.log_scale, -tf.math.log(deviation)), (self.shift, -mean / deviation)]
        return start, (x - mean) / deviation

    def trained(self) -> list[keras.Variable]:
        """See `Part`."""
        return self.trainable_variables

    @property
    def multiplications(self) -> int:
        """See `Part`."""
        return 0
