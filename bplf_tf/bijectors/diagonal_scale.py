"""One scale for every number."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import tensor_util

from bplf_tf.bijectors.base import FlowBijector


class DiagonalScale(FlowBijector):
    """Scales every number of a level by a factor of its own, s = exp(log_scale).

    Forward: `x = y / s`, latent to image.
    Forward log-det: `-sum log_scale`.
    Inverse: `y = s * x`.
    Inverse log-det: `sum log_scale`.

    It is `tfp.bijectors.Scale(log_scale=-log_scale)` with a log-det that TFLite gets right for any
    number of rows.

    Source: NICE, Dinh et al. 2015, section 3.3.
    """

    def __init__(self, log_scale: Any, name: str = "diagonal_scale") -> None:
        """Creates the bijector.

        Args:
          log_scale: `[H, W, C]`.
          name: name of the bijector.
        """
        parameters = dict(locals())
        self._log_scale = tensor_util.convert_nonref_to_tensor(log_scale, name="log_scale")
        super().__init__(parameters=parameters, name=name, dtype=self._log_scale.dtype)

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.exp(-self._log_scale) * x, -tf.reduce_sum(self._log_scale)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.exp(self._log_scale) * y, tf.reduce_sum(self._log_scale)
