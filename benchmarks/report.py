"""Tables of the benchmarks, as plain text."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence

from datasets.cores import cores, processor


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """`rows` as columns of equal width: the first flush left, the others flush right.

    Args:
      rows: at least one row; all with the keys of the first, which make the heading.
    """
    names = list(rows[0])
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in names]
    lines = [names, *([row[name] for name in names] for row in rows)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def median_and_range(values: Sequence[float], digits: int = 0) -> str:
    """`"median (smallest-largest)"`."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def ratio(value: float, reference: float | None) -> str:
    """`value / reference` as `"1.53x"`, or `"-"` where there is nothing to compare with."""
    return f"{value / reference:.2f}x" if reference else "-"


def machine() -> str:
    """Processor, cores and Python: what a figure means nothing without."""
    return f"{processor()}, {cores()} cores, Python {platform.python_version()}"


def load_warning() -> str | None:
    """What to say where other processes keep the machine busy, or None."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < 0.5:
        return None
    return (
        f"WARNING: load average {load:.1f} before the start: other processes are busy, and PyTorch "
        "suffers most from it. Ratios need a quiet machine."
    )
