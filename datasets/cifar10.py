"""CIFAR-10: 32x32 colour pictures of ten kinds of things, from TFDS or an `.npz`.

Splits: train is the official training part without its last 5,000 images (45,000), validation those
5,000, test the official test part (10,000). Of an `.npz` with fewer than 50,000 training images,
validation is the last tenth.
"""

import os

from datasets.benchmark_set import read_benchmark_set
from datasets.source import ImageSource

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
LICENCE = "no licence stated by its authors (Krizhevsky, 2009); they ask to be cited"


def read(
    split: str,
    data_path: str | os.PathLike[str] | None,
    image_size: tuple[int, int] | None,
    channels: int | None,
    limit: int | None,
) -> ImageSource:
    """Reads one split of CIFAR-10; see `datasets.load` and `read_benchmark_set`."""
    return read_benchmark_set(
        "cifar10", split, CLASSES, LICENCE, data_path, image_size, channels, limit
    )
