"""Labelled images from an `.npz`, in either of the two layouts that are in use."""

import zipfile
from pathlib import Path

import numpy as np

Parts = dict[str, tuple[np.ndarray, np.ndarray]]

KERAS_KEYS = ("x_train", "y_train", "x_test", "y_test")
SPLIT_KEYS = ("images", "labels", "split")


def read_npz(path: Path, classes: tuple[str, ...]) -> Parts:
    """Reads the training and the test part of an `.npz`.

    Args:
        path: The file. Either with the arrays `x_train`, `y_train`, `x_test`, `y_test`, as Keras
            caches its data sets, or with `images`, `labels` and `split` (0 training, 1 test).
            Images are uint8 `[N, H, W]` or `[N, H, W, C]`, labels whole numbers `[N]` or `[N, 1]`.
            With a `class_names` array, labels are mapped to `classes` by name.
        classes: The names of the classes, in the order wanted.

    Returns:
        "train" and "test", each as (uint8 `[N, H, W, C]`, int32 `[N]`).

    Raises:
        ValueError: If it is not such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a readable .npz: {error}") from error

    if set(KERAS_KEYS) <= set(arrays):
        parts = {
            part: (arrays[f"x_{part}"], arrays[f"y_{part}"].reshape(-1))
            for part in ("train", "test")
        }
    elif set(SPLIT_KEYS) <= set(arrays):
        parts = _by_split(path, *(arrays[key] for key in SPLIT_KEYS))
    else:
        raise ValueError(
            f"{path} holds the arrays {', '.join(sorted(arrays))}; needed are "
            f"{', '.join(KERAS_KEYS)}, or {', '.join(SPLIT_KEYS)} (0 training, 1 test)"
        )
    return {
        part: _check(path, images, labels, classes, arrays.get("class_names"))
        for part, (images, labels) in parts.items()
    }


def _by_split(path: Path, images: np.ndarray, labels: np.ndarray, split: np.ndarray) -> Parts:
    if not len(images) == len(labels) == len(split):
        raise ValueError(
            f"{path}: images, labels and split must be equally many; "
            f"got {len(images)}, {len(labels)} and {len(split)}"
        )
    if not np.isin(split, (0, 1)).all():
        raise ValueError(f"{path}: split must be 0 (training) or 1 (test); got {np.unique(split)}")
    labels = labels.reshape(-1)
    return {
        part: (images[split == code], labels[split == code])
        for part, code in (("train", 0), ("test", 1))
    }


def _check(
    path: Path,
    images: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    class_names: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise ValueError(
            f"{path}: images must be uint8 [N, H, W] or [N, H, W, C]; "
            f"got {images.dtype} {list(images.shape)}"
        )
    if len(images) != len(labels):
        raise ValueError(
            f"{path}: images and labels must be equally many; got {len(images)} and {len(labels)}"
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{path}: labels must be whole numbers; got {labels.dtype}")
    names = list(classes) if class_names is None else [str(name) for name in class_names]
    unknown = sorted(set(names) - set(classes))
    if unknown:
        raise ValueError(
            f"{path}: unknown class names {unknown}; accepted are {', '.join(classes)}"
        )
    wrong = labels[(labels < 0) | (labels >= len(names))]
    if wrong.size:
        raise ValueError(f"{path}: labels must be 0 to {len(names) - 1}; got {wrong[0]}")
    order = np.array([classes.index(name) for name in names], np.int32)
    return images if images.ndim == 4 else images[..., np.newaxis], order[labels]
