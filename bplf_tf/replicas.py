"""What the replicas of a `tf.distribute` strategy have to agree on in a step."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def sum_over_replicas(tensors: list[tf.Tensor]) -> list[tf.Tensor]:
    """The sum of each tensor over all replicas; the tensors themselves where there is one.

    They travel as one: TensorFlow would make a collective operation of each, and wait for each.

    Args:
      tensors: dense, of one dtype, of the same static shapes on each replica.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensors
    flat = tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)
    summed = context.all_reduce(tf.distribute.ReduceOp.SUM, flat)
    parts = tf.split(summed, [tensor.shape.num_elements() for tensor in tensors])
    return [tf.reshape(part, t.shape) for part, t in zip(parts, tensors, strict=True)]


def positions(count: tf.Tensor) -> tf.Tensor:
    """Positions of a replica's images in the global batch, int32 `[count]`.

    Replica r of R has images r, r + R, r + 2 R, ... So what depends on the position alone, such as
    the noise, is the same for any number of replicas, and a short batch needs no exchange of sizes.
    """
    context = tf.distribute.get_replica_context()
    if context is None:
        return tf.range(count)
    replica = tf.cast(context.replica_id_in_sync_group, tf.int32)
    return tf.range(count) * context.num_replicas_in_sync + replica


def filled_up(images: tf.Tensor, labels: Any) -> tuple[tf.Tensor, Any, tf.Tensor]:
    """A replica's part of a batch, and what each image counts: 1, or 0 for one that fills it up.

    Of a short batch a replica may get nothing, which convolutions cannot compute.

    Args:
      images: `[B, H, W, C]`.
      labels: `[B, ...]` or None.
    """
    count = tf.shape(images)[0]
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return images, labels, tf.ones([count])
    missing = tf.maximum(1 - count, 0)
    images, labels = tf.nest.map_structure(
        lambda t: tf.pad(t, [[0, missing], *[[0, 0]] * (t.shape.rank - 1)]), (images, labels)
    )
    return images, labels, tf.cast(tf.range(count + missing) < count, tf.float32)


def expect_reduced_gradients(optimizer: Any) -> None:
    """Makes a Keras optimizer take gradients that are already those of the global batch.

    Keras clips each replica's gradients on their own and then sums them, so that what is clipped
    depends on the number of replicas, and where they are means they must be scaled beforehand.
    Here the step reduces them, and all replicas hand the same ones to the optimizer.
    """
    optimizer._all_reduce_sum_gradients = lambda gradients_and_variables: gradients_and_variables


def step_logs(logs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """What a step returns to Keras, which averages it over the workers along a first axis."""
    strategy = tf.distribute.get_strategy()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return logs
    return {name: value[tf.newaxis] for name, value in logs.items()}
