"""Editing faces with a flow: from label to label, after a reference, between faces, in steps.

Every function takes a `BPLF` and uint8 images `[B, H, W, C]`, any number of them; the model works
through them in batches. `blend_region` keeps an edit within a part of the face.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bplf_tf.labels import Label, check_count, condition_vectors
from bplf_tf.model import BPLF
from bplf_tf.regions import blend_region as blend_region

STRENGTHS = (-1.0, 4.0)
"""Least and greatest strength. Labels of real faces are faint, so that it takes 2 or 3 to see some
of them; beyond 4 faces fall apart (FER2013, an hour of training)."""


def mixture(classes: Sequence[str], shares: Mapping[str, float]) -> np.ndarray:
    """The condition vector of a mixture of labels, float64 `[E]`.

    Args:
      classes: the model's labels.
      shares: of some of them, 0 or more, in any unit: they are divided by their sum.

    Raises:
      ValueError: for an unknown label, a negative or non-finite share, or a sum of 0.
    """
    vector = np.zeros(len(classes))
    for name, share in shares.items():
        if name not in classes:
            raise ValueError(f"unknown label {name!r}; the labels are {', '.join(classes)}")
        if not (math.isfinite(share) and share >= 0):
            raise ValueError(f"the share of {name} must be a finite number of 0 or more: {share}")
        vector[list(classes).index(name)] = share
    if not vector.sum():
        raise ValueError(f"a mixture needs a share above 0, got {dict(shares)}")
    return vector / vector.sum()


def check_several_labels(classes: Sequence[str]) -> None:
    """Raises `ValueError` where there is but one label, so that none can be turned into another."""
    if len(classes) == 1:
        raise ValueError(
            f"the model knows the label {classes[0]!r} alone; turning one label into another takes "
            "two or more. Faces of one label are edited after references (transfer_from)"
        )


def likeliest_labels(model: BPLF, images: Any, prior: Any = None) -> np.ndarray:
    """The label under which each image is likeliest, int `[B]`.

    Args:
      model: with labels.
      images: uint8 `[B, H, W, C]`.
      prior: `[E]`, to take the label with the highest posterior instead; see `BPLF.classify`.

    Raises:
      ValueError: for a model without labels, or images or a prior that do not fit.
    """
    return model.classify(images, prior).argmax(axis=1)


def transfer(
    model: BPLF, images: Any, target: Any, source: Any = None, strength: float = 1.0
) -> np.ndarray:
    """Turns images into another label, uint8 `[B, H, W, C]`; see `BPLF.transfer`.

    Args:
      model: with labels.
      images: uint8 `[B, H, W, C]`.
      target: a label, one for each image, or the shares of a mixture by name.
      source: likewise; by default each image's likeliest label.
      strength: 0 returns the images, 1 is all of the target; see `STRENGTHS`.

    Raises:
      ValueError: for images or labels that do not fit, or a strength out of range.
    """
    return sweep(model, images, target, [strength], source)[:, 0]


def sweep(
    model: BPLF,
    images: Any,
    target: Any,
    strengths: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25),
    source: Any = None,
) -> np.ndarray:
    """Each image at several strengths, uint8 `[B, S, H, W, C]`.

    Strength 0 is decoded too: that it is the image shows that the flow can be inverted.

    Args:
      model: with two labels or more.
      images: uint8 `[B, H, W, C]`.
      target: as of `transfer`.
      strengths: S of them, one or more; see `STRENGTHS`.
      source: as of `transfer`; found out once for all strengths.

    Raises:
      ValueError: for images or labels that do not fit, a strength out of range, or none.
    """
    if not len(strengths):
        raise ValueError("a sweep needs at least one strength")
    for strength in strengths:
        _check_strength(strength)
    check_several_labels(model.config.classes)
    before = _source(model, images, source)
    after = _condition(model, target, len(images))
    latents = model.encode(images, before)
    return _decode_all(
        model, [latents] * len(strengths), [(1 - t) * before + t * after for t in strengths]
    )


def transfer_from(
    model: BPLF,
    images: Any,
    reference_neutral: Any,
    reference_expressive: Any,
    strength: float = 1.0,
    label: Any = None,
) -> np.ndarray:
    """Gives faces the change between pictures of others, uint8 `[B, H, W, C]`.

    All are encoded under one and the same label, so that the latents hold what the label does not
    tell. The mean of `z_expressive - z_neutral` over the references is added, and the sum's length
    made to change as the references' did: two latents have little in common, so that sums would
    come to lie further out than any face. It is decoded under the same label again. Needs no name
    for the expression, and no labels at all. One reference passes on much that is its own face's;
    the mean of a dozen is a better expression.

    Args:
      model: any.
      images: uint8 `[B, H, W, C]`.
      reference_neutral: uint8 `[R, H, W, C]`.
      reference_expressive: the same people, in the same order.
      strength: factor of the change; see `STRENGTHS`.
      label: what the images show; by default each image's likeliest label.

    Raises:
      ValueError: for images or a label that do not fit, or a strength out of range.

    Source: Valenzuela et al., expression transfer by latent arithmetic in Glow, CVPR Workshops
    2021; attribute vectors of Glow (Kingma and Dhariwal 2018).
    """
    _check_strength(strength)
    if len(reference_neutral) != len(reference_expressive):
        raise ValueError(
            f"got {len(reference_neutral)} neutral references and {len(reference_expressive)} "
            "expressive ones; the k-th of both must be of one person"
        )
    condition = None
    if model.config.classes:
        condition = _source(model, images, label)
    latents = model.encode(images, condition)
    if condition is None:
        changed = _changed_as(model, latents, reference_neutral, reference_expressive, strength)
        return model.decode(changed, None)
    changed = np.empty_like(latents)
    for one in np.unique(condition, axis=0):  # the references are encoded once for each label
        shown = (condition == one).all(axis=1)
        changed[shown] = _changed_as(
            model, latents[shown], reference_neutral, reference_expressive, strength, one
        )
    return model.decode(changed, condition)


def _changed_as(
    model: BPLF,
    latents: np.ndarray,
    neutral: Any,
    expressive: Any,
    strength: float,
    condition: np.ndarray | None = None,
) -> np.ndarray:
    """Latents `[B, D]` changed as those of the references do; see `transfer_from`."""
    before, after = model.encode(neutral, condition), model.encode(expressive, condition)
    longer = np.mean(_lengths(after) / np.maximum(_lengths(before), 1e-9))
    moved = latents + strength * (after - before).mean(axis=0)
    wanted = _lengths(latents) * longer**strength
    scaled: np.ndarray = moved * (wanted / np.maximum(_lengths(moved), 1e-9))
    return scaled


def _lengths(latents: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.linalg.norm(latents, axis=-1, keepdims=True)
    return lengths


def interpolate(
    model: BPLF,
    first: Any,
    last: Any,
    steps: int = 9,
    first_label: Any = None,
    last_label: Any = None,
) -> np.ndarray:
    """From faces to other faces, along the arc between their latents, uint8 `[B, S, H, W, C]`.

    The label goes along as a mixture.

    Args:
      model: any.
      first: uint8 `[B, H, W, C]`.
      last: the same shape.
      steps: number of images from the first to the last, both with them; 2 or more.
      first_label: of the first; by default each image's likeliest.
      last_label: likewise.

    Raises:
      ValueError: for images or labels that do not fit, or fewer than two steps.
    """
    if len(first) != len(last):
        raise ValueError(
            f"got {len(first)} first images and {len(last)} last ones; each needs one to go to"
        )
    shares = _shares(steps)
    conditions: list[Any] = [None] * steps
    before = after = None
    if model.config.classes:
        before, after = _source(model, first, first_label), _source(model, last, last_label)
        conditions = [(1 - share) * before + share * after for share in shares]
    start, end = model.encode(first, before), model.encode(last, after)
    return _decode_all(model, [arc(start, end, share) for share in shares], conditions)


def interpolate_labels(
    model: BPLF, images: Any, first: Any, last: Any, steps: int = 9, source: Any = None
) -> np.ndarray:
    """The same faces from one label to another, uint8 `[B, S, H, W, C]`.

    Args:
      model: with labels.
      images: uint8 `[B, H, W, C]`.
      first: label or mixture that the first image is decoded under.
      last: of the last.
      steps: number of images, both ends with them; 2 or more.
      source: what the images show; by default each image's likeliest label.

    Raises:
      ValueError: for images or labels that do not fit, or fewer than two steps.
    """
    shares = _shares(steps)
    check_several_labels(model.config.classes)
    before, after = (_condition(model, label, len(images)) for label in (first, last))
    latents = model.encode(images, _source(model, images, source))
    return _decode_all(
        model, [latents] * steps, [(1 - share) * before + share * after for share in shares]
    )


def arc(start: np.ndarray, end: np.ndarray, share: float) -> np.ndarray:
    """Spherical interpolation, which keeps the length that a standard normal latent has.

    Args:
      start: `[..., D]`.
      end: `[..., D]`.
      share: 0 gives the start, 1 the end.
    """
    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    cosine = (start * end).sum(axis=-1) / np.maximum(lengths, np.finfo(start.dtype).tiny)
    angle = np.arccos(np.clip(cosine, -1, 1))[..., np.newaxis]
    nearly_straight = angle < 1e-6
    sine = np.where(nearly_straight, 1.0, np.sin(angle))
    weights = [
        np.where(nearly_straight, part, np.sin(part * angle) / sine) for part in (1 - share, share)
    ]
    return (weights[0] * start + weights[1] * end).astype(start.dtype)


def _condition(model: BPLF, label: Any, count: int) -> np.ndarray:
    """`[E]` of a label or a mixture by name, or `[B, E]` of labels of so many images."""
    classes = model.config.classes
    if not classes:
        raise ValueError("an unconditional model has no labels to edit by")
    if isinstance(label, Mapping):
        label = mixture(classes, label)
    condition = np.asarray(condition_vectors(label, classes, model.config.dtype))
    check_count(condition, count)
    return condition


def _source(model: BPLF, images: Any, source: Label) -> np.ndarray:
    """`[B, E]` of what images show, estimated where it is not told."""
    if source is None:
        source = likeliest_labels(model, images)
    condition = _condition(model, source, len(images))
    return condition if condition.ndim == 2 else np.repeat(condition[np.newaxis], len(images), 0)


def _decode_all(
    model: BPLF, latents: Sequence[np.ndarray], conditions: Sequence[Any]
) -> np.ndarray:
    """Images `[B, S, H, W, C]` of S times B latents."""
    decoded = [
        model.decode(latent, condition)
        for latent, condition in zip(latents, conditions, strict=True)
    ]
    return np.stack(decoded, axis=1)


def _check_strength(strength: float) -> None:
    low, high = STRENGTHS
    if not low <= strength <= high:
        raise ValueError(f"strength must lie in {low:g}..{high:g}, got {strength}")


def _shares(steps: int) -> np.ndarray:
    if not isinstance(steps, int) or steps < 2:
        raise ValueError(f"steps must be an integer of at least 2, got {steps!r}")
    return np.linspace(0, 1, steps)
