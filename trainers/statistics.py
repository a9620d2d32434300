"""Differences of paired runs, and smoothed curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bplf_tf.metrics.confidence import Estimate, estimate


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
