"""The Olivetti faces: 40 people, ten photographs each, 64x64 grey; taken at AT&T in Cambridge.

They are read from what scikit-learn has downloaded (`fetch_olivetti_faces`), or from an `.npz`
with `images` and `labels`; nothing is downloaded here.
"""

import os
from pathlib import Path

import numpy as np

from datasets.resize import convert

HELD_OUT = 10  # people, the last ones
LICENCE = "AT&T Laboratories Cambridge; credit is asked for"


def read_people(
    split: str, data_path: str | os.PathLike[str] | None, size: int | None, channels: int | None
) -> tuple[np.ndarray, list[str]]:
    """The photographs of one split and who is in each; see `datasets.people.load_people`.

    The last ten people are held out: they are both the validation and the test split.

    Raises:
        FileNotFoundError: If there is no such data.
        ValueError: If the file is not of this form.
    """
    if data_path is None:
        raise FileNotFoundError(
            "the Olivetti faces need --data_path: the folder that scikit-learn's "
            "fetch_olivetti_faces has filled, or an .npz with images and labels"
        )
    path = Path(data_path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    images, people = _of_npz(path) if path.suffix == ".npz" else _of_scikit_learn(path)
    names = np.unique(people)
    if len(names) <= HELD_OUT:
        raise ValueError(f"{path} has {len(names)} people; more than {HELD_OUT} are needed")
    wanted = names[:-HELD_OUT] if split == "train" else names[-HELD_OUT:]
    chosen = np.isin(people, wanted)
    square = None if size is None else (size, size)
    converted, _ = convert(images[chosen], square, channels)
    return converted, [f"person {person}" for person in people[chosen]]


def _of_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        if not {"images", "labels"} <= set(file.files):
            raise ValueError(f"{path} holds {', '.join(file.files)}; needed are images and labels")
        images, people = file["images"], file["labels"]
    if images.dtype != np.uint8 or images.ndim != 3 or people.shape != images.shape[:1]:
        raise ValueError(
            f"{path}: images must be uint8 [N, H, W] and labels [N]; got {images.dtype} "
            f"{list(images.shape)} and {list(people.shape)}"
        )
    return images[..., np.newaxis], people.astype(int)


def _of_scikit_learn(path: Path) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import fetch_olivetti_faces

    try:
        faces = fetch_olivetti_faces(data_home=os.fspath(path), download_if_missing=False)
    except OSError as error:
        raise FileNotFoundError(
            f"{path} has no Olivetti faces as scikit-learn keeps them: {error}"
        ) from error
    pixels = np.rint(255 * faces.images).astype(np.uint8)
    return pixels[..., np.newaxis], faces.target.astype(int)
