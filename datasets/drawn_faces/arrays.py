"""The drawn faces as arrays in memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from datasets.drawn_faces.parallel import draw_many, label_of
from datasets.drawn_faces.render import check_shape
from datasets.drawn_faces.splits import SPLITS, check_split
from datasets.quiet_tfds import quiet_tfds

if TYPE_CHECKING:
    from datasets.drawn_faces.builder import DrawnFaces

# Up to this many are drawn on the spot rather than preparing the whole data set first.
_FEW = 512


def load_arrays(
    split: str,
    size: int = 48,
    channels: int = 1,
    limit: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Faces and labels of a split, in the order of their seeds.

    The first call draws the whole data set (7,000 + 700 + 700 faces) through the TFDS builder
    into `data_dir`; later ones read it back.  A `limit` of at most 512 does without.

    Args:
        split: "train", "validation" or "test".
        size: height and width in pixels, 16 to 512.
        channels: 1 (grey) or 3 (RGB).
        limit: only the first `limit` faces; any prefix is balanced over the seven labels.
        data_dir: where TFDS keeps prepared data; by default the environment's TFDS_DATA_DIR or
            ~/tensorflow_datasets.

    Returns:
        images uint8 `[N, size, size, channels]` and labels int32 `[N]`, indices into
        `bplf_tf.config.EMOTIONS`.

    Raises:
        ValueError: an argument is not one of those.
    """
    chosen = check_split(split)
    check_shape(size, channels)
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1 or None, got {limit!r}.")
    count = chosen.count if limit is None else min(limit, chosen.count)
    if limit is not None and count <= _FEW:
        faces = draw_many(chosen.first_seed, count, size, channels)
        images = np.stack(list(faces))
    else:
        images = _prepared(split, size, channels, count, data_dir)
    labels = np.array([label_of(index) for index in range(count)], np.int32)
    return images, labels


def _prepared(
    split: str, size: int, channels: int, count: int, data_dir: str | os.PathLike[str] | None
) -> np.ndarray:
    from datasets.drawn_faces.builder import DrawnFaces

    directory = None if data_dir is None else os.fspath(data_dir)
    with quiet_tfds(bars=False):
        builder = DrawnFaces.for_shape(size, channels, directory)
        prepared = builder.is_prepared()
    if not prepared:
        faces = sum(one.count for one in SPLITS.values())
        print(f"Drawing {faces:,} faces into {builder.data_dir}; once, a minute or two", flush=True)
    with quiet_tfds(bars=False):
        builder.download_and_prepare()
        return _read(builder, split, count)


def _read(builder: DrawnFaces, split: str, count: int) -> np.ndarray:
    import tensorflow_datasets as tfds

    found = builder.info.splits[split].num_examples
    if found < count:
        raise RuntimeError(
            f"{builder.data_dir} holds {found} faces in {split}, expected {count}; "
            "remove the directory to draw them again."
        )
    dataset = builder.as_dataset(
        split=f"{split}[:{count}]",
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        shuffle_files=False,
    )
    images = np.empty((count, *builder.info.features["image"].shape), np.uint8)
    place = 0
    for batch in dataset.batch(500).as_numpy_iterator():
        images[place : place + len(batch["image"])] = batch["image"]
        place += len(batch["image"])
    return images
