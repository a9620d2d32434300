"""The drawn faces as an `ImageSource`; `datasets.drawn_faces` draws them."""

import os
from typing import Any

from bplf_tf import EMOTIONS
from datasets.assemble import assemble
from datasets.source import ImageSource

SIDE = 48
LICENCE = "drawn by this project; Apache-2.0"


def read(
    split: str,
    data_path: str | os.PathLike[str] | None,
    image_size: tuple[int, int] | None,
    channels: int | None,
    limit: int | None,
) -> ImageSource:
    """Reads one split of the drawn faces; see `datasets.load`.

    They are drawn at the size asked for, not resized; only for sides that differ are they drawn
    square, at the longer one, and then stretched.
    """
    from datasets.drawn_faces import load_arrays

    side = SIDE if image_size is None else max(image_size)
    images, labels = load_arrays(
        split, size=side, channels=channels or 1, limit=limit, data_dir=data_path
    )
    provenance: dict[str, Any] = {
        "source": "drawn_faces",
        "path": None if data_path is None else str(data_path),
        "split_rule": "each split is drawn from seeds of its own",
        "removed": [],
        "licence": LICENCE,
    }
    return assemble(
        "drawn_faces", split, images, labels, EMOTIONS, provenance, image_size, channels, limit
    )
