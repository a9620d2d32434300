"""The bounded log-scale that every learned scale uses."""

import tensorflow as tf


def bounded_log_scale(raw: tf.Tensor, bound: float) -> tf.Tensor:
    """`bound * tanh(raw / bound)`: smooth, the identity near 0, and bounded both ways."""
    return bound * tf.tanh(raw * (1 / bound))
