"""The Haar transform: mean and differences of a block instead of its four pixels."""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

# Mean, horizontal, vertical and diagonal difference of a block's four pixels; its own inverse.
_TRANSFORM = 0.5 * np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])


class Haar(tfp.bijectors.Bijector):
    """Orthonormal Haar transform of blocks of 2 x 2 pixels, as `Squeeze(2)` lays them out.

    Forward: `[..., 4 * C] -> [..., 4 * C]`, from coefficients (twice the means of the blocks, C
      channels, then as many horizontal, vertical and diagonal differences) to pixels.
    Forward log-det: 0, the transform is orthonormal.
    Inverse: from pixels to coefficients; the same sums, for the transform is its own inverse.
    Inverse log-det: 0.

    Source: Haar wavelets in place of the plain squeeze as in Ardizzone et al. 2019, "Guided Image
    Generation with Conditional Invertible Neural Networks".
    """

    def __init__(self, name: str = "haar") -> None:
        """Creates the bijector."""
        super().__init__(
            forward_min_event_ndims=1,
            is_constant_jacobian=True,
            parameters={"name": name},
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    def _forward(self, x: tf.Tensor) -> tf.Tensor:
        return _transformed(x)

    def _inverse(self, y: tf.Tensor) -> tf.Tensor:
        return _transformed(y)

    def _forward_log_det_jacobian(self, x: tf.Tensor) -> tf.Tensor:
        return tf.zeros([], x.dtype)

    def _inverse_log_det_jacobian(self, y: tf.Tensor) -> tf.Tensor:
        return tf.zeros([], y.dtype)


def _transformed(x: tf.Tensor) -> tf.Tensor:
    channels = x.shape[-1]
    if channels is None or channels % 4:
        raise ValueError(f"Haar needs a static multiple of 4 channels, got shape {x.shape}")
    # One product for all of them: sums of few channels, position by position, are slow on CPUs.
    matrix = np.kron(_TRANSFORM, np.eye(channels // 4))
    return tf.tensordot(x, tf.constant(matrix, x.dtype), 1)
