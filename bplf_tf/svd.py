"""The protocols by which truncated singular values enter training and evaluation.

Truncation makes other images: their bits per dimension belong to another data set. It touches
training images and `bits_per_dim_truncated` only; likelihoods, encoding and sampling never
truncate.

* `"paper"`: every training image is truncated to `rank` before dequantisation.
* `"anneal"`: the same, but the rank grows linearly to full during `svd_anneal_steps`, or as
  `Annealing` says, so that the final model is an ordinary flow of untouched images.
* `"bijector"`: `bplf_tf.bijectors.SVDTruncate` with a threshold sits in the flow; exact.
* `"pca"`: nothing is truncated. Images are turned to the principal components of the training
  images' rows and columns (`bplf_tf.bijectors.pca`); the first half of either goes through the
  flow, the rest leaves at once through split priors that see it; exact.
"""

from typing import Any

import tensorflow as tf

from bplf_tf.bijectors.svd_truncate import truncate_images
from bplf_tf.config import ModelConfig

__all__ = ["Annealing", "rank_at", "training_images", "truncate_images", "truncates"]


class Annealing:
    """How far the `"anneal"` protocol is, told by someone else than `svd_anneal_steps`.

    Such as for a run that ends by the clock, of which nobody knows how many steps it will have.

    Attributes:
      share: a variable in [0, 1], 0 at first.
    """

    def __init__(self) -> None:
        """Makes the variable; under the strategy that the model trains with."""
        self.share = tf.Variable(
            0.0, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )


def truncates(config: ModelConfig) -> bool:
    """Whether training images are truncated, so that two figures must be reported."""
    return config.svd_protocol in ("paper", "anneal")


def rank_at(config: ModelConfig, annealed: float) -> int:
    """Singular values kept in training when a share of the annealing, in [0, 1], is done."""
    if config.svd_protocol != "anneal":
        return config.rank
    return config.rank + round(annealed * (min(config.image_shape[:2]) - config.rank))


def training_images(
    images: tf.Tensor, config: ModelConfig, step: Any, annealing: Annealing | None = None
) -> tf.Tensor:
    """What a training step sees of uint8 images `[B, H, W, C]`."""
    if not truncates(config):
        return images
    rank = tf.constant(config.rank)
    if config.svd_protocol == "anneal":
        full = min(config.image_shape[:2])
        if annealing is None:
            annealed = tf.minimum(1.0, tf.cast(step, tf.float32) / config.svd_anneal_steps)
        else:
            annealed = tf.convert_to_tensor(annealing.share)
        rank += tf.cast(tf.round(annealed * (full - config.rank)), tf.int32)
    return truncate_images(images, rank)
