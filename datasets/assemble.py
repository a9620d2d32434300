"""From the arrays of one split to an `ImageSource`: limit, size, channels and provenance."""

from dataclasses import replace
from typing import Any

import numpy as np

from datasets.resize import convert
from datasets.source import ImageSource


def assemble(
    name: str,
    split: str,
    images: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    provenance: dict[str, Any],
    image_size: tuple[int, int] | None,
    channels: int | None,
    limit: int | None,
) -> ImageSource:
    """Keeps the first `limit` images, converts them, and completes the provenance.

    Args:
        name: Name of the data set.
        split: One of `SPLITS`.
        images: uint8 `[N, H, W, C]`, the whole split.
        labels: Whole numbers `[N]`.
        classes: Names of the labels.
        provenance: What the data set says of itself; the counts and the conversion are added.
        image_size: (height, width) wanted, or None.
        channels: Channels wanted, or None.
        limit: Number of images wanted at most, or None.

    Returns:
        The split, checked.
    """
    # An empty split and wrong labels must reach ImageSource's checks, not stop in here.
    images, labels = images[:limit], np.asarray(labels[:limit], np.int32)
    conversion = None
    if len(images):
        images, conversion = convert(images, image_size, channels)
    source = ImageSource(name, split, images, labels, classes, provenance)
    measured = {
        "images": len(source),
        "class_counts": source.class_counts(),
        "conversion": conversion,
        "limit": limit,
    }
    return replace(source, provenance={**provenance, **measured})
