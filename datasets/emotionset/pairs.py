"""Pairs of the people whom a built EmotionSet knows by name: those of CK+, JAFFE and MMI."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets.emotionset.built import BuiltSet, built_provenance, find_built, open_split
from datasets.locate import search_folders
from datasets.pairs import NEUTRAL, FacePairs
from datasets.resize import convert


def read_pairs(
    split: str,
    data_path: str | os.PathLike[str] | None,
    image_size: int | None,
    channels: int | None,
) -> FacePairs:
    """The pairs of one split of a built set; its splits share no person.

    Each image of an expression comes with a neutral one of the same person: the one whose key has
    the longest beginning in common, which is that of the same sequence of CK+ and of the same clip
    of MMI; of equal ones the first. MMI has neutral images if it was built with `--mmi_neutral`.
    FER2013 names nobody and gives no pairs.

    Args:
      split: "train", "validation" or "test".
      data_path: a built set, or a folder above it; None: `$BPLF_DATA`, then `./data`.
      image_size: height and width, or None for those of the set.
      channels: 1 or 3, or None.

    Raises:
      FileNotFoundError: there is no built set.
      ValueError: it has no such split, or nobody who is neutral and shows an emotion.
    """
    places = search_folders() if data_path is None else [Path(data_path)]
    size = None if image_size is None else (image_size, image_size)
    built = find_built(places, size, channels)
    if built is None:
        searched = " and ".join(map(str, places))
        raise FileNotFoundError(
            f"no EmotionSet that datasets.build built in or below {searched}; pairs need one with "
            "people: of CK+, JAFFE or MMI"
        )
    return _pairs(built, split, size, channels)


def _pairs(
    built: BuiltSet, split: str, size: tuple[int, int] | None, channels: int | None
) -> FacePairs:
    dataset, info = open_split(built, split)
    classes = tuple(info.features["label"].names)
    examples = [
        (one["key"].decode(), one["subject"].decode(), int(one["label"]), one["image"])
        for one in dataset.as_numpy_iterator()
        if one["subject"]
    ]
    examples.sort(key=lambda one: one[0])
    matched = match(
        [key for key, _, _, _ in examples],
        [person for _, person, _, _ in examples],
        [classes[label] == NEUTRAL for _, _, label, _ in examples],
    )
    if not matched:
        raise ValueError(
            f"{built.path} ({split}) has no person who is neutral in one image and shows an "
            "emotion in another; CK+, JAFFE, and MMI with --mmi_neutral, have such people"
        )
    images = np.stack([image for _, _, _, image in examples])
    images, _ = convert(images, size, channels)
    neutral, expressive = np.array(matched).T
    return FacePairs(
        name="emotionset",
        split=split,
        neutral=images[neutral],
        expressive=images[expressive],
        labels=np.array([examples[place][2] for place in expressive], np.int32),
        people=np.array([examples[place][1] for place in expressive]),
        classes=classes,
        provenance={**built_provenance(built, split), "pairs": len(matched)},
    )


def match(
    keys: Sequence[str], people: Sequence[str], is_neutral: Sequence[bool]
) -> list[tuple[int, int]]:
    """(neutral, expressive) places of images, one pair for each expressive one that has any.

    Args:
      keys: of all images, sorted.
      people: who each shows.
      is_neutral: whether each is neutral.
    """
    neutral_of: dict[str, list[int]] = defaultdict(list)
    for place, person in enumerate(people):
        if is_neutral[place]:
            neutral_of[person].append(place)
    pairs = []
    for place, person in enumerate(people):
        if is_neutral[place] or not neutral_of[person]:
            continue
        common = [_common(keys[neutral], keys[place]) for neutral in neutral_of[person]]
        pairs.append((neutral_of[person][common.index(max(common))], place))
    return pairs


def _common(first: str, second: str) -> int:
    shorter = min(len(first), len(second))
    return next((i for i in range(shorter) if first[i] != second[i]), shorter)
