"""Where a number that is not finite comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from bplf_tf.bijectors.channels import split_channels
from bplf_tf.layers.part import Given
from bplf_tf.layers.stacked_steps import StackedSteps

if TYPE_CHECKING:
    from bplf_tf.training import Training

_LARGEST_SHOWN = 3


def explain_nonfinite(
    model: Training, images: tf.Tensor, condition: tf.Tensor | None, step: int
) -> str | None:
    """Where the first NaN or infinity of a training step arises, and the largest activations.

    Looks at the weights, then along the flow, under each image's label and, with label contrast,
    under the other one, then back along the gradients.

    Args:
      model: to look into, with the arithmetic that it trains in.
      images: uint8 `[B, H, W, C]`, the whole batch.
      condition: `[B, E]` or None.
      step: number of the training step, whose noise and dropout are drawn again.

    Returns:
      Such as `"level 1, step 3, affine layer; largest activations: 2e+09 after level 1, step 2,
      affine layer, ..."`; None if all is finite.
    """
    weight = _nonfinite_weight(model)
    if weight:
        return weight
    x = model.training_input(images, step)
    activations: _Largest = []
    for place, tensors in _walks(model, x, condition, step):
        if not all(bool(tf.reduce_all(tf.math.is_finite(tensor))) for tensor in tensors):
            return place + _said("activations", "after", activations)
        activations.append((float(tf.reduce_max(tf.abs(tensors[0]))), place))
    found = _nonfinite_loss_or_gradient(model, x, condition, step)
    return found and found + _said("activations", "after", activations)


_Largest = list[tuple[float, str]]


def _said(what: str, where: str, values: _Largest) -> str:
    largest = sorted(values, reverse=True)[:_LARGEST_SHOWN]
    said = ", ".join(f"{value:.3g} {where} {place}" for value, place in largest)
    return f"; largest {what}: {said}" if said else ""


def _nonfinite_weight(model: Training) -> str | None:
    levels = range(model.config.levels)
    for place, steps in [stack for level in levels for stack in _stacks_of_level(model, level)]:
        for variable in steps.trainable_variables:
            finite = np.isfinite(variable.numpy()).reshape(steps.depth, -1).all(axis=1)
            if not finite.all():
                return f"{place}, step {np.argmin(finite)}, weight {variable.path}"
    for variable in model.trainable_variables:
        if not np.isfinite(variable.numpy()).all():
            return f"weight {variable.path}"
    return None


def _stacks_of_level(model: Training, level: int) -> list[tuple[str, StackedSteps]]:
    """The steps of a level and where they are, from image to latent."""
    stacks: list[tuple[str, StackedSteps]] = [(f"level {level}", model.steps[level])]
    if model.checkerboards:
        stacks.insert(0, (f"level {level}, before the squeeze", model.checkerboards[level]))
    return stacks


def _nonfinite_loss_or_gradient(
    model: Training, x: tf.Tensor, condition: tf.Tensor | None, step: int
) -> str | None:
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        loss = model.training_loss(x, condition, step)
        objective = tf.reduce_mean(loss.objective)
    if not np.isfinite(loss.bits).all():  # of finite latents: their squares are not
        return "the log-likelihood"
    if loss.contrast is not None and not np.isfinite(loss.contrast).all():
        return "the contrast of the labels"
    if not np.isfinite(objective):
        return "the loss"
    gradients = tape.gradient(objective, variables)
    # Paths of Keras variables need not be unique.
    by_variable = {id(v): np.asarray(g) for v, g in zip(variables, gradients, strict=True)}
    largest: _Largest = []
    for place, parts in _backwards(model, by_variable):
        wrong = [name for name, part in parts.items() if not np.isfinite(part).all()]
        if wrong:
            return f"{place}, gradient of {', '.join(wrong[:_LARGEST_SHOWN])}"
        largest += [(float(np.abs(part).max()), f"{place}, {n}") for n, part in parts.items()]
    if not np.isfinite(tf.linalg.global_norm(gradients)):
        return "the norm of all gradients" + _said("gradients", "of", largest)
    return None


def _backwards(
    model: Training, gradients: dict[int, np.ndarray]
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Places of the flow in the order of the backward pass, and the gradients of their weights."""

    def of(variables: list[keras.Variable]) -> dict[str, np.ndarray]:
        return {variable.path: gradients[id(variable)] for variable in variables}

    yield "the prior", of(model.prior.trainable_variables)
    if model.tails:
        yield "tails", of(model.tails.trainable_variables)
    for level in reversed(range(model.config.levels)):
        if level < len(model.split_priors):
            split_prior = model.split_priors[level]
            yield f"level {level}, split prior", of(split_prior.trainable_variables)
        if model.diagonal_scales:
            scale = model.diagonal_scales[level]
            yield f"level {level}, diagonal scale", of(scale.trainable_variables)
        for place, steps in reversed(_stacks_of_level(model, level)):
            stacked = {name: of(part.trained()) for name, part in steps.parts().items()}
            for k in reversed(range(steps.depth)):
                for part in reversed(stacked):
                    sliced = {name: gradient[k] for name, gradient in stacked[part].items()}
                    yield f"{place}, step {k}, {part}", sliced
    for i, prior in reversed([*enumerate(model.pca_priors)]):
        yield f"the principal components, split prior {i}", of(prior.trainable_variables)
    if model.pixel_affine:
        yield "the pixels' affine map", of(model.pixel_affine.trainable_variables)


