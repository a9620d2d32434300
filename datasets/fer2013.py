"""FER2013 from its official csv: 48x48 grey faces with seven emotions.

Splits: train is `Training`, validation `PublicTest`, test `PrivateTest`. Training images that are
exact copies of an image of the other two, as far as the csv has them, are left out of train (280 of
the PublicTest images are such copies); validation and test are whole and untouched. Images and
labels stay in the csv's order; labels are mapped by name to `EMOTIONS`.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np

from bplf_tf import EMOTIONS
from datasets.assemble import assemble
from datasets.fer2013_csv import CODES, USAGES, Fer2013Rows, read_fer2013_csv
from datasets.locate import CSV_NAMES, find_fer2013_csv, search_folders
from datasets.source import ImageSource

LICENCE = "research use only, not to be redistributed (ICML 2013 challenge; Goodfellow et al.)"
USAGE_OF_SPLIT = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}


def read(
    split: str,
    data_path: str | os.PathLike[str] | None,
    image_size: tuple[int, int] | None,
    channels: int | None,
    limit: int | None,
) -> ImageSource:
    """Reads one split of FER2013; see `datasets.load`.

    Raises:
        FileNotFoundError: If there is no csv at or below `data_path`.
        ValueError: If the csv is not of the official form (with the line), or has no row of the
            split: the csv of the challenge's first phase has no `PrivateTest` rows.
    """
    return read_csv(_csv_path(data_path), split, image_size, channels, limit)


def read_csv(
    path: Path,
    split: str,
    image_size: tuple[int, int] | None,
    channels: int | None,
    limit: int | None,
) -> ImageSource:
    """Reads one split from the csv at `path`; see `read`."""
    rows = read_fer2013_csv(path)
    usage = USAGE_OF_SPLIT[split]
    chosen = np.flatnonzero(rows.usages == USAGES.index(usage))
    if not chosen.size:
        present = [name for code, name in enumerate(USAGES) if (rows.usages == code).any()]
        raise ValueError(
            f"{path} has no rows with Usage {usage}, which are the {split} split; "
            f"it has {', '.join(present)}"
        )
    removed: list[dict[str, Any]] = []
    if split == "train":
        chosen, removed = _without_held_out_copies(rows, chosen)
    label_of_code = np.array([EMOTIONS.index(name) for name in CODES], np.int32)
    provenance = {
        "source": "fer2013",
        "path": str(path.resolve()),
        "md5": rows.md5,
        "split_rule": f"rows with Usage {usage}",
        "removed": removed,
        "licence": LICENCE,
    }
    return assemble(
        "fer2013",
        split,
        rows.images[chosen],
        label_of_code[rows.emotions[chosen]],
        EMOTIONS,
        provenance,
        image_size,
        channels,
        limit,
    )


def _without_held_out_copies(
    rows: Fer2013Rows, chosen: np.ndarray
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Leaves out the rows whose image is, byte for byte, also a held-out one."""
    held_out = np.flatnonzero(rows.usages != USAGES.index("Training"))
    held_out_images = {rows.images[row].tobytes() for row in held_out}
    is_copy = np.array([rows.images[row].tobytes() in held_out_images for row in chosen], bool)
    compared_with = [name for code, name in enumerate(USAGES[1:], 1) if (rows.usages == code).any()]
    removed = {
        "count": int(is_copy.sum()),
        "what": "training images that are exact copies of held-out images",
        "why": "a model must not be measured on images that it was fitted to",
        "compared_with": compared_with,
    }
    return chosen[~is_copy], [removed]


def _csv_path(data_path: str | os.PathLike[str] | None) -> Path:
    folders = search_folders() if data_path is None else [Path(data_path)]
    found = find_fer2013_csv(folders)
    if found is None:
        raise FileNotFoundError(
            f"no FER2013 csv ({' or '.join(CSV_NAMES)}) at or below "
            f"{', '.join(str(folder) for folder in folders)}; give the csv or its folder as "
            f"--data_path. It comes with the Kaggle challenge 'Challenges in Representation "
            f"Learning: Facial Expression Recognition Challenge'."
        )
    return found
