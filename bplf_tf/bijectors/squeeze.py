"""Squeeze: trade resolution for channels."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import prefer_static as ps


class Squeeze(tfp.bijectors.Bijector):
    """Moves `factor x factor` blocks of pixels to channels (image to latent) and back.

    Forward: `[..., H, W, C * factor**2] -> [..., H * factor, W * factor, C]`, depth to space.
    Forward log-det: 0.
    Inverse: `[..., H, W, C] -> [..., H / factor, W / factor, C * factor**2]`, space to depth; the
      pixel at (row, column) of a block becomes the channels `(row * factor + column) * C + c`.
    Inverse log-det: 0.

    Source: RealNVP (Dinh et al. 2017), section 3.6.
    """

    def __init__(self, factor: int = 2, name: str = "squeeze") -> None:
        """Creates the bijector.

        Args:
          factor: side of a block, at least 2.
          name: name of the bijector.

        Raises:
          ValueError: if `factor` is not an integer of at least 2.
        """
        if not isinstance(factor, int) or factor < 2:
            raise ValueError(f"factor must be an integer of at least 2, got {factor!r}")
        parameters = {"factor": factor, "name": name}
        self._factor = factor
        super().__init__(
            forward_min_event_ndims=3,
            is_constant_jacobian=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    @property
    def factor(self) -> int:
        """Side of a block."""
        return self._factor

    def _forward(self, x: tf.Tensor) -> tf.Tensor:
        self._forward_event_shape(x.shape[-3:])
        return _with_one_batch_dimension(lambda v: tf.nn.depth_to_space(v, self._factor), x)

    def _inverse(self, y: tf.Tensor) -> tf.Tensor:
        self._inverse_event_shape(y.shape[-3:])
        return _with_one_batch_dimension(lambda v: tf.nn.space_to_depth(v, self._factor), y)

    def _forward_log_det_jacobian(self, x: tf.Tensor) -> tf.Tensor:
        return tf.zeros([], x.dtype)

    def _inverse_log_det_jacobian(self, y: tf.Tensor) -> tf.Tensor:
        return tf.zeros([], y.dtype)

    def _forward_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        height, width, channels = tf.TensorShape(shape).as_list()
        block = self._factor**2
        if channels is not None and channels % block:
            raise ValueError(
                f"Squeeze.forward needs channels divisible by {block}, got {channels} in {shape}"
            )
        return tf.TensorShape(
            [
                None if height is None else height * self._factor,
                None if width is None else width * self._factor,
                None if channels is None else channels // block,
            ]
        )

    def _inverse_event_shape(self, shape: tf.TensorShape) -> tf.TensorShape:
        height, width, channels = tf.TensorShape(shape).as_list()
        for side in (height, width):
            if side is not None and side % self._factor:
                raise ValueError(
                    f"Squeeze.inverse needs height and width divisible by {self._factor}, "
                    f"got {shape}"
                )
        return tf.TensorShape(
            [
                None if height is None else height // self._factor,
                None if width is None else width // self._factor,
                None if channels is None else channels * self._factor**2,
            ]
        )

    def _forward_event_shape_tensor(self, shape: tf.Tensor) -> tf.Tensor:
        return shape * [self._factor, self._factor, 1] // [1, 1, self._factor**2]

    def _inverse_event_shape_tensor(self, shape: tf.Tensor) -> tf.Tensor:
        return shape * [1, 1, self._factor**2] // [self._factor, self._factor, 1]


def _with_one_batch_dimension(function: Any, x: tf.Tensor) -> tf.Tensor:
    """Applies `function` of `[B, H, W, C]` to `[..., H, W, C]`."""
    if x.shape.rank == 4:
        return function(x)
    shape = ps.shape(x)
    result = function(tf.reshape(x, ps.concat([[-1], shape[-3:]], axis=0)))
    return tf.reshape(result, ps.concat([shape[:-3], ps.shape(result)[1:]], axis=0))
