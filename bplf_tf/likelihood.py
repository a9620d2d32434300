"""Between 8-bit images and densities: scaling, uniform dequantisation, bits per dimension."""

import math
from typing import Any

import numpy as np
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


def label_posterior(log_prob: np.ndarray, prior: Any = None) -> np.ndarray:
    """`p(label | image)` by Bayes' theorem, float64 `[B, E]`.

    The likelihood of an 8-bit image is the mean density over dequantisation noises, so densities
    are averaged over draws, not their logarithms.

    Args:
      log_prob: nats, `[E, draws, B]`, of each image given each label.
      prior: `[E]`, probabilities of the labels; by default equal ones.

    Raises:
      ValueError: if the prior has another shape, negative or non-finite numbers, or a sum other
        than 1.
    """
    log_prob = np.asarray(log_prob, np.float64)
    labels = len(log_prob)
    weights = np.full(labels, 1 / labels) if prior is None else np.asarray(prior, np.float64)
    if weights.shape != (labels,) or not (weights >= 0).all() or abs(weights.sum() - 1) > 1e-6:
        raise ValueError(
            f"prior must be {labels} probabilities that sum to 1, one for each label; got {prior!r}"
        )
    log_density = _log_mean_exp(log_prob, axis=1)
    with np.errstate(divide="ignore"):  # a label that is impossible
        log_joint = log_density + np.log(weights)[:, np.newaxis]
    joint = np.exp(log_joint - log_joint.max(axis=0))
    return (joint / joint.sum(axis=0)).T


def _log_mean_exp(values: np.ndarray, axis: int) -> np.ndarray:
    largest = values.max(axis=axis, keepdims=True)
    mean = np.exp(values - largest).mean(axis=axis)
    return np.log(mean) + np.squeeze(largest, axis)
