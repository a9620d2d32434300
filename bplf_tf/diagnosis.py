"""Where a number that is not finite comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from bplf_tf.bijectors import Squeeze
from bplf_tf.bijectors.channels import split_channels

if TYPE_CHECKING:
    from bplf_tf.model import BPLF

_LARGEST_SHOWN = 3


def explain_nonfinite(
    model: BPLF, images: tf.Tensor, condition: tf.Tensor | None, step: int
) -> str | None:
    """Where the first NaN or infinity of a training step arises, and the largest activations.

    Args:
      model: to look into, with the arithmetic that it trains in.
      images: uint8 `[B, H, W, C]`, the whole batch.
      condition: `[B, E]` or None.
      step: number of the training step, whose noise is drawn again.

    Returns:
      Such as `"level 1, step 3, affine layer; largest activations: 2e+09 after level 1, step 2,
      affine layer, ..."`; None if all is finite.
    """
    weight = _nonfinite_weight(model)
    if weight:
        return weight
    largest: list[tuple[float, str]] = []
    for place, tensors in _walk(model, model.training_input(images, step), condition):
        if not all(bool(tf.reduce_all(tf.math.is_finite(tensor))) for tensor in tensors):
            found = sorted(largest, reverse=True)[:_LARGEST_SHOWN]
            said = ", ".join(f"{value:.3g} after {where}" for value, where in found)
            return f"{place}; largest activations: {said}" if said else place
        largest.append((float(tf.reduce_max(tf.abs(tensors[0]))), place))
    return None


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


def _walk(
    model: BPLF, x: tf.Tensor, condition: tf.Tensor | None
) -> Iterator[tuple[str, list[tf.Tensor]]]:
    """Every part of the flow from pixels `x` on: its name; its value, and its log-det if any."""
    dtype = model.arithmetic(model.config.network_dtype)
    yield "the pixels", [x]
    if model.pixel_logit:
        x = model.pixel_logit.bijector().inverse(x)
        yield "the pixels' logit", [x]
    for level, steps in enumerate(model.steps):
        x = Squeeze().inverse(x)
        stack = steps.bijector(condition, dtype)
        for k in range(steps.depth):
            convolution, affine = stack.step(k).bijectors
            for part, bijector in (("1x1 convolution", convolution), ("affine layer", affine)):
                value = bijector.inverse(x)
                log_det = bijector.inverse_log_det_jacobian(x, event_ndims=3)
                yield f"level {level}, step {k}, {part}", [value, log_det]
                x = value
        if level < len(model.split_priors):
            x = model.split_priors[level].bijector(condition, dtype).inverse(x)
            yield f"level {level}, split prior", [x]
            x, _ = split_channels(x)
        elif model.tails:
            yield f"level {level}, tails", [model.tails.bijector().inverse(x)]
