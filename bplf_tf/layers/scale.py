"""The log-scales of the flow, as functions of what a network or a label says."""

import math

import tensorflow as tf

# Glow's coupling begins near the identity by it.
_SIGMOID_OFFSET = 2.0


def bounded_log_scale(raw: tf.Tensor, bound: float) -> tf.Tensor:
    """`bound * tanh(raw / bound)`: smooth, the identity near 0, and bounded both ways."""
    return bound * tf.tanh(raw * (1 / bound))


def log_scale_of(
    raw: tf.Tensor,
    form: str,
    bound: float,
    factor: tf.Tensor | None = None,
    offset: tf.Tensor | None = None,
) -> tf.Tensor:
    """A log-scale from a raw output, in one of `bplf_tf.config.LOG_SCALE_FORMS`.

    Args:
      raw: `[..., H, W, C]`.
      form: the form.
      bound: c of the form `"tanh"`.
      factor: b of the form `"learned_tanh"`, broadcastable to `raw`.
      offset: d of it, likewise.
    """
    if form == "tanh":
        return bounded_log_scale(raw, bound)
    if form == "learned_tanh":
        return factor * tf.tanh(raw + offset)
    if form == "sigmoid":
        return tf.math.log_sigmoid(raw + _SIGMOID_OFFSET)
    return raw


def first_log_scale(form: str) -> float:
    """What `log_scale_of` gives for a raw output of 0, as untrained networks have it."""
    return -math.log1p(math.exp(-_SIGMOID_OFFSET)) if form == "sigmoid" else 0.0
