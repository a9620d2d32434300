"""Weights of a split prior."""

import math
from typing import Any

import keras
import tensorflow as tf

from bplf_tf.bijectors import SplitPrior
from bplf_tf.bijectors.channels import split_channels
from bplf_tf.bijectors.dynamic_linear import LogScaleAndShift
from bplf_tf.layers.heavy_tails import HeavyTailsLayer
from bplf_tf.layers.scale import bounded_log_scale
from bplf_tf.networks.conv import channel_statistics
from bplf_tf.networks.convolution import convolve


class SplitPriorLayer(keras.layers.Layer):
    """`(raw, mean) = exp(3 * gain) * conv3x3(keep) + h @ condition`, zero at the start.

    The condition speaks for every position by itself. The log-scale is
    `log_scale + c * tanh(raw / c)`, with `log_scale` per channel and unbounded. If it is not
    learned, what leaves is standard normal but for its tails.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        condition_size: int,
        log_scale_bound: float,
        heavy_tails: bool,
        learned: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.log_scale_bound = log_scale_bound
        self.learned = learned
        self.condition_size = condition_size
        height, width, channels = shape
        self._positions = height * width
        keep, leave = channels // 2, channels - channels // 2
        shapes: dict[str, tuple[int, ...]] = {
            "kernel": (3, 3, keep, 2 * leave),
            "gain": (2 * leave,),
            "log_scale": (leave,),
            "mean": (leave,),
        }
        if condition_size:
            shapes["condition"] = (condition_size, height, width, 2 * leave)
        for name, weight_shape in shapes.items() if learned else ():
            setattr(self, name, self.add_weight(shape=weight_shape, initializer="zeros", name=name))
        self.tails = HeavyTailsLayer(leave, dtype=self.dtype_policy) if heavy_tails else None
        self.built = True

    def bijector(self, condition: tf.Tensor | None, network_dtype: tf.DType) -> SplitPrior:
        """The split prior under a condition `[..., E]`, or None for an unconditional model."""
        tails = self.tails.bijector() if self.tails else None
        if not self.learned:
            return SplitPrior(_standard, tails)
        kernel = tf.cast(self.kernel.value * tf.exp(3 * self.gain.value), network_dtype)

        def prior(keep: tf.Tensor) -> LogScaleAndShift:
            output = tf.cast(convolve(tf.cast(keep, network_dtype), kernel), keep.dtype)
            if condition is not None and self.condition_size:
                output += tf.tensordot(condition, self.condition.value, axes=1)
            raw, mean = split_channels(output)
            log_scale = self.log_scale.value + bounded_log_scale(raw, self.log_scale_bound)
            return log_scale, self.mean.value + mean

        return SplitPrior(prior, tails)

    @property
    def multiplications(self) -> int:
        """Of one image, in the convolution."""
        return self._positions * math.prod(self.kernel.shape) if self.learned else 0

    def initialize(self, x: tf.Tensor) -> tf.Tensor:
        """Data-dependent start from `[B, h, w, c]`; returns the half that stays."""
        keep, leave = split_channels(x)
        if not self.learned:
            return keep
        mean, deviation = channel_statistics(leave)
        self.mean.assign(mean)
        self.log_scale.assign(tf.math.log(deviation))
        return keep


def _standard(keep: tf.Tensor) -> LogScaleAndShift:
    zero = tf.zeros([1, 1, 1], keep.dtype)
    return zero, zero
