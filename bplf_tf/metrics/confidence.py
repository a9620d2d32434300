"""How sure a figure is: Student's t over independent values, the bootstrap over observations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
# Relative differences below it are rounding.
_SAME = 1e-9
_RESAMPLES = 1000


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A mean with the half width of its 95 % confidence interval.

    Attributes:
      mean: of the values.
      half_width: by Student's t; None for fewer than two values.
      count: number of values.
      p_value: that the mean is 0, two-sided, by Student's t; None for fewer than two values, or
        where all are equal.
    """

    mean: float
    half_width: float | None
    count: int
    p_value: float | None

    def __str__(self) -> str:
        """With four decimals, as bits/dim are given."""
        if self.half_width is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f} ± {self.half_width:.4f}"


def estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    """The mean of independent values, such as one for each seed, and how sure it is.

    Raises:
      ValueError: if there is none, or one is not finite.
    """
    array = np.asarray(values, np.float64)
    if not array.size or not np.isfinite(array).all():
        raise ValueError(f"needs finite numbers, got {list(values)}")
    if array.size < 2:
        return Estimate(float(array.mean()), None, array.size, None)
    half_width = stats.sem(array) * stats.t.ppf((1 + CONFIDENCE) / 2, array.size - 1)
    varies = np.ptp(array) > _SAME * np.abs(array).max()
    p_value = float(stats.ttest_1samp(array, 0.0).pvalue) if varies else None
    return Estimate(float(array.mean()), float(half_width), array.size, p_value)


def bootstrap_interval(
    statistic: Callable[..., float],
    *arrays: np.ndarray,
    groups: Any = None,
    seed: int = 0,
    resamples: int = _RESAMPLES,
) -> tuple[float, float]:
    """The 95 % interval of a statistic of observations, by the percentile bootstrap.

    Args:
      statistic: of the arrays, or of parts of them.
      *arrays: `[N, ...]` each; what is drawn is drawn from all of them alike.
      groups: `[N]`, such as who is in a picture: groups are drawn whole, because observations of
        one group tell the same thing again.
      seed: of the draws.
      resamples: how many.

    Raises:
      ValueError: if there is no observation.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    count = len(arrays[0])
    if not count:
        raise ValueError("an interval needs observations, got none")
    of_group = np.arange(count) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = np.argsort(of_group, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(of_group))[:-1])
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(members), len(members))
        chosen = np.concatenate([members[group] for group in drawn])
        values.append(statistic(*(array[chosen] for array in arrays)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
