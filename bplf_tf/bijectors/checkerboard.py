"""RealNVP's coupling with a checkerboard mask."""

from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps
from tensorflow_probability.python.internal import tensor_util

from bplf_tf.bijectors.base import FlowBijector
from bplf_tf.bijectors.dynamic_linear import Conditioner, sum_over_event


class Checkerboard(FlowBijector):
    """Scales and shifts every second position of the image by a network of the others.

    With `b = 1` at the positions that stay, where row + column + parity is even, and else 0:

    Forward: `x = y` where b is 1, else `x = (y - m(b * y)) / s(b * y)`.
    Forward log-det: `-sum (1 - b) * log s`.
    Inverse: `y = x` where b is 1, else `y = s(b * x) * x + m(b * x)`, image to latent.
    Inverse log-det: `sum (1 - b) * log s`.

    Source: RealNVP (Dinh et al. 2017), sections 3.4 and 3.5.
    """

    def __init__(self, g: Conditioner, parity: Any, name: str = "checkerboard") -> None:
        """Creates the bijector.

        Args:
          g: function of `b * x [..., H, W, C]` that returns `(log s, m)`, each `[..., H, W, C]`;
            a log-scale of None scales nothing.
          parity: int32 `[]`, 0 or 1.
          name: name of the bijector.
        """
        parameters = dict(locals())
        self._g = g
        self._parity = tensor_util.convert_nonref_to_tensor(parity, dtype_hint=tf.int32)
        super().__init__(parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        log_scale, shift = self._masked(y)
        if log_scale is None:
            return y + shift, tf.zeros(ps.shape(y)[:-3], y.dtype)
        return tf.exp(log_scale) * y + shift, sum_over_event(log_scale, y)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        log_scale, shift = self._masked(x)
        if log_scale is None:
            return x - shift, tf.zeros(ps.shape(x)[:-3], x.dtype)
        return (x - shift) * tf.exp(-log_scale), -sum_over_event(log_scale, x)

    def _masked(self, x: tf.Tensor) -> tuple[tf.Tensor | None, tf.Tensor]:
        """Log-scale and shift, 0 at the positions that stay: these are the same on both sides."""
        shape = ps.shape(x)
        changes = changed(shape[-3], shape[-2], self._parity)[..., tf.newaxis]
        changes = tf.cast(changes, x.dtype)
        log_scale, shift = self._g((1 - changes) * x)
        return None if log_scale is None else changes * log_scale, changes * shift


def changed(height: Any, width: Any, parity: Any) -> tf.Tensor:
    """Whether `Checkerboard` changes a position, bool `[H, W]`."""
    rows, columns = tf.range(height)[:, tf.newaxis], tf.range(width)
    return (rows + columns + parity) % 2 == 1
