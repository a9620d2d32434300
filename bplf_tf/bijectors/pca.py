"""Two-dimensional principal components: rows and columns of an image turned to their main axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import tensor_util


class SeparableRotation(tfp.bijectors.Bijector):
    """Multiplies each channel of an image by an orthogonal matrix from either side.

    Forward: `X_c = R_c^T Y_c Q_c`, latent to image.
    Forward log-det: 0, the matrices are orthogonal.
    Inverse: `Y_c = R_c X_c Q_c^T`, image to latent.
    Inverse log-det: 0.

    Source: two-dimensional PCA (Zhang and Zhou 2005, "(2D)2PCA"), of which none is left out here.
    """

    def __init__(self, rows: Any, columns: Any, name: str = "separable_rotation") -> None:
        """Creates the bijector.

        Args:
          rows: R, orthogonal `[C, H, H]`.
          columns: Q, orthogonal `[C, W, W]`.
          name: name of the bijector.
        """
        parameters = dict(locals())
        # Variables stay variables, so that the bijector follows them.
        self._rows = tensor_util.convert_nonref_to_tensor(rows, name="rows")
        self._columns = tensor_util.convert_nonref_to_tensor(columns, name="columns")
        super().__init__(
            forward_min_event_ndims=3,
            is_constant_jacobian=True,
            dtype=self._rows.dtype,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    def _forward(self, x: tf.Tensor) -> tf.Tensor:
        turned = tf.einsum("cih,...ijc->...hjc", self._rows, x)
        return tf.einsum("cjw,...hjc->...hwc", self._columns, turned)

    def _inverse(self, y: tf.Tensor) -> tf.Tensor:
        turned = tf.einsum("cih,...hwc->...iwc", self._rows, y)
        return tf.einsum("cjw,...iwc->...ijc", self._columns, turned)

    def _forward_log_det_jacobian(self, x: tf.Tensor) -> tf.Tensor:
        return tf.zeros([], x.dtype)

    def _inverse_log_det_jacobian(self, y: tf.Tensor) -> tf.Tensor:
        return tf.zeros([], y.dtype)


def quadrants(image_shape: tuple[int, int, int], name: str = "quadrants") -> Any:
    """`[..., H / 2, W / 2, 4 * C] -> [..., H, W, C]` (forward): channels to quadrants of an image.

    The first C channels are the upper left quadrant, then follow the upper right, the lower left
    and the lower right one.

    Args:
      image_shape: (H, W, C), H and W even.
      name: name of the bijector.
    """
    height, width, channels = image_shape[0] // 2, image_shape[1] // 2, image_shape[2]
    bijectors = tfp.bijectors
    return bijectors.Chain(
        [
            bijectors.Reshape(image_shape, event_shape_in=[2, height, 2, width, channels]),
            bijectors.Transpose(perm=[2, 0, 3, 1, 4]),
            bijectors.Reshape(
                [height, width, 2, 2, channels], event_shape_in=[height, width, 4 * channels]
            ),
        ],
        name=name,
    )


def principal_rotation(images: np.ndarray, axis: int) -> np.ndarray:
    """R of `SeparableRotation` for one side of images, from the images.

    The first half of the rows of R spans the main axes, those along which the images vary most.
    What has been turned to the main axes is no picture, and convolutions make no sense of it, so
    that each half is turned back to one: by the inverse cosine transform, since the main axes of
    pictures are much like cosines.

    Args:
      images: centred, `[N, H, W, C]`.
      axis: 1 for rows (H), 2 for columns (W); of even size.

    Returns:
      Orthogonal `[C, size, size]`, float64.
    """
    size = images.shape[axis]
    cosines = cosine_basis(size)
    back = np.kron(np.eye(2), cosine_basis(size // 2).T)
    rotations = []
    for channel in np.moveaxis(np.asarray(images, np.float64), -1, 0):
        vectors = np.moveaxis(channel, axis, 0).reshape(size, -1)
        _, axes = np.linalg.eigh(vectors @ vectors.T)
        axes = axes.T[::-1]  # the largest variance first
        signs = np.sign(np.sum(axes * cosines, axis=1, keepdims=True))
        rotations.append(back @ (np.where(signs == 0, 1.0, signs) * axes))
    return np.stack(rotations)


def cosine_basis(size: int) -> np.ndarray:
    """The orthonormal cosine transform (DCT-II) as a matrix, the lowest frequency first."""
    frequencies, places = np.arange(size)[:, np.newaxis], np.arange(size) + 0.5
    basis = np.sqrt(2 / size) * np.cos(np.pi * frequencies * places / size)
    basis[0] /= np.sqrt(2)
    return basis
