"""What every data set is turned into: images, labels, class names, and where they came from."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SPLITS = ("train", "validation", "test")
CHANNELS = (1, 3)


@dataclass(frozen=True, eq=False)
class ImageSource:
    """One split of a labelled set of images, checked when it is made.

    Args:
        name: Name of the data set, as `datasets.load` knows it.
        split: One of `SPLITS`.
        images: uint8 `[N, H, W, C]`, N at least 1, C 1 (grey) or 3 (RGB).
        labels: int32 `[N]`, each an index into `classes`.
        classes: Different, non-empty names; the label of a class is its position.
        provenance: A JSON-able dict that says what was read from where, what was removed, converted
            or left out, and under which licence it comes.

    Raises:
        ValueError: If one of these is not so; the message says what was given.

    The arrays are kept as read-only views, so nothing downstream changes what was loaded.
    """

    name: str
    split: str
    images: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    classes: tuple[str, ...]
    provenance: dict[str, Any] = field(repr=False)

    def __post_init__(self) -> None:
        where = f"{self.name} ({self.split})"
        check_split(self.split)
        _check_images(self.images, where)
        _check_classes(self.classes, where)
        _check_labels(self.labels, len(self.images), self.classes, where)
        _check_provenance(self.provenance, where)
        object.__setattr__(self, "images", _read_only(self.images))
        object.__setattr__(self, "labels", _read_only(self.labels))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        height, width, channels = self.images.shape[1:]
        return height, width, channels

    def class_counts(self) -> dict[str, int]:
        """The number of images of each class, in the order of `classes`."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return {name: int(count) for name, count in zip(self.classes, counts, strict=True)}


def check_split(split: str) -> None:
    """Raises ValueError if `split` is not one of `SPLITS`."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}")


def _check_images(images: np.ndarray, where: str) -> None:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        raise ValueError(f"{where}: images must be a uint8 array; got {_describe(images)}")
    if images.ndim != 4:
        raise ValueError(f"{where}: images must have shape [N, H, W, C]; got {_describe(images)}")
    if len(images) == 0:
        raise ValueError(f"{where}: there are no images")
    if 0 in images.shape or images.shape[-1] not in CHANNELS:
        raise ValueError(
            f"{where}: images must have a height and width of at least 1 and 1 (grey) or 3 (RGB) "
            f"channels; got {_describe(images)}"
        )


def _check_classes(classes: tuple[str, ...], where: str) -> None:
    is_tuple = isinstance(classes, tuple) and all(isinstance(name, str) for name in classes)
    if not is_tuple or not classes or "" in classes or len(set(classes)) != len(classes):
        raise ValueError(
            f"{where}: classes must be a tuple of at least one different, non-empty name; "
            f"got {classes!r}"
        )


def _check_labels(
    labels: np.ndarray, image_count: int, classes: tuple[str, ...], where: str
) -> None:
    if not isinstance(labels, np.ndarray) or labels.dtype != np.int32:
        raise ValueError(f"{where}: labels must be an int32 array; got {_describe(labels)}")
    if labels.shape != (image_count,):
        raise ValueError(
            f"{where}: labels must have shape [{image_count}], one per image; "
            f"got {_describe(labels)}"
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= len(classes)))
    if wrong.size:
        raise ValueError(
            f"{where}: labels must be 0 to {len(classes) - 1} (classes {', '.join(classes)}); "
            f"{wrong.size} are not, the first is {labels[wrong[0]]} at position {wrong[0]}"
        )


def _check_provenance(provenance: dict[str, Any], where: str) -> None:
    try:
        json.dumps(provenance)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: provenance must be JSON-able: {error}") from error
    if not isinstance(provenance, dict):
        raise ValueError(f"{where}: provenance must be a dict; got {type(provenance).__name__}")


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    return type(value).__name__
