"""The figures of the paper's tables 3 to 5, and where they contradict each other."""

from __future__ import annotations

import math
from typing import NamedTuple

DATASETS = ("mnist", "cifar10", "emotionset")
"""The columns, by our names of the data sets."""

TABLE_3: dict[str, tuple[float, ...]] = {
    "glow": (1.18, 3.53, 2.24),
    "glow_svd": (1.16, 3.50, 2.21),
    "bplf_3x3": (1.14, 3.42, 2.16),
    "bplf_3x3_1x1": (1.15, 3.40, 2.14),
    "bplf_3x3_svd": (1.13, 3.33, 2.12),
    "bplf_3x3_1x1_svd": (1.14, 3.38, 2.15),
}
"""Bits/dim of the ablation; those of `_svd` are of truncated images."""

TABLE_4: dict[str, tuple[float, ...]] = {
    "glow": (3215.3, 4513.2, 4618.2),
    "f-VAEs": (3116.4, 4376.9, 4515.4),
    "dlf": (3134.6, 4104.5, 4500.7),
    "Flow++": (3473.6, 4492.3, 4592.4),
    "bplf_3x3_svd": (3124.6, 4212.4, 4498.3),
}
"""Log-likelihoods in nats."""

TABLE_5: dict[str, tuple[float, ...]] = {
    "glow": (1.24, 3.35),
    "f-VAEs": (1.15, 3.34),
    "dlf": (1.14, 3.11),
    "Flow++": (1.14, 3.26),
    "bplf_3x3_svd": (1.13, 3.26),
}
"""Bits/dim beside other models; it has no column of EmotionSet."""

DIMENSIONS = {"mnist": 28 * 28, "cifar10": 32 * 32 * 3}
"""Numbers in an image; that of EmotionSet is not told."""

# Rounding of the tables' last digits, generously.
_TOLERANCE = 0.02


def log_likelihood(bits_per_dim: float, dimensions: int) -> float:
    """Nats of an image scaled to [-1, 1] from its bits/dim, by the paper's equation 4-1."""
    return dimensions * (math.log(128) - bits_per_dim * math.log(2))


def bits_per_dim(log_likelihood: float, dimensions: int) -> float:
    """Inverse of `log_likelihood`."""
    return (math.log(128) - log_likelihood / dimensions) / math.log(2)


def figures(table: str, dataset: str) -> dict[str, float]:
    """By method, what a table of the paper says of a data set; nothing where it has no column."""
    of_table = {"3": TABLE_3, "4": TABLE_4, "5": TABLE_5}.get(table, {})
    if dataset not in DATASETS:
        return {}
    column = DATASETS.index(dataset)
    return {name: values[column] for name, values in of_table.items() if column < len(values)}


class Contradiction(NamedTuple):
    """Figures of the paper that cannot all be right: in which tables, and why."""

    tables: tuple[str, ...]
    dataset: str
    method: str
    why: str


def contradictions() -> list[Contradiction]:
    """All of them, computed from the tables."""
    found = []
    for dataset, dimensions in DIMENSIONS.items():
        ablated, nats, compared = (figures(table, dataset) for table in "345")
        for method, told in compared.items():
            implied = bits_per_dim(nats[method], dimensions)
            if abs(implied - told) > _TOLERANCE:
                why = (
                    f"table 4's {nats[method]:.1f} nats are {implied:.3f} bits/dim by equation "
                    f"4-1, table 5 has {told:.2f}"
                )
                found.append(Contradiction(("4", "5"), dataset, method, why))
            if abs(ablated.get(method, told) - told) > _TOLERANCE:
                why = f"{ablated[method]:.2f} bits/dim in table 3, {told:.2f} in table 5"
                found.append(Contradiction(("3", "5"), dataset, method, why))
    for dataset in DATASETS:
        bits = figures("3", dataset)
        for method in ("glow", "bplf_3x3", "bplf_3x3_1x1"):
            plain, truncated = bits[method], bits[f"{method}_svd"]
            if truncated > plain:
                why = f"{truncated:.2f} with truncation, {plain:.2f} without, against the text"
                found.append(Contradiction(("3",), dataset, f"{method}_svd", why))
    return found
