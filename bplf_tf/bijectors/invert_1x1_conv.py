"""Invertible 1x1 convolution: a learned generalisation of a permutation of channels."""

from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import parameter_properties, tensor_util
from tensorflow_probability.python.internal import prefer_static as ps

from bplf_tf.bijectors.base import FlowBijector


class Invert1x1Conv(FlowBijector):
    """Multiplies the channel vector of every position by one invertible matrix W.

    Forward: `x = y W^-1`.
    Forward log-det: `-H * W * log|det W|`.
    Inverse: `y = x W`, image to latent.
    Inverse log-det: `H * W * log|det W|`.

    Source: Glow (Kingma and Dhariwal 2018), section 3.2; here W belongs to the density direction,
    so training never inverts it.
    """

    def __init__(
        self,
        kernel: Any,
        inverse_kernel: Any = None,
        log_abs_det: Any = None,
        name: str = "invert_1x1_conv",
    ) -> None:
        """Creates the bijector.

        Args:
          kernel: W, `[C, C]` or `[..., C, C]` with leading batch dimensions.
          inverse_kernel: W^-1, or a function that returns it (as by `lu_inverse`), called in the
            forward direction only; by default `tf.linalg.inv(kernel)`.
          log_abs_det: `log|det W|` where it is known, `[]` or `[...]`; else computed.
          name: name of the bijector.
        """
        parameters = dict(locals())
        # Variables stay variables, so that the bijector follows them.
        self._kernel = tensor_util.convert_nonref_to_tensor(kernel, name="kernel")
        self._inverse_kernel = (
            inverse_kernel
            if callable(inverse_kernel)
            else tensor_util.convert_nonref_to_tensor(inverse_kernel)
        )
        self._log_abs_det = tensor_util.convert_nonref_to_tensor(log_abs_det)
        super().__init__(
            parameters=parameters, name=name, dtype=self._kernel.dtype, is_constant_jacobian=True
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {
            "kernel": parameter_properties.ParameterProperties(event_ndims=2),
            "inverse_kernel": parameter_properties.ParameterProperties(event_ndims=None),
            "log_abs_det": parameter_properties.ParameterProperties(event_ndims=0),
        }

    @property
    def kernel(self) -> tf.Tensor:
        """W, `[..., C, C]`."""
        return tf.convert_to_tensor(self._kernel)

    @property
    def inverse_kernel(self) -> tf.Tensor:
        """W^-1, `[..., C, C]`."""
        inverse = self._inverse_kernel
        if inverse is None:
            return tf.linalg.inv(self.kernel)
        return tf.convert_to_tensor(inverse() if callable(inverse) else inverse)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _multiply_channels(x, self.inverse_kernel), -self._log_det(x)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _multiply_channels(y, self.kernel), self._log_det(y)

    def _log_det(self, x: tf.Tensor) -> tf.Tensor:
        log_abs_det = self._log_abs_det
        if log_abs_det is None:
            log_abs_det = kernel_log_abs_det(self.kernel)
        shape = ps.shape(x)
        return tf.cast(shape[-3] * shape[-2], x.dtype) * log_abs_det


def _multiply_channels(x: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """`[..., H, W, C] x [..., C, C] -> [..., H, W, C]`."""
    channels = matrix.shape[-1]
    if None not in (channels, x.shape[-1]) and channels != x.shape[-1]:
        raise ValueError(
            f"Invert1x1Conv has a kernel for {channels} channels, got input of shape {x.shape}"
        )
    if matrix.shape.rank > 2:
        return tf.matmul(x, matrix[..., tf.newaxis, :, :])
    flat = tf.matmul(tf.reshape(x, [-1, ps.shape(x)[-1]]), matrix)
    return tf.ensure_shape(tf.reshape(flat, ps.shape(x)), x.shape)


def kernel_log_abs_det(kernel: tf.Tensor) -> tf.Tensor:
    """`log|det W|` of any `kernel [..., C, C]`, `[...]`; XLA has no `tf.linalg.slogdet`."""
    _, upper = tf.linalg.qr(kernel)
    return tf.reduce_sum(tf.math.log(tf.abs(tf.linalg.diag_part(upper))), axis=-1)


def lu_kernel(lu: tf.Tensor, sign: tf.Tensor, permutation: tf.Tensor) -> tf.Tensor:
    """W from its LU form, `W = P L (U + diag(sign * exp(log|d|)))`.

    Args:
      lu: `[..., C, C]`: L below the diagonal (its own diagonal is 1), U above it, and log|d|
        on it.
      sign: signs of the diagonal of U, `[..., C]`, each 1 or -1; fixed.
      permutation: `[..., C]` int32; row i of W is row `permutation[i]` of the product; fixed.

    Returns:
      `[..., C, C]`, with `log|det W| = trace(lu)`.
    """
    lower, upper = _triangles(lu, sign)
    # Elementwise: for matrices this small a batched product costs mostly its call.
    product = tf.reduce_sum(lower[..., tf.newaxis] * upper[..., tf.newaxis, :, :], axis=-2)
    return tf.gather(product, permutation, axis=-2, batch_dims=lu.shape.rank - 2)


def lu_inverse(lu: tf.Tensor, sign: tf.Tensor, permutation: tf.Tensor) -> tf.Tensor:
    """`W^-1` of `lu_kernel(...)` by two triangular solves, `[..., C, C]`."""
    lower, upper = _triangles(lu, sign)
    permutation_matrix = tf.one_hot(permutation, lu.shape[-1], dtype=lu.dtype)
    right_side = tf.linalg.matrix_transpose(permutation_matrix)
    return tf.linalg.triangular_solve(
        upper, tf.linalg.triangular_solve(lower, right_side), lower=False
    )


def lu_log_abs_det(lu: tf.Tensor) -> tf.Tensor:
    """`log|det W|` of `lu_kernel(lu, ...)`, `[...]`."""
    return tf.linalg.trace(lu)


def _triangles(lu: tf.Tensor, sign: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    log_diagonal = tf.linalg.diag_part(lu)
    lower = tf.linalg.set_diag(tf.linalg.band_part(lu, -1, 0), tf.ones_like(log_diagonal))
    upper = tf.linalg.set_diag(tf.linalg.band_part(lu, 0, -1), sign * tf.exp(log_diagonal))
    return lower, upper
