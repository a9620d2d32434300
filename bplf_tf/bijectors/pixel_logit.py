"""The logit of a pixel's place in its channel's histogram."""

import math
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import parameter_properties

from bplf_tf.bijectors.base import FlowBijector


class PixelLogit(FlowBijector):
    """Pixels to `y = logit(alpha + (1 - 2 alpha) F(x))`, F the distribution of a histogram.

    Where one grey level holds most pixels, as MNIST's black does, the uniform noise of
    dequantisation within it is most of the data, and layers that are affine given the rest model a
    uniform density badly: by a Gaussian it costs 0.25 bits per pixel. Stretched to its share of
    the logistic distribution it costs little. With a flat histogram this is RealNVP's logit.

    Forward: `[..., C]` real numbers to `[..., C]` pixels, the inverse of what follows.
    Forward log-det: minus that of the inverse, at its value.
    Inverse: pixels to real numbers, channel by channel; F is piecewise linear between the grey
      levels, which divide [-0.5, 0.5] evenly; outside, y goes on in a straight line.
    Inverse log-det: the sum of log dy/dx over C.

    Source: RealNVP (Dinh et al. 2017), section 4.1, after a histogram equalisation; in Flow++ (Ho
    et al. 2019) the distribution of a mixture of logistics takes the histogram's place.
    """

    def __init__(self, histogram: Any, alpha: float = 1e-4, name: str = "pixel_logit") -> None:
        """Creates the bijector.

        Args:
          histogram: `[C, G]`, the share of each of G grey levels, G a power of two; positive, each
            row summing to 1.
          alpha: keeps the logit finite at the ends of the range, where its slope in F is
            `1 / (alpha (1 - alpha))`; in (0, 0.5).
          name: name of the bijector.

        Raises:
          ValueError: if the histogram's shape or alpha is another.
        """
        parameters = dict(locals())
        self._histogram = tf.convert_to_tensor(histogram)
        shape = self._histogram.shape
        if shape.rank != 2 or not shape[1] or shape[1] & (shape[1] - 1):
            raise ValueError(
                "histogram must have shape [channels, grey levels], the grey levels a power of "
                f"two, got {shape}"
            )
        if not 0 < alpha < 0.5:
            raise ValueError(f"alpha must lie strictly between 0 and 0.5, got {alpha}")
        self._alpha = alpha
        super().__init__(
            parameters=parameters,
            name=name,
            dtype=self._histogram.dtype,
            forward_min_event_ndims=1,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {"histogram": parameter_properties.ParameterProperties(event_ndims=2)}

    @property
    def histogram(self) -> tf.Tensor:
        """Share of each grey level, `[C, G]`."""
        return self._histogram

    @property
    def alpha(self) -> float:
        """Value under the logit at the lower end of the range."""
        return self._alpha

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        levels = self._histogram.shape[1]
        inside = tf.clip_by_value(y, -0.5, 0.5)
        position = (inside + 0.5) * levels
        level = tf.clip_by_value(tf.cast(tf.floor(position), tf.int32), 0, levels - 1)
        share, lower = self._share_and_border(level)
        value = lower + (position - tf.cast(level, y.dtype)) * share
        x = _logit(value)
        log_slope = _log_slope(x, share * levels)
        return x + (y - inside) * tf.exp(log_slope), tf.reduce_sum(log_slope, axis=-1)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        levels = self._histogram.shape[1]
        end = math.log(1 / self._alpha - 1)
        inside = tf.clip_by_value(x, -end, end)
        value = tf.sigmoid(inside)
        level = self._level(value)
        share, lower = self._share_and_border(level)
        y = (tf.cast(level, x.dtype) + (value - lower) / share) / levels - 0.5
        log_slope = _log_slope(inside, share * levels)
        return y + (x - inside) * tf.exp(-log_slope), -tf.reduce_sum(log_slope, axis=-1)

    def _tables(self) -> tuple[tf.Tensor, tf.Tensor]:
        """What each grey level has of [0, 1] under the logit, and where it begins, `[C, G]`."""
        shares = (1 - 2 * self._alpha) * self._histogram
        return shares, self._alpha + tf.cumsum(shares, axis=1, exclusive=True)

    def _share_and_border(self, level: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shares, lower = self._tables()
        return _of_channels(shares, level), _of_channels(lower, level)

    def _level(self, value: tf.Tensor) -> tf.Tensor:
        """Grey level of each of `[..., C]`, by bisection: each round settles one bit."""
        _, lower = self._tables()
        level = tf.zeros_like(value, tf.int32)
        half = self._histogram.shape[1] // 2
        while half:
            level += half * tf.cast(value >= _of_channels(lower, level + half), tf.int32)
            half //= 2
        return level


def _logit(value: tf.Tensor) -> tf.Tensor:
    return tf.math.log(value) - tf.math.log1p(-value)


def _log_slope(x: tf.Tensor, density: tf.Tensor) -> tf.Tensor:
    """Log dx/dpixel where x is the logit of a value that grows by `density` per pixel range."""
    return tf.math.log(density) + tf.nn.softplus(x) + tf.nn.softplus(-x)


def _of_channels(table: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """`table[c, columns[..., c]]` for every channel c."""
    channels, width = table.shape
    return tf.gather(tf.reshape(table, [-1]), columns + width * tf.range(channels))
