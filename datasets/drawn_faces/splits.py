"""Which seeds make which split: no person is in two of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Split:
    """`count` faces with the seeds `first_seed`, `first_seed + 1`, ..."""

    first_seed: int
    count: int


# Far enough apart for custom configurations with more faces.
SPLITS = {
    "train": Split(0, 7_000),
    "validation": Split(1_000_000_000, 700),
    "test": Split(2_000_000_000, 700),
}


def check_split(split: str) -> Split:
    """The split of that name."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}.")
    return SPLITS[split]
