"""Checks of feature vectors, before sets of them are compared."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_features(real: Any, generated: Any, fewest: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Both sets of features as float64 `[N, F]` and `[M, F]`.

    Raises:
      ValueError: if one has fewer than `fewest` rows or a number that is not finite, or the two
        have different F.
    """
    checked = []
    for name, given in (("real", real), ("generated", generated)):
        array = np.asarray(given, np.float64)
        if array.ndim != 2 or len(array) < fewest:
            raise ValueError(
                f"{name} features must be [N, F] with N of at least {fewest}, got "
                f"{list(array.shape)}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{name} features hold NaN or infinite numbers")
        checked.append(array)
    if checked[0].shape[1] != checked[1].shape[1]:
        raise ValueError(
            f"features must have one length, got {checked[0].shape[1]} and {checked[1].shape[1]}"
        )
    return checked[0], checked[1]
