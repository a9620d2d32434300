"""The principal components of the training images."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors.pca import SeparableRotation, cosine_basis, principal_rotation, quadrants


class PCALayer(keras.layers.Layer):
    """Mean image and rotations of rows and columns; cosines before `initialize`.

    Its bijector leads (image to latent) to four pictures of half the size: the first holds the
    images' main components, the others the rest.
    """

    def __init__(self, image_shape: tuple[int, int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._image_shape = image_shape
        height, width, channels = image_shape
        self.rows = self._add("rows", (channels, height, height), _cosines(height))
        self.columns = self._add("columns", (channels, width, width), _cosines(width))
        self.mean = self._add("mean", image_shape, np.zeros([]))
        self.built = True

    def _add(self, name: str, shape: tuple[int, ...], value: np.ndarray) -> keras.Variable:
        def start(shape: Any, dtype: Any = None) -> np.ndarray:
            return np.broadcast_to(value, shape).astype(dtype)

        return self.add_weight(shape=shape, initializer=start, trainable=False, name=name)

    def bijector(self) -> tfp.bijectors.Bijector:
        """`[..., H / 2, W / 2, 4 * C] -> [..., H, W, C]` (forward, latent to image)."""
        return tfp.bijectors.Chain(
            [
                tfp.bijectors.Shift(self.mean.value),
                SeparableRotation(self.rows.value, self.columns.value),
                quadrants(self._image_shape),
            ],
            name="pca",
        )

    def initialize(self, x: tf.Tensor) -> tf.Tensor:
        """Finds the components of `[B, H, W, C]`; returns the four pictures of each."""
        images = x.numpy()
        mean = images.mean(axis=0)
        self.mean.assign(mean)
        self.rows.assign(principal_rotation(images - mean, axis=1))
        self.columns.assign(principal_rotation(images - mean, axis=2))
        return self.bijector().inverse(x)

    @property
    def multiplications(self) -> int:
        """Of one image."""
        height, width, channels = self._image_shape
        return channels * height * width * (height + width)


def _cosines(size: int) -> np.ndarray:
    return np.kron(np.eye(2), cosine_basis(size // 2).T) @ cosine_basis(size)
