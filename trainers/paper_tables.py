"""The figures of the paper's tables 3 to 5, and where they contradict each other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
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

PUBLISHED = {"glow": 3.35, "Flow++": 3.08}
"""Bits/dim of CIFAR-10 in these models' own papers (Kingma and Dhariwal 2018; Ho et al. 2019, who
have 3.29 with the uniform dequantisation that all others use)."""

# Rounding of the tables' last digits, generously.
_TOLERANCE = 0.02
# And strictly.
_ROUNDING = 0.005


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


def order(dataset: str) -> list[tuple[str, str]]:
    """Pairs of table 3's methods, the better one first; those with one figure are left out.

    Of a data set that the paper does not have, the pairs on which all of its columns agree.
    """
    columns = [figures("3", name) for name in ([dataset] if dataset in DATASETS else DATASETS)]
    return [
        pair
        for pair in itertools.permutations(TABLE_3, 2)
        if all(column[pair[0]] < column[pair[1]] for column in columns)
    ]


class Contradiction(NamedTuple):
    """Figures of the paper that cannot all be right: in which tables, and why."""

    tables: tuple[str, ...]
    dataset: str
    method: str
    why: str


def contradictions() -> list[Contradiction]:
    """What the tables' figures have against each other, the text and what was published before."""
    found: list[Contradiction] = []
    for dataset, dimensions in DIMENSIONS.items():
        found += _between_tables(dataset, dimensions)
    for dataset in DATASETS:
        found += _orders(dataset)
        found += _against_the_text(dataset)
    return [*found, *_sizes_of_emotionset(), *_of_others()]


def remarks(table: str) -> list[str]:
    """What is to be known of a whole table of the paper, as sentences."""
    if table not in ("3", "4", "5"):
        return []
    return [
        "The paper trains for 2000 epochs by its text on table 3, and compares with Glow at 1000 "
        "by that on its samples; how long the models of tables 4 and 5 were trained, it does not "
        "tell."
    ]


def _between_tables(dataset: str, dimensions: int) -> Iterator[Contradiction]:
    ablated, nats, compared = (figures(table, dataset) for table in "345")
    for method, told in compared.items():
        implied = bits_per_dim(nats[method], dimensions)
        if abs(implied - told) > _TOLERANCE:
            why = (
                f"table 4's {nats[method]:.1f} nats are {implied:.3f} bits/dim by equation "
                f"4-1, table 5 has {told:.2f}"
            )
            yield Contradiction(("4", "5"), dataset, method, why)
        if abs(ablated.get(method, told) - told) > _TOLERANCE:
            why = f"{ablated[method]:.2f} bits/dim in table 3, {told:.2f} in table 5"
            yield Contradiction(("3", "5"), dataset, method, why)


def _orders(dataset: str) -> Iterator[Contradiction]:
    """Tables in which another one of BPLF and Glow is the likelier model."""
    nats = figures("4", dataset)
    better = nats["bplf_3x3_svd"] > nats["glow"]
    for table, tables in (("3", ("3", "4")), ("5", ("4", "5"))):
        bits = figures(table, dataset)
        if bits and (bits["bplf_3x3_svd"] < bits["glow"]) != better:
            why = (
                f"beside Glow, it is the {'better' if better else 'worse'} one by table 4's "
                f"log-likelihoods, the {'worse' if better else 'better'} one by table {table}"
            )
            yield Contradiction(tables, dataset, "bplf_3x3_svd", why)


def _against_the_text(dataset: str) -> Iterator[Contradiction]:
    bits = figures("3", dataset)
    for method in ("glow", "bplf_3x3", "bplf_3x3_1x1"):
        plain, truncated = bits[method], bits[f"{method}_svd"]
        if truncated > plain:
            why = f"{truncated:.2f} with truncation, {plain:.2f} without, against the text"
            yield Contradiction(("3",), dataset, f"{method}_svd", why)
    for ending in ("", "_svd"):
        small, big = bits[f"bplf_3x3_1x1{ending}"], bits[f"bplf_3x3{ending}"]
        if small < big:
            why = (
                f"{small:.2f}, {big:.2f} with 3x3 convolutions alone, which the conclusions call "
                "the best, and which are so with truncation"
            )
            yield Contradiction(("3",), dataset, f"bplf_3x3_1x1{ending}", why)


def _sizes_of_emotionset() -> Iterator[Contradiction]:
    """Numbers in an image that tables 3 and 4 imply, where no square image has so many."""
    bits, nats = figures("3", "emotionset"), figures("4", "emotionset")
    for method in [name for name in nats if name in bits]:
        low, middle, high = (
            nats[method] / log_likelihood(bits[method] + off, 1)
            for off in (-_ROUNDING, 0, _ROUNDING)
        )
        squares = (channels * side**2 for side in range(1, math.ceil(high)) for channels in (1, 3))
        if not any(low <= numbers <= high for numbers in squares):
            why = (
                f"table 3's {bits[method]:.2f} bits/dim and table 4's {nats[method]:.1f} nats "
                f"belong, by equation 4-1, to images of {middle:.0f} numbers, and no square image "
                "has so many"
            )
            yield Contradiction(("3", "4"), "emotionset", method, why)


def _of_others() -> Iterator[Contradiction]:
    """Figures of other models that were published, or should have been and were not."""
    ablated, compared = figures("3", "cifar10"), figures("5", "cifar10")
    for method, published in PUBLISHED.items():
        told = compared[method]
        if told != published:
            why = f"{told:.2f}; the model's own paper has {published:.2f}"
            yield Contradiction(("5",), "cifar10", method, why)
        elif method in ablated and ablated[method] != told:
            why = (
                f"{told:.2f} is what the model's own paper has, of another training than the "
                f"{ablated[method]:.2f} of table 3"
            )
            yield Contradiction(("5",), "cifar10", method, why)
    for method in ("dlf", "f-VAEs"):
        why = f"{compared[method]:.2f} is not known from the model's own paper"
        yield Contradiction(("5",), "cifar10", method, why)
