"""Means over seeds, their confidence intervals, and differences of paired runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

_CONFIDENCE = 0.95
# Relative differences below it are rounding.
_SAME = 1e-9


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


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of independent values and how sure it is.

    Raises:
      ValueError: if there is none, or one is not finite.
    """
    array = np.asarray(values, np.float64)
    if not array.size or not np.isfinite(array).all():
        raise ValueError(f"needs finite numbers, got {list(values)}")
    if array.size < 2:
        return Estimate(float(array.mean()), None, array.size, None)
    half_width = stats.sem(array) * stats.t.ppf((1 + _CONFIDENCE) / 2, array.size - 1)
    varies = np.ptp(array) > _SAME * np.abs(array).max()
    p_value = float(stats.ttest_1samp(array, 0.0).pvalue) if varies else None
    return Estimate(float(array.mean()), float(half_width), array.size, p_value)


def paired_difference(
    values: Mapping[int, float], reference: Mapping[int, float]
) -> Estimate | None:
    """Of two methods' values by seed, the mean of `value - reference` over the seeds of both.

    Runs of one seed share the order of the data, the noise of dequantisation and the start of what
    they have in common, so that their difference varies less than they do. None without a seed of
    both.
    """
    both = sorted(set(values) & set(reference))
    return estimate([values[seed] - reference[seed] for seed in both]) if both else None


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """Exponential average of a curve, without the bias of its start, as TensorBoard draws it.

    Args:
      values: of the curve, in order.
      weight: of what came before, in [0, 1).
    """
    if not 0 <= weight < 1:
        raise ValueError(f"weight must lie in [0, 1), got {weight}")
    average, results = 0.0, []
    for i, value in enumerate(values, start=1):
        average = weight * average + (1 - weight) * value
        results.append(average / (1 - weight**i))
    return results
