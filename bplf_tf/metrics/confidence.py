"""How sure a figure is: Student's t over independent values, the bootstrap over observations.

Of shares, which cannot leave [0, 1], Wilson's interval.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
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
      half_width: by Student's t; None for fewer than two values, or where all are equal: that they
        do not differ does not say that no other would.
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
    if np.ptp(array) <= _SAME * np.abs(array).max():
        return Estimate(float(array.mean()), None, array.size, None)
    half_width = stats.sem(array) * _critical(array.size - 1)
    p_value = float(stats.ttest_1samp(array, 0.0).pvalue)
    return Estimate(float(array.mean()), float(half_width), array.size, p_value)


def share_interval(
    share: float, count: float, variance: float = 0.0, freedom: float = np.inf
) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson's score: it stays in [0, 1] and never has no width.

    Args:
      share: in [0, 1].
      count: independent observations; the fewer, the wider.
      variance: of the share as an estimate. Where it is more than that of `count` observations, as
        for observations that come in groups, they count as the fewer that would have it.
      freedom: degrees of freedom of the variance; of few Student's t takes the normal's place.

    Raises:
      ValueError: for a share outside of [0, 1], or no observations.

    Source: Wilson 1927; with an effective number of observations: Dean and Pagano 2015, Journal of
    Survey Statistics and Methodology 3(4).
    """
    if not 0 <= share <= 1 or not count > 0:
        raise ValueError(f"needs a share in [0, 1] of observations, got {share} of {count}")
    effective = min(share * (1 - share) / variance, count) if variance > 0 else count
    if not effective:  # a share of 0 or 1 has no variance but that of rounding
        effective = count
    squared = _critical(freedom) ** 2 / effective
    middle = (share + squared / 2) / (1 + squared)
    half = np.sqrt(squared * share * (1 - share) + squared**2 / 4) / (1 + squared)
    low, high = float(middle - half), float(middle + half)
    return low if share > 0 else 0.0, high if share < 1 else 1.0  # else but for rounding


def ratio_interval(
    shares: tuple[float, float], numerator: tuple[float, float], denominator: tuple[float, float]
) -> tuple[float, float]:
    """The 95 % interval of one share divided by another, both estimated and independent.

    Args:
      shares: both, the second above 0.
      numerator: the first one's 95 % interval.
      denominator: the second one's, above 0.

    Source: the method of variance estimates recovery (MOVER): Donner and Zou 2012, Statistical
    Methods in Medical Research 21(4), equations for a ratio.
    """
    first, second = shares
    (first_low, first_high), (low, high) = numerator, denominator
    product = first * second

    def bound(of_first: float, of_second: float, sign: int) -> float:
        weight = of_second * (2 * second - of_second)
        root = np.sqrt(max(product**2 - of_first * (2 * first - of_first) * weight, 0.0))
        # The weight is 0 where the interval reaches twice the share; then the bound is its limit.
        if abs(weight) < _SAME:
            return float(of_first * (2 * first - of_first) / (2 * product)) if product else 0.0
        return float((product + sign * root) / weight)

    return max(0.0, bound(first_low, high, -1)), bound(first_high, low, 1)


def combined_error(
    of_seeds: Sequence[float] | np.ndarray, images_variance: float, images: int
) -> tuple[float, float]:
    """Variance of a mean over seeds whose figures are all of the same images, which vary too.

    Args:
      of_seeds: the figure of each seed, on all images. One seed says nothing of others: then the
        variance is that of images alone.
      images_variance: of the mean over these seeds, as images vary.
      images: how many.

    Returns:
      the sum of both variances, and its degrees of freedom by Welch and Satterthwaite.
    """
    array = np.asarray(of_seeds, np.float64)
    seeds = float(array.var(ddof=1) / array.size) if array.size > 1 else 0.0
    total = seeds + images_variance
    if not total:
        return 0.0, np.inf
    parts = images_variance**2 / max(images - 1, 1)
    parts += seeds**2 / (array.size - 1) if seeds else 0.0
    return total, total**2 / parts


def difference_figures(mean: float, variance: float, freedom: float) -> dict[str, float | None]:
    """`mean`, `half_width` of its 95 % interval and `p_value` that it is 0, by Student's t.

    Both are None without variance, where nothing is known.
    """
    if not variance > (_SAME * mean) ** 2:
        return {"mean": mean, "half_width": None, "p_value": None}
    error = float(np.sqrt(variance))
    return {
        "mean": mean,
        "half_width": float(error * _critical(freedom)),
        "p_value": float(2 * stats.t.sf(abs(mean) / error, freedom)),
    }


def times_drawn(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How often a draw of the bootstrap takes each image, float64 `[N]`.

    Of each label as many are drawn as there are, so that rare ones never vanish.

    Args:
      labels: int `[N]`.
      rng: what it draws with.
    """
    times = np.zeros(len(labels))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        times[own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)))
    return times


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values as one may read them where several are looked at; None stays what it is.

    Whoever calls those at most 5 % a finding is wrong about one or more in 5 % of such families.

    Source: Holm 1979, Scandinavian Journal of Statistics 6(2).
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    least = 0.0
    for rank, (p, place) in enumerate(known):
        least = max(least, min(1.0, p * (len(known) - rank)))
        corrected[place] = least
    return corrected


def shown(figures: Mapping[str, Any], digits: int) -> str:
    """A `mean` and how sure it is: `half_width` as ±, or the ends of its `interval`, or nothing."""
    text = f"{figures['mean']:.{digits}f}"
    if (half := figures.get("half_width")) is not None:
        return f"{text} ± {half:.{digits}f}"
    if (ends := figures.get("interval")) is not None:
        return f"{text} ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})"
    return text


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


def _critical(freedom: float) -> float:
    """How many standard errors half of the interval is wide."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))