def _walks(
    model: Training, x: tf.Tensor, condition: tf.Tensor | None, step: int
) -> Iterator[tuple[str, list[tf.Tensor]]]:
    """As `_walk`, under every label that a training step looks at the images with."""
    yield from _walk(model, x, condition, step)
    others = model.other_condition(x, condition, step)
    if others is not None:
        for place, tensors in _walk(model, x, others, step):
            yield f"{place}, under the other label of the contrast", tensors


def _walk(
    model: Training, x: tf.Tensor, condition: tf.Tensor | None, step: int
) -> Iterator[tuple[str, list[tf.Tensor]]]:
    """Every part of the flow from pixels `x` on: its name; its value, and its log-det if any."""
    dtype = model.arithmetic(model.config.network_dtype)
    yield "the pixels", [x]
    if model.pixel_logit:
        x = model.pixel_logit.bijector().inverse(x)
        yield "the pixels' logit", [x]
    if model.pixel_affine:
        x = model.pixel_affine.bijector(condition).inverse(x)
        yield "the pixels' affine map", [x]
    if model.pca:
        x = model.pca.bijector().inverse(x)
        yield "the principal components", [x]
        for i, prior in enumerate(model.pca_priors):
            x = prior.bijector(condition, dtype).inverse(x)
            yield f"the principal components, split prior {i}", [x]
            x, _ = split_channels(x)
    for level in range(model.config.levels):
        for place, steps in _stacks_of_level(model, level):
            if steps is model.steps[level]:
                x = model.squeeze().inverse(x)
            stack = steps.bijector(Given(condition, dtype, model.dropout_keys(x, step)))
            for k in range(steps.depth):
                for part, bijector in zip(steps.parts(), stack.step(k).bijectors, strict=True):
                    value = bijector.inverse(x)
                    log_det = bijector.inverse_log_det_jacobian(x, event_ndims=3)
                    yield f"{place}, step {k}, {part}", [value, log_det]
                    x = value
        if model.diagonal_scales:
            x = model.diagonal_scales[level].bijector().inverse(x)
            yield f"level {level}, diagonal scale", [x]
        if level < len(model.split_priors):
            x = model.split_priors[level].bijector(condition, dtype).inverse(x)
            yield f"level {level}, split prior", [x]
            x, _ = split_channels(x)
        elif model.tails:
            yield f"level {level}, tails", [model.tails.bijector().inverse(x)]
