"""MNIST: 28x28 grey digits, from TFDS or an `.npz`.

Splits: train is the official training part without its last 5,000 images (55,000), validation those
5,000, test the official test part (10,000).
"""

import os

from datasets.benchmark_set import read_benchmark_set
from datasets.source import ImageSource

CLASSES = tuple(str(digit) for digit in range(10))
LICENCE = "CC BY-SA 3.0 (Yann LeCun, Corinna Cortes)"


def read(
    split: str,
    data_path: str | os.PathLike[str] | None,
    image_size: tuple[int, int] | None,
    channels: int | None,
    limit: int | None,
) -> ImageSource:
    """Reads one split of MNIST; see `datasets.load` and `read_benchmark_set`."""
    return read_benchmark_set(
        "mnist", split, CLASSES, LICENCE, data_path, image_size, channels, limit
    )
