"""A folder of images, one sub-folder per class: `class/*.png`, jpg and so on.

Classes are the sorted names of the sub-folders. Two layouts are accepted:

* `class/…`: the images are split by a hash of their file name, about 80 % train, 10 % validation,
  10 % test; the split of an image does not change when others are added or removed.
* `train/class/…`, `validation/class/…` (or `val`, `valid`) and `test/class/…`: taken as they are.
  Without a validation folder, about a tenth of train is taken for it, by the same hash.

Images that are copies of each other under different names are not looked for.
"""

import hashlib
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from datasets.assemble import assemble
from datasets.resize import resize_picture
from datasets.source import ImageSource

SUFFIXES = (
    ".bmp",
    ".gif",
    ".jpeg",
    ".jpg",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)
SPLIT_FOLDERS = {
    "train": ("train",),
    "validation": ("validation", "val", "valid"),
    "test": ("test",),
}
LICENCE = "not stated: the user's own images"


def read(
    split: str,
    data_path: str | os.PathLike[str] | None,
    image_size: tuple[int, int] | None,
    channels: int | None,
    limit: int | None,
) -> ImageSource:
    """Reads one split of a folder of images; see `datasets.load`.

    Args:
        split: One of `SPLITS`.
        data_path: The folder.
        image_size: (height, width); images are resized to it one by one. None needs images that
            are all of one size.
        channels: 1 or 3; None is 1 if every image of the split is grey, else 3.
        limit: Number of images wanted at most, or None. The classes come in turn, so that the first
            images are not all of one class.

    Returns:
        The split. Pictures are turned upright by their EXIF orientation, 16-bit grey becomes 8-bit
        by its high byte, and an alpha channel is dropped.

    Raises:
        FileNotFoundError: If `data_path` is missing.
        ValueError: If there are no class folders, a class or the split has no images, an image
            cannot be read (with its path), or sizes differ and no `image_size` is given.
    """
    if data_path is None:
        raise ValueError("the data set 'folder' needs --data_path, a folder with class/*.png")
    root = Path(data_path)
    if not root.exists():
        raise FileNotFoundError(f"{root} does not exist; looked for a folder with class/*.png")
    if not root.is_dir():
        raise ValueError(f"{root} is a file; needed is a folder with class/*.png")

    classes, files, split_rule = _files_of_split(root, split)
    if not files:
        raise ValueError(
            f"{root}: no images for the {split} split ({split_rule}); "
            f"add images, or give it its own folder {root / split}/class/*.png"
        )
    files = files[:limit]
    pictures = [decode(path, image_size) for path, _ in files]
    if channels is None:
        channels = 1 if all(picture.ndim == 2 for picture in pictures) else 3
    images = _stack(pictures, [path for path, _ in files], channels)
    provenance: dict[str, Any] = {
        "source": "folder",
        "path": str(root.resolve()),
        "split_rule": split_rule,
        "removed": [],
        "licence": LICENCE,
        "decoding": {
            "image_size": "as the files have it" if image_size is None else list(image_size),
            "filter": "lanczos",
            "channels": channels,
            "grey_files": sum(picture.ndim == 2 for picture in pictures),
        },
    }
    labels = np.array([classes.index(name) for _, name in files], np.int32)
    return assemble(
        "folder", split, images, labels, classes, provenance, image_size, channels, limit
    )


File = tuple[Path, str]  # an image, and the name of its class


def _files_of_split(root: Path, split: str) -> tuple[tuple[str, ...], list[File], str]:
    """The classes of the folder, the files of the split, and the rule that chose them."""
    split_folders = _split_folders(root)
    files = {name: _class_files(path) for name, path in (split_folders or {"": root}).items()}
    classes = _classes(root, files)
    if not split_folders:
        share = {"train": range(80), "validation": range(80, 90), "test": range(90, 100)}[split]
        chosen = [file for file in _in_turn(files[""]) if _percentile(file[0]) in share]
        return classes, chosen, "by a hash of the file name: 80 % train, 10 % validation, 10 % test"

    if split in split_folders and (split != "train" or "validation" in split_folders):
        return classes, _in_turn(files[split]), f"the folder {split_folders[split].name}"
    if split == "test":
        return classes, [], "there is no folder test beside train"
    chosen = [
        file
        for file in _in_turn(files["train"])
        if (_percentile(file[0]) >= 90) == (split == "validation")
    ]
    return (
        classes,
        chosen,
        ("of the folder train, by a hash of the file name: 90 % train, 10 % validation"),
    )


