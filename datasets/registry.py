"""`load`: every data set by its name."""

import os
from importlib import import_module

from datasets.source import ImageSource, check_split

# Each module has `read(split, data_path, image_size, channels, limit) -> ImageSource`.
_MODULES = {
    "cifar10": "datasets.cifar10",
    "drawn_faces": "datasets.drawn",
    "emotionset": "datasets.emotionset",
    "fer2013": "datasets.fer2013",
    "folder": "datasets.folder",
    "mnist": "datasets.mnist",
}
NAMES = tuple(_MODULES)


def load(
    name: str,
    split: str,
    data_path: str | os.PathLike[str] | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    limit: int | None = None,
) -> ImageSource:
    """Loads one split of a data set into memory.

    Args:
        name: One of `NAMES`.
        split: "train", "validation" or "test". What they hold is said in the data set's module.
        data_path: Where the data is. fer2013: the csv or its folder. mnist, cifar10: an `.npz`,
            its folder, or TFDS' data directory. folder: the folder. emotionset: a folder to search.
            drawn_faces: TFDS' data directory for the drawn faces. None: the data set's usual place.
        image_size: Pixels per side, or (height, width); images are resized with antialiasing, and
            stretched where the shape differs. None keeps their size.
        channels: 1 (grey) or 3 (RGB). None keeps theirs.
        limit: Keep the first `limit` images of the split. None keeps all.

    Returns:
        The split as an `ImageSource`; its provenance says what was removed and converted.

    Raises:
        ValueError: If an argument or the data is not acceptable; it says what is.
        FileNotFoundError: If the data is not there; it says what was looked for, and where.
    """
    from datasets.resize import check_channels, check_image_size

    if name not in _MODULES:
        raise ValueError(f"there is no data set {name!r}; there are {', '.join(NAMES)}")
    check_split(split)
    size = check_image_size(image_size)
    check_channels(channels)
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ValueError(f"limit must be a whole number of at least 1, or None; got {limit!r}")

    source: ImageSource = import_module(_MODULES[name]).read(
        split, data_path=data_path, image_size=size, channels=channels, limit=limit
    )
    return source
