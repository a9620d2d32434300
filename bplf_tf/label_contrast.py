"""A second loss of training, that an image be likelier under its label than under another one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from bplf_tf import random

# Sets the draws apart from those of dequantisation and dropout, which have the same other keys.
_KEY = -2


def other_labels(condition: tf.Tensor, keys: Sequence[tf.Tensor]) -> tf.Tensor:
    """Each row with its labels moved on by a number from 1 to E - 1: never that of a one-hot row.

    Args:
      condition: `[B, E]`, E of 2 or more.
      keys: int32 tensors, each `[B]` or `[]`, on which the numbers depend.
    """
    labels = tf.shape(condition)[1]
    drawn = random.uniform([*keys, tf.constant(_KEY)], 1)  # [B, 1]
    offsets = 1 + tf.cast(drawn * tf.cast(labels - 1, drawn.dtype), tf.int32)
    places = tf.math.floormod(tf.range(labels) - offsets, labels)
    return tf.gather(condition, places, batch_dims=1)


def label_contrast(log_prob: tf.Tensor, other: tf.Tensor, dimensions: int) -> tf.Tensor:
    """What it costs to tell an image's label from the other one, `[B]`, in bits/dim.

    It is the negative log-probability of the right one of the two, by Bayes' rule.

    Args:
      log_prob: nats, `[B]`, of each image under its label.
      other: likewise, under the other one.
      dimensions: D = H * W * C of the images.

    Source: the discriminative term of Ardizzone et al. 2020, arXiv 2001.06448, with one other label
      in place of all.
    """
    return tf.nn.softplus(other - log_prob) / (dimensions * math.log(2))
