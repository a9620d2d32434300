"""Figures that were measured once for each seed, gathered: mean, interval, and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bplf_tf.metrics.confidence import combined_error, estimate, share_interval, shown

Figures = dict[str, Any]
"""`mean`, `values`, and the 95 % confidence interval: its `half_width` (None for one seed, or equal
ones), or of a share the ends of the `interval`."""


def over_seeds(measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of each seed, some of them in mappings of their own, as figures over the seeds.

    Raises:
      ValueError: if a figure is not finite.
    """
    gathered: dict[str, Any] = {}
    for name, first in measured[0].items():
        if isinstance(first, Mapping):
            gathered[name] = over_seeds([of_seed[name] for of_seed in measured])
            continue
        values = [float(of_seed[name]) for of_seed in measured]
        found = estimate(values)
        gathered[name] = {"mean": found.mean, "half_width": found.half_width, "values": values}
    return gathered


def share_of_own_images(found: Sequence[np.ndarray]) -> Figures:
    """The share of images of which something is found, where every seed has images of its own.

    Samples of all seeds are independent draws of one distribution: the seeds are no further source
    of chance, and their images count together.

    Args:
      found: bool `[N]` of each seed.
    """
    every = np.concatenate(found).astype(np.float64)
    return share_figures(found, share_interval(every.mean(), len(every)))


def share_of_the_same_images(found: Sequence[np.ndarray]) -> Figures:
    """The share of images of which something is found, where every seed has the same images.

    Then both vary, the seeds and the images, and both count.

    Args:
      found: bool `[N]` of each seed, N of 1 or more.
    """
    array = np.stack([np.asarray(of_seed, np.float64) for of_seed in found])
    count = array.shape[1]
    of_images = array.mean(axis=0)
    images_variance = float(of_images.var(ddof=1) / count) if count > 1 else 0.0
    variance, freedom = combined_error(array.mean(axis=1), images_variance, count)
    return share_figures(found, share_interval(array.mean(), count, variance, freedom))


def share_figures(found: Sequence[np.ndarray], interval: tuple[float, float]) -> Figures:
    """Figures of a share that was found of each seed's images, with a known interval."""
    values = [float(np.mean(of_seed)) for of_seed in found]
    return {"mean": float(np.mean(values)), "interval": list(interval), "values": values}


def text(figures: Figures, digits: int = 3) -> str:
    """A mean and its interval."""
    return shown(figures, digits)


def text_table(
    columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], heading: str = ""
) -> str:
    """Cells under their columns, each column as wide as it must be."""
    first = max(len(name) for name in ("", *(name for name, _ in rows))) + 2
    widths = [
        max(len(column), *(len(cells[i]) for _, cells in rows)) + 2
        for i, column in enumerate(columns)
    ]
    lines = [heading] if heading else []
    lines.append(" " * first + _line(columns, widths))
    lines += [f"{name:<{first}}{_line(cells, widths)}" for name, cells in rows]
    return "\n".join(line.rstrip() for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
