"""Labels as probabilities, from FER+'s votes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from datasets.emotionset.sources.ferplus import COLUMNS

# The column of FER+'s votes for a label.
VOTE_OF_LABEL = {label: column for column, label in COLUMNS.items()}


def soft_label(label: str, votes: Mapping[str, int] | None, labels: Sequence[str]) -> np.ndarray:
    """The probabilities of the labels.

    Args:
      label: the image's label.
      votes: FER+'s counts by the names of its columns, or None.
      labels: the names, in the order wanted; votes for anything else are left out, and the rest
        sum to 1.

    Returns:
      float32 `[len(labels)]`; all on `label` without votes, or where no vote is left.
    """
    counts = np.array([(votes or {}).get(VOTE_OF_LABEL[name], 0) for name in labels], np.float64)
    if not counts.sum():
        counts = np.array([name == label for name in labels], np.float64)
    return (counts / counts.sum()).astype(np.float32)
