"""Figures that were measured once for each seed, gathered: mean, interval, and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bplf_tf.metrics.confidence import estimate

Figures = dict[str, Any]
"""`mean`, `half_width` of its 95 % confidence interval (None for one seed), and `values`."""


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


def text(figures: Figures, digits: int = 3) -> str:
    """A mean and its interval."""
    half = figures["half_width"]
    shown = f"{figures['mean']:.{digits}f}"
    return shown if half is None else f"{shown} ± {half:.{digits}f}"


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
