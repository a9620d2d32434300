"""Between 8-bit images and densities: scaling, uniform dequantisation, bits per dimension."""

import math

import tensorflow as tf

GREY_LEVELS = 256


def dequantise(images: tf.Tensor, noise: tf.Tensor | float, dtype: tf.DType) -> tf.Tensor:
    """uint8 `[..., H, W, C]` to the flow's `[-0.5, 0.5)`.

    Args:
      images: uint8.
      noise: in [0, 1), broadcastable to `images`; 0.5 gives bin centres.
      dtype: of the result.
    """
    return (tf.cast(images, dtype) + tf.cast(noise, dtype)) / GREY_LEVELS - 0.5


def quantise(images: tf.Tensor) -> tf.Tensor:
    """The flow's scale back to uint8; what lies outside is clipped."""
    return tf.cast(tf.clip_by_value(tf.floor((images + 0.5) * GREY_LEVELS), 0, 255), tf.uint8)


def bits_per_dim(log_prob: tf.Tensor, dimensions: int) -> tf.Tensor:
    """`-(log p(x) / D - ln 256) / ln 2` for data scaled by 1/256 (the paper's eq. 4-1).

    Args:
      log_prob: nats per image, of data in the flow's scale.
      dimensions: D = H * W * C of the original image.
    """
    return -(log_prob / dimensions - math.log(GREY_LEVELS)) / math.log(2)
