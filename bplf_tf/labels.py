"""From what a user calls a label to a condition vector."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Label = Any  # a class name, an integer, a sequence of either, or condition vectors


def condition_vectors(label: Label, classes: Sequence[str], dtype: str) -> np.ndarray | None:
    """Condition of one label, `[E]`, or of several, `[B, E]`; None for an unconditional model.

    Args:
      label: a class name or integer, a sequence of them, or floating condition vectors `[E]` or
        `[B, E]` (one-hot, a mixture of emotions, votes).
      classes: the names, in the order of the integers; empty for an unconditional model.
      dtype: of the result.

    Raises:
      ValueError: for an unknown name, an integer out of range, a vector of the wrong size or with
        non-finite numbers, a missing label, or a label given to an unconditional model.
    """
    if not classes:
        if label is not None:
            raise ValueError(f"the model is unconditional and takes no label, got {label!r}")
        return None
    if label is None:
        raise ValueError(f"a label is needed; the classes are {', '.join(classes)}")
    values = np.asarray(label)
    if values.dtype.kind in "US":
        values = _indices_of_names(values.astype(str), classes)
    if values.dtype.kind in "iu":
        return _one_hot(values, classes, dtype)
    if values.dtype.kind == "f":
        return _checked_vectors(values, classes, dtype)
    raise ValueError(
        f"a label is a name, an integer or a vector of {len(classes)} floats, got {label!r}"
    )


def check_count(condition: Any, count: int, what: str = "images") -> None:
    """Raises `ValueError` for conditions `[B, E]` that are not as many as what they are of.

    One condition `[E]` is of any number.
    """
    if len(condition.shape) == 2 and condition.shape[0] != count:
        raise ValueError(f"got {condition.shape[0]} labels for {count} {what}")


def strengthened(vectors: np.ndarray, strength: float) -> np.ndarray:
    """Conditions `[E]` or `[B, E]`, nearer to or farther from the even mixture of all labels.

    Each becomes `(1 - strength) / E + strength * vector`: strength 0 is no label in particular, 1
    the label as it is, and more goes beyond what was seen in training.

    Raises:
      ValueError: the strength is negative or not finite.
    """
    if not (np.isfinite(strength) and strength >= 0):
        raise ValueError(f"label_strength must be a finite number of at least 0, got {strength}")
    return ((1 - strength) / vectors.shape[-1] + strength * vectors).astype(vectors.dtype)


def _indices_of_names(names: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    unknown = sorted(set(names.ravel().tolist()) - set(classes))
    if unknown:
        raise ValueError(f"unknown label {unknown[0]!r}; the classes are {', '.join(classes)}")
    return np.vectorize(list(classes).index, otypes=[int])(names)


def _one_hot(indices: np.ndarray, classes: Sequence[str], dtype: str) -> np.ndarray:
    if indices.ndim > 1:
        raise ValueError(f"integer labels must have shape [] or [B], got {indices.shape}")
    if indices.size and (indices.min() < 0 or indices.max() >= len(classes)):
        outside = indices[(indices < 0) | (indices >= len(classes))].ravel()[0]
        raise ValueError(
            f"label {outside} is out of range 0..{len(classes) - 1} ({', '.join(classes)})"
        )
    return np.eye(len(classes), dtype=dtype)[indices]


def _checked_vectors(vectors: np.ndarray, classes: Sequence[str], dtype: str) -> np.ndarray:
    if vectors.ndim not in (1, 2) or vectors.shape[-1] != len(classes):
        raise ValueError(
            f"a condition vector has {len(classes)} floats ({', '.join(classes)}), in shape "
            f"[{len(classes)}] or [B, {len(classes)}]; got shape {vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        raise ValueError("a condition vector holds NaN or infinite numbers")
    return vectors.astype(dtype)
