"""Whether faces show the expression that was asked for, as a classifier reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats


def read_as_wanted(probabilities: Any, wanted: Any) -> np.ndarray:
    """Whether each face's likeliest label is the wanted one, bool `[N]`.

    Args:
      probabilities: `[N, E]`, of a classifier.
      wanted: int `[N]`.

    Raises:
      ValueError: for arrays of other shapes.
    """
    shares, labels = _checked(probabilities, wanted)
    return np.asarray(shares.argmax(axis=1) == labels)


def expression_gain(before: Any, after: Any, target: Any) -> np.ndarray:
    """How much likelier the target became by an edit, `p(target | after) - p(target | before)`.

    In [-1, 1], `[N]`; 0 for an editor that returns its input.

    Args:
      before: probabilities of the faces as they were, `[N, E]`.
      after: of the edited ones.
      target: int `[N]`.

    Raises:
      ValueError: for arrays of other shapes.
    """
    (earlier, labels), (later, _) = _checked(before, target), _checked(after, target)
    rows = np.arange(len(labels))
    return np.asarray(later[rows, labels] - earlier[rows, labels])


def monotonicity(strengths: Any, shares: Any) -> np.ndarray:
    """Spearman's rank correlation of an edit's strength and what came of it, `[N]`.

    1 where more strength always gives more of the target; 0 where the edit changes nothing, as for
    an editor that returns its input.

    Args:
      strengths: `[S]`, three or more, all different.
      shares: `[N, S]`, the target's probability at each strength.

    Raises:
      ValueError: for arrays of other shapes, or too few or equal strengths.
    """
    axis, values = np.asarray(strengths, np.float64), np.asarray(shares, np.float64)
    if axis.ndim != 1 or len(set(axis.tolist())) != len(axis) or len(axis) < 3:
        raise ValueError(f"needs three or more different strengths, got {axis.tolist()}")
    if values.ndim != 2 or values.shape[1] != len(axis):
        raise ValueError(f"shares must be [N, {len(axis)}], got {list(values.shape)}")
    # Spearman's is Pearson's correlation of the ranks.
    ranks = stats.rankdata(values, axis=1) - (len(axis) + 1) / 2
    wanted = stats.rankdata(axis) - (len(axis) + 1) / 2
    lengths = np.sqrt((ranks**2).sum(axis=1) * (wanted**2).sum())
    return np.asarray(np.where(lengths > 0, ranks @ wanted / np.maximum(lengths, 1e-9), 0.0))


def _checked(probabilities: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    shares, wanted = np.asarray(probabilities, np.float64), np.asarray(labels)
    if shares.ndim != 2 or wanted.shape != shares.shape[:1] or not len(shares):
        raise ValueError(
            f"needs probabilities [N, E] and labels [N], got {list(shares.shape)} and "
            f"{list(wanted.shape)}"
        )
    return shares, wanted
