"""Where a number that is not finite comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from bplf_tf.bijectors import Squeeze
from bplf_tf.bijectors.bi_parallel_affine import split_channels
from bplf_tf.likelihood import dequantise

if TYPE_CHECKING:
    from bplf_tf.model import BPLF


def locate_nonfinite(model: BPLF, images: tf.Tensor, condition: tf.Tensor | None) -> str | None:
    """Level, step and layer of the first weight or activation that is not finite.

    Args:
      model: to look into, with the arithmetic that it trains in.
      images: uint8 `[B, H, W, C]`.
      condition: `[B, E]` or None.

    Returns:
      Such as `"level 1, step 3, affine layer"`; None if all is finite.
    """
    return _nonfinite_weight(model) or _nonfinite_activation(model, images, condition)


def _nonfinite_weight(model: BPLF) -> str | None:
    for level, steps in enumerate(model.steps):
        for variable in steps.trainable_variables:
            finite = np.isfinite(variable.numpy()).reshape(steps.depth, -1).all(axis=1)
            if not finite.all():
                return f"level {level}, step {np.argmin(finite)}, weight {variable.path}"
    for variable in model.trainable_variables:
        if not np.isfinite(variable.numpy()).all():
            return f"weight {variable.path}"
    return None


def _nonfinite_activation(
    model: BPLF, images: tf.Tensor, condition: tf.Tensor | None
) -> str | None:
    dtype = model.arithmetic(model.config.network_dtype)
    x = dequantise(images, 0.5, tf.as_dtype(model.config.dtype))
    if model.pixel_logit:
        x = model.pixel_logit.bijector().inverse(x)
    for level, steps in enumerate(model.steps):
        x = Squeeze().inverse(x)
        stack = steps.bijector(condition, dtype)
        for k in range(steps.depth):
            convolution, affine = stack.step(k).bijectors
            for part, bijector in (("1x1 convolution", convolution), ("affine layer", affine)):
                value = bijector.inverse(x)
                if not _finite(value, bijector.inverse_log_det_jacobian(x, event_ndims=3)):
                    return f"level {level}, step {k}, {part}"
                x = value
        if level < len(model.split_priors):
            x = model.split_priors[level].bijector(condition, dtype).inverse(x)
            if not _finite(x):
                return f"level {level}, split prior"
            x, _ = split_channels(x)
        elif model.tails and not _finite(model.tails.bijector().inverse(x)):
            return f"level {level}, tails"
    return None


def _finite(*tensors: tf.Tensor) -> bool:
    return all(bool(tf.reduce_all(tf.math.is_finite(tensor))) for tensor in tensors)
