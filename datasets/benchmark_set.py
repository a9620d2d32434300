"""What MNIST and CIFAR-10 share: where they are found, and how they are split."""

import os
from pathlib import Path
from typing import Any

from datasets.assemble import assemble
from datasets.npz import Parts, read_npz
from datasets.source import ImageSource
from datasets.tfds_parts import read_tfds

VALIDATION_IMAGES = 5000


def read_benchmark_set(
    name: str,
    split: str,
    classes: tuple[str, ...],
    licence: str,
    data_path: str | os.PathLike[str] | None,
    image_size: tuple[int, int] | None,
    channels: int | None,
    limit: int | None,
) -> ImageSource:
    """One split of a data set that has a training and a test part, but no validation part.

    The test split is the official test part, whole and untouched. The validation split is the end
    of the official training part (its last 5,000 images, or its last tenth if that is fewer), and
    the train split is the rest: nothing of the test part is ever seen while a model is chosen.

    Args:
        name: The data set's name, for TFDS too.
        split: One of `SPLITS`.
        classes: Names of the labels.
        licence: For the provenance.
        data_path: An `.npz` (see `read_npz`), a folder with `<name>.npz`, or else TFDS' data
            directory; None is TFDS' default.
        image_size: (height, width) wanted, or None.
        channels: Channels wanted, or None.
        limit: Number of images wanted at most, or None.

    Returns:
        The split.

    Raises:
        FileNotFoundError: If the data is not there, or TFDS cannot download it.
        ValueError: If it is not of the right form.
    """
    parts, provenance = _read_parts(name, classes, None if data_path is None else Path(data_path))
    training_count = len(parts["train"][0])
    held_out = min(VALIDATION_IMAGES, training_count // 10)
    boundary = training_count - held_out
    part, rows = {
        "train": ("train", slice(0, boundary)),
        "validation": ("train", slice(boundary, None)),
        "test": ("test", slice(None)),
    }[split]
    images, labels = (array[rows] for array in parts[part])
    split_rule = {
        "train": f"the official training part without its last {held_out} images",
        "validation": f"the last {held_out} images of the official training part",
        "test": "the official test part",
    }[split]
    provenance |= {"split_rule": split_rule, "removed": [], "licence": licence}
    return assemble(name, split, images, labels, classes, provenance, image_size, channels, limit)


def _read_parts(
    name: str, classes: tuple[str, ...], path: Path | None
) -> tuple[Parts, dict[str, Any]]:
    if path is not None and not path.exists():
        raise FileNotFoundError(
            f"{path} does not exist; for {name} it may be an .npz, a folder that holds {name}.npz, "
            f"or TFDS' data directory"
        )
    npz = path / f"{name}.npz" if path is not None and path.is_dir() else path
    if npz is not None and npz.is_file():
        return read_npz(npz, classes), {"source": f"{name} (.npz)", "path": str(npz.resolve())}
    parts, data_dir = read_tfds(name, path)
    return parts, {"source": f"{name} (TFDS)", "path": data_dir}
