"""Groups of images that are copies of each other, exact ones and near ones."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from datasets.emotionset.hashes import correlations, similar_pairs
from datasets.emotionset.record import Record

# Given indices of records, their thumbnails, uint8 `[N, 48, 48]`.
Thumbnails = Callable[[Sequence[int]], np.ndarray]

_PAIRS_AT_ONCE = 2000


class Groups:
    """Disjoint groups of images, by their places in a list of records: a union-find."""

    def __init__(self, count: int):
        self._parent = list(range(count))

    def join(self, first: int, second: int) -> None:
        """Makes one group of the groups of two."""
        low, high = sorted((self._root(first), self._root(second)))
        self._parent[high] = low

    def of_several(self) -> list[list[int]]:
        """The groups with more than one member, each in order, by their first members."""
        members: dict[int, list[int]] = defaultdict(list)
        for place in range(len(self._parent)):
            members[self._root(place)].append(place)
        return [group for group in members.values() if len(group) > 1]

    def _root(self, place: int) -> int:
        while self._parent[place] != place:
            self._parent[place] = self._parent[self._parent[place]]
            place = self._parent[place]
        return place


def join_exact(groups: Groups, records: Sequence[Record], attributes: Iterable[str]) -> None:
    """Joins kept records in which one of these attributes, digests, is the same."""
    for attribute in attributes:
        first: dict[str, int] = {}
        for place, record in enumerate(records):
            value = getattr(record, attribute)
            if record.kept and value is not None:
                groups.join(first.setdefault(value, place), place)


def join_near(
    groups: Groups,
    records: Sequence[Record],
    thumbnails: Thumbnails,
    distance: int,
    correlation: float,
) -> None:
    """Joins kept records whose images are nearly equal.

    Pairs with similar hashes are compared pixel by pixel. Images of the same named person are left
    out: frames of one sequence are alike by nature, and the person is in one split anyway.

    Args:
      groups: to be joined.
      records: of all images.
      thumbnails: gives the images that are to be compared.
      distance: bits in which hashes may differ.
      correlation: least correlation of the pixels, over shifts of one pixel.
    """
    # The hash of an image without contrast is 0, and says nothing.
    kept = np.array(
        [i for i, record in enumerate(records) if record.kept and record.perceptual_hash], np.int64
    )
    hashes = np.array([records[place].perceptual_hash for place in kept], np.uint64)
    numbers: dict[str, int] = {}
    people = np.array(
        [
            -1 if subject is None else numbers.setdefault(subject, len(numbers))
            for subject in (records[place].subject for place in kept)
        ],
        np.int64,
    )
    pairs = kept[similar_pairs(hashes, distance, people if numbers else None)]
    images = _Images(thumbnails, np.unique(pairs))
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[start : start + _PAIRS_AT_ONCE]
        alike = correlations(images(some[:, 0]), images(some[:, 1])) >= correlation
        for first, second in some[alike]:
            groups.join(int(first), int(second))


class _Images:
    """The thumbnails of some places, read once."""

    def __init__(self, thumbnails: Thumbnails, places: np.ndarray):
        self._places = places
        self._images = thumbnails(places.tolist())

    def __call__(self, places: np.ndarray) -> np.ndarray:
        return self._images[np.searchsorted(self._places, places)]


@dataclasses.dataclass(frozen=True)
class Found:
    """What the exact copies of a source, or of all, amount to, before anything is taken out."""

    groups: int
    images: int
    conflicting_labels: int
    across_splits: int

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return dataclasses.asdict(self)


def exact_copies(records: Sequence[Record]) -> Found:
    """Counts the groups of exact copies among all that was read, kept or not."""
    counts = Counter(record.digest for record in records if record.digest is not None)
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.digest is not None and counts[record.digest] > 1:
            groups[record.digest].append(record)
    return Found(
        groups=len(groups),
        images=sum(map(len, groups.values())),
        conflicting_labels=sum(len({one.label for one in group}) > 1 for group in groups.values()),
        across_splits=sum(len({one.split for one in group}) > 1 for group in groups.values()),
    )
