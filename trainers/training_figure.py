"""What a run reached on its training images, comparable between runs that end anywhere.

A row of metrics.csv is the mean over the steps of its epoch, and a run that ends by the clock ends
anywhere in an epoch: its last row may be of a single batch, which says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Rows = Sequence[Mapping[str, str]]


def training_bits_per_dim(rows: Rows) -> float:
    """Mean bits/dim in training over the last epoch's worth of steps.

    The last rows count by their steps; the earliest of those, which is known as a whole alone, by
    as many of them as an epoch still lacks. So all runs are judged by as many images, and one that
    ends with its epoch by the last row. A run that is shorter than an epoch is judged as a whole.

    Args:
      rows: of metrics.csv, at least one.
    """
    steps = steps_of_rows(rows)
    # All epochs are equally long but for the last, which the run's end may have cut short.
    epoch = left = max(steps)
    total = 0.0
    for row, of_row in zip(reversed(rows), reversed(steps), strict=True):
        weight = min(of_row, left)
        total += weight * float(row["bits_per_dim"])
        left -= weight
    return total / epoch


def training_curve(rows: Rows) -> list[float]:
    """A value for each row: its own, and in the end that of `training_bits_per_dim`."""
    return [*(float(row["bits_per_dim"]) for row in rows[:-1]), training_bits_per_dim(rows)]


def steps_of_rows(rows: Rows) -> list[int]:
    """How many steps each row is the mean of."""
    ends = [int(float(row["step"])) for row in rows]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]
