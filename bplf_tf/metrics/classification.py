"""How well labels are read: accuracy, macro-F1, figures of each label, confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import metrics


def classification_figures(
    true: np.ndarray, read: np.ndarray, labels: Sequence[str]
) -> dict[str, Any]:
    """Figures of labels that were read, by scikit-learn.

    Args:
      true: int `[N]`, indices into `labels`.
      read: int `[N]`.
      labels: names.

    Returns:
      `images`; `accuracy`; `macro_f1`, the mean of the labels' F1 over those that occur in `true`
      or `read`; `per_label` with `precision`, `recall`, `f1` and `images` of each label, 0 where
      nothing was read as it; `confusion`, counts, a row for each true label.

    Raises:
      ValueError: for arrays of different lengths, or none.
    """
    true, read = np.asarray(true), np.asarray(read)
    if true.shape != read.shape or true.ndim != 1 or not true.size:
        raise ValueError(
            f"true and read labels must be [N] with N of at least 1, got {list(true.shape)} and "
            f"{list(read.shape)}"
        )
    every = list(range(len(labels)))
    columns = metrics.precision_recall_fscore_support(true, read, labels=every, zero_division=0)
    return {
        "images": len(true),
        "accuracy": float(metrics.accuracy_score(true, read)),
        "macro_f1": macro_f1(true, read),
        "per_label": {
            name: {
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
                "images": int(images),
            }
            for name, precision, recall, f1, images in zip(labels, *columns, strict=True)
        },
        "confusion": metrics.confusion_matrix(true, read, labels=every).tolist(),
    }


def accuracy(true: np.ndarray, read: np.ndarray) -> float:
    """Share of labels that were read rightly."""
    return float(np.mean(np.asarray(true) == np.asarray(read)))


def macro_f1(true: np.ndarray, read: np.ndarray) -> float:
    """Mean of the F1 of the labels that occur in `true` or in `read`."""
    return float(metrics.f1_score(true, read, average="macro", zero_division=0))


def figures_of_confusion(
    confusion: np.ndarray,
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """The same figures of counts, or of weights, which need no images: quick enough to resample.

    Args:
      confusion: float `[E, E]`, a row for each true label.

    Returns:
      accuracy; `macro_f1`; recall and F1 of each label, `[E]`, 0 where a label neither occurs nor
      is read.
    """
    hits = np.diag(confusion)
    of_true, of_read = confusion.sum(axis=1), confusion.sum(axis=0)
    recall = hits / np.maximum(of_true, np.finfo(np.float64).tiny)
    occurs = of_true + of_read > 0
    f1 = np.where(occurs, 2 * hits / np.where(occurs, of_true + of_read, 1), 0.0)
    return float(hits.sum() / of_true.sum()), float(f1[occurs].mean()), recall, f1
