"""Pairs of faces: the same person, neutral and showing an emotion."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bplf_tf.config import EMOTIONS
from datasets.source import check_split

NEUTRAL = "neutral"
NAMES = ("drawn_faces", "emotionset")


@dataclass(frozen=True, eq=False)
class FacePairs:
    """Pairs of one split, checked when they are made; no person is in two splits.

    Args:
        name: Name of the data set.
        split: One of `datasets.SPLITS`.
        neutral: uint8 `[N, H, W, C]`, N at least 1.
        expressive: uint8 `[N, H, W, C]`, the k-th of the person of the k-th neutral one.
        labels: int32 `[N]`, the emotion of each expressive one, an index into `classes`.
        people: `[N]` strings.
        classes: Names of the labels, "neutral" among them.
        provenance: A JSON-able dict, as that of an `ImageSource`.

    Raises:
        ValueError: If one of these is not so; the message says what was given.
    """

    name: str
    split: str
    neutral: np.ndarray = field(repr=False)
    expressive: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    people: np.ndarray = field(repr=False)
    classes: tuple[str, ...]
    provenance: dict[str, Any] = field(repr=False)

    def __post_init__(self) -> None:
        where = f"{self.name} ({self.split})"
        check_split(self.split)
        for what, images in (("neutral", self.neutral), ("expressive", self.expressive)):
            if images.dtype != np.uint8 or images.ndim != 4 or not images.size:
                raise ValueError(
                    f"{where}: {what} images must be uint8 [N, H, W, C] with N of at least 1; got "
                    f"{images.dtype} {list(images.shape)}"
                )
        count = len(self.neutral)
        if self.neutral.shape != self.expressive.shape:
            raise ValueError(
                f"{where}: pairs need images of one shape; got neutral {list(self.neutral.shape)} "
                f"and expressive {list(self.expressive.shape)}"
            )
        if self.labels.shape != (count,) or self.people.shape != (count,):
            raise ValueError(
                f"{where}: labels and people must have shape [{count}]; got "
                f"{list(self.labels.shape)} and {list(self.people.shape)}"
            )
        if NEUTRAL not in self.classes:
            raise ValueError(f"{where}: classes must have {NEUTRAL!r}; got {self.classes}")
        wrong = (self.labels < 0) | (self.labels >= len(self.classes))
        if wrong.any() or (self.labels == self.classes.index(NEUTRAL)).any():
            raise ValueError(f"{where}: a pair's label must be an expression of {self.classes}")
        json.dumps(self.provenance)

    def __len__(self) -> int:
        return len(self.neutral)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        height, width, channels = self.neutral.shape[1:]
        return height, width, channels

    @property
    def expressions(self) -> tuple[str, ...]:
        """The names of the labels that there are pairs of."""
        return tuple(self.classes[label] for label in np.unique(self.labels))

    def of(self, expression: str, limit: int | None = None) -> FacePairs:
        """The pairs of one expression, the first `limit` of them.

        Raises:
            ValueError: If there are none.
        """
        chosen = np.flatnonzero(self.labels == self.classes.index(expression))[:limit]
        return self.chosen(chosen)

    def chosen(self, places: Sequence[int] | np.ndarray) -> FacePairs:
        """Some of the pairs."""
        arrays = {
            name: getattr(self, name)[places]
            for name in ("neutral", "expressive", "labels", "people")
        }
        return replace(self, **arrays)


def load_pairs(
    name: str,
    split: str,
    data_path: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    channels: int | None = None,
    people: int | None = None,
    align: bool = True,
    style: str = "photograph",
) -> FacePairs:
    """Loads the pairs of one split into memory.

    Args:
        name: One of `NAMES`.
        split: "train", "validation" or "test".
        data_path: emotionset: what `datasets.build` built, or a folder above it; by default
            `$BPLF_DATA`, then `./data`. drawn_faces: drawn anew, nothing is read.
        image_size: Height and width; by default 48 for drawn faces, that of the files for others.
        channels: 1 (grey) or 3 (RGB); by default grey, or that of the files.
        people: The first so many people of the split; by default 300 drawn ones, or all.
        align: drawn_faces: Whether all eyes lie in one place. What was built is aligned as its
            detector aligned it.
        style: drawn_faces: See `datasets.drawn_faces.styles`.

    Raises:
        ValueError: If an argument is not acceptable, or the data has no pairs.
        FileNotFoundError: If the data is not there; it says what was looked for, and where.
    """
    check_split(split)
    if people is not None and people < 1:
        raise ValueError(f"people must be a positive number, or None; got {people}")
    if name == "drawn_faces":
        from datasets.drawn_faces.pairs import draw_pairs

        return draw_pairs(split, people or 300, image_size or 48, channels or 1, align, style)
    if name != "emotionset":
        raise ValueError(f"there are no pairs of {name!r}; there are of {', '.join(NAMES)}")
    if not align or style != "photograph":
        raise ValueError("another alignment and another style are there for drawn faces alone")
    from datasets.emotionset.pairs import read_pairs

    pairs = read_pairs(split, data_path, image_size, channels)
    if people is None:
        return pairs
    kept = sorted(set(pairs.people.tolist()))[:people]
    return pairs.chosen(np.flatnonzero(np.isin(pairs.people, kept)))


def expression_labels(classes: Sequence[str] = EMOTIONS) -> list[int]:
    """The labels that are not neutral."""
    return [label for label, name in enumerate(classes) if name != NEUTRAL]