def _split_folders(root: Path) -> dict[str, Path]:
    """The folder of each split, or nothing if the folders of `root` are classes.

    A class may be called train as well: a split folder has folders in it, a class has images.
    """
    found = {
        split: root / name
        for split, names in SPLIT_FOLDERS.items()
        for name in names
        if (root / name).is_dir() and _folders(root / name)
    }
    return found if "train" in found else {}


def _class_files(folder: Path) -> dict[str, list[Path]]:
    """The images of each class folder, sorted by name."""
    return {
        class_folder.name: sorted(
            path
            for path in class_folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        )
        for class_folder in _folders(folder)
    }


def _classes(root: Path, files: dict[str, dict[str, list[Path]]]) -> tuple[str, ...]:
    """The sorted class names over all split folders, each of which must have an image somewhere."""
    classes = sorted({name for by_class in files.values() for name in by_class})
    if not classes:
        raise ValueError(f"{root} has no class folders; expected are images in {root}/class/")
    for name in classes:
        if not any(by_class.get(name) for by_class in files.values()):
            raise ValueError(
                f"the class folder {name} in {root} has no images; read are {', '.join(SUFFIXES)}"
            )
    return tuple(classes)


def _in_turn(by_class: dict[str, list[Path]]) -> list[File]:
    """The first image of each class, then the second of each, and so on."""
    ranked = [
        (rank, name, path) for name, paths in by_class.items() for rank, path in enumerate(paths)
    ]
    return [(path, name) for _, name, path in sorted(ranked)]


def _percentile(path: Path) -> int:
    """0 to 99, from the file name alone."""
    return int.from_bytes(hashlib.sha256(path.name.encode()).digest()[:8], "big") % 100


def _folders(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def decode(path: Path, image_size: tuple[int, int] | None = None) -> np.ndarray:
    """uint8 `[H, W]` of a grey file, `[H, W, 3]` of any other; upright, without transparency.

    Raises:
        ValueError: If it cannot be read; names the file.
    """
    try:
        with warnings.catch_warnings():
            # Pillow only warns of images that are large, but not yet enormous.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                picture = ImageOps.exif_transpose(file)
        if picture.mode.startswith("I;16"):
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        elif picture.mode in ("I", "F"):
            raise ValueError(f"32-bit pixels (mode {picture.mode}) are not supported")
        is_grey = picture.mode in ("1", "L", "LA", "La")
        picture = picture.convert("L" if is_grey else "RGB")
        if image_size is not None:
            picture = resize_picture(picture, image_size)
        return np.asarray(picture)
    except Exception as error:  # Pillow's file plugins let errors of many kinds through
        raise ValueError(f"cannot read the image {path}: {error}") from error


def _stack(pictures: list[np.ndarray], paths: list[Path], channels: int) -> np.ndarray:
    """uint8 `[N, H, W, channels]`."""
    first = pictures[0].shape[:2]
    for picture, path in zip(pictures, paths, strict=True):
        if picture.shape[:2] != first:
            raise ValueError(
                f"the images have several sizes: {paths[0]} is {first[0]}x{first[1]} (height x "
                f"width), {path} is {picture.shape[0]}x{picture.shape[1]}; give --image_size"
            )
    return np.stack([_with_channels(picture, channels) for picture in pictures])


def _with_channels(picture: np.ndarray, channels: int) -> np.ndarray:
    converted = np.asarray(Image.fromarray(picture).convert("L" if channels == 1 else "RGB"))
    return converted.reshape(*picture.shape[:2], channels)
