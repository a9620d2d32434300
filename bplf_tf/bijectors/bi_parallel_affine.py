"""The bi-parallel affine layer, the linear module of BPLF."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps
from tensorflow_probability.python.internal import tensor_util

from bplf_tf.bijectors.base import FlowBijector
from bplf_tf.bijectors.channels import join_channels, split_channels

LogScaleAndShift = tuple[tf.Tensor, tf.Tensor]


class BiParallelAffine(FlowBijector):
    """Scales and shifts both halves of the channels: the first by constants, the second by g1.

    Forward: `x1 = (y1 - m1) / s1`, then `x2 = (y2 - m2(x1)) / s2(x1)`.
    Forward log-det: `-sum log s1 - sum log s2`.
    Inverse: `y1 = s1 * x1 + m1`, `y2 = s2(x1) * x2 + m2(x1)`, image to latent.
    Inverse log-det: `sum log s1 + sum log s2`, over positions and channels.

    Both directions take two parallel steps, however deep g1 is. A condition h enters through what
    is handed in: `(log s1, m1) = g0(h)`, and a `g1` that closes over h.

    Source: the BPLF paper, eq. 3-6 to 3-8.
    """

    def __init__(
        self,
        log_scale: Any,
        shift: Any,
        g1: Callable[[tf.Tensor], LogScaleAndShift],
        name: str = "bi_parallel_affine",
    ) -> None:
        """Creates the bijector.

        Args:
          log_scale: `log s1`, broadcastable to `[..., H, W, C // 2]`: `[C // 2]`, or three
            dimensions and more, as `[..., 1, 1, C // 2]` where it depends on a condition.
          shift: `m1`, likewise.
          g1: function of `x1 [..., H, W, C // 2]` that returns `(log s2, m2)`, each
            `[..., H, W, C - C // 2]` or broadcastable to it from three dimensions or more.
          name: name of the bijector.

        Raises:
          ValueError: if `log_scale` or `shift` is a matrix.
        """
        parameters = dict(locals())
        # Variables stay variables, so that the bijector follows them.
        self._log_scale = tensor_util.convert_nonref_to_tensor(log_scale, name="log_scale")
        self._shift = tensor_util.convert_nonref_to_tensor(shift, name="shift")
        for argument, value in (("log_scale", self._log_scale), ("shift", self._shift)):
            if value.shape.rank == 2:  # [B, C // 2] would be taken for positions
                raise ValueError(
                    f"{argument} must have the shape [C // 2] or [..., 1, 1, C // 2], "
                    f"got {value.shape}"
                )
        self._g1 = g1
        super().__init__(parameters=parameters, name=name, dtype=self._log_scale.dtype)

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x1, x2 = split_channels(y)
        log_s1, m1 = _at_least_3d(self._log_scale), _at_least_3d(self._shift)
        log_s2, m2 = self._g1(x1)
        y1 = tf.exp(log_s1) * x1 + m1
        y2 = tf.exp(log_s2) * x2 + m2
        return join_channels(y1, y2), _log_det(x1, log_s1, x2, log_s2)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y1, y2 = split_channels(x)
        log_s1, m1 = _at_least_3d(self._log_scale), _at_least_3d(self._shift)
        x1 = (y1 - m1) * tf.exp(-log_s1)
        log_s2, m2 = self._g1(x1)
        x2 = (y2 - m2) * tf.exp(-log_s2)
        return join_channels(x1, x2), -_log_det(x1, log_s1, x2, log_s2)

    def recompute_inverse(
        self, x: tf.Tensor, tape: tf.GradientTape
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """See `FlowBijector`; runs g1 once, for the inversion and the gradient together."""
        y1, y2 = split_channels(x)
        log_s1, m1 = _at_least_3d(self._log_scale), _at_least_3d(self._shift)
        with tape.stop_recording():
            x1 = tf.stop_gradient((y1 - m1) * tf.exp(-log_s1))
        tape.watch(x1)
        log_s2, m2 = self._g1(x1)
        with tape.stop_recording():
            x2 = tf.stop_gradient((y2 - m2) * tf.exp(-log_s2))
        tape.watch(x2)
        value = join_channels(tf.exp(log_s1) * x1 + m1, tf.exp(log_s2) * x2 + m2)
        return [x1, x2], value, _log_det(x1, log_s1, x2, log_s2)


def _log_det(x1: tf.Tensor, log_s1: tf.Tensor, x2: tf.Tensor, log_s2: tf.Tensor) -> tf.Tensor:
    return sum_over_event(log_s1, x1) + sum_over_event(log_s2, x2)


def sum_over_event(log_scale: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """`[...]`: the sum over the last three dimensions of `log_scale` broadcast to x's."""
    total = tf.reduce_sum(log_scale, axis=[-3, -2, -1])
    # A number that several positions or channels share stands once for each of them.
    shared = ps.reduce_prod(ps.shape(x)[-3:]) // ps.reduce_prod(ps.shape(log_scale)[-3:])
    return tf.cast(shared, total.dtype) * total


def _at_least_3d(x: Any) -> tf.Tensor:
    x = tf.convert_to_tensor(x)
    return tf.reshape(x, [1, 1, -1]) if x.shape.rank < 3 else x
