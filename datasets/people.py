"""Photographs of people of whom it is known who they are, whatever they show."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from datasets.source import ImageSource, check_split

NAMES = ("drawn_faces", "olivetti")


def load_people(
    name: str,
    split: str,
    data_path: str | os.PathLike[str] | None = None,
    people: int = 300,
    photographs: int = 10,
    image_size: int | None = None,
    channels: int | None = None,
) -> ImageSource:
    """Loads photographs whose classes are people; no person is in two splits.

    Args:
        name: One of `NAMES`.
        split: "train", "validation" or "test".
        data_path: olivetti: what scikit-learn downloaded, or an `.npz`. drawn_faces: drawn anew.
        people: drawn_faces: how many.
        photographs: drawn_faces: of each.
        image_size: Height and width; by default 48 for drawn faces, that of the files for others.
        channels: 1 (grey) or 3 (RGB); by default grey.

    Raises:
        ValueError: If an argument or the data is not acceptable.
        FileNotFoundError: If the data is not there.
    """
    check_split(split)
    if name not in NAMES:
        raise ValueError(f"there are no people of {name!r}; there are of {', '.join(NAMES)}")
    provenance: dict[str, Any] = {"source": name}
    if name == "drawn_faces":
        from datasets.drawn import LICENCE
        from datasets.drawn_faces.people import draw_people

        images, who = draw_people(split, people, photographs, image_size or 48, channels or 1)
        provenance |= {"photographs_each": photographs, "licence": LICENCE}
    else:
        from datasets.olivetti import LICENCE, read_people

        images, who = read_people(split, data_path, image_size, channels)
        provenance |= {"path": str(data_path), "licence": LICENCE}
    names, labels = np.unique(who, return_inverse=True)
    return ImageSource(
        name, split, images, labels.astype(np.int32), tuple(map(str, names)), provenance
    )
