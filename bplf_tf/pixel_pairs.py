"""Checks of pairs of faces, before anything is fitted to them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from bplf_tf.stacking import stacked

_LOOKED_AT = 64  # people, spread over all
_FEWEST = 4  # below this, chance decides
_MOST_SHIFT = 0.06  # of a side, in the median
_DEVIATIONS = 3  # by which pairs must correlate more than strangers, and other poses than none
_ANGLES = (15, -15, 30, -30, 45, -45, 90, -90, 135, -135, 180)  # degrees
_FACTORS = (0.64, 0.8, 1.25, 1.5625)
_GRID = 32  # places to a side at least by which poses are compared; all of a smaller image's


def check_images(name: str, images: Any, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Images as an array, uint8 `[N, H, W, C]`.

    Args:
      name: what to call them in an error.
      images: what was given.
      shape: (H, W, C) that they must have, or None for any.

    Raises:
      ValueError: for another dtype or shape, images of different shapes, or none of them.
    """
    array = stacked(name, images)
    if array.dtype != np.uint8:
        raise ValueError(f"{name} must be uint8 in 0..255, got dtype {array.dtype}")
    expected = "H, W, C" if shape is None else ", ".join(map(str, shape))
    if array.ndim != 4 or not array.size or (shape is not None and array.shape[1:] != shape):
        raise ValueError(f"{name} must have shape [N, {expected}], got {list(array.shape)}")
    return array


def pairs_by_label(
    neutral: Any, expressive: Mapping[str, Any], neutral_name: str
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Neutral and expressive images of each label, all of one shape (H, W, C).

    Args:
      neutral: uint8 `[N, H, W, C]`, or such images by label.
      expressive: uint8 `[M, H, W, C]` by label.
      neutral_name: a label that cannot be among them.

    Raises:
      ValueError: for no label, that label, one without neutral images, or images that do not fit.
    """
    if not isinstance(expressive, Mapping) or not expressive:
        raise ValueError("expressive must map at least one label to images")
    if neutral_name in expressive:
        raise ValueError(f"{neutral_name!r} is what every expression starts from, and not fitted")
    if isinstance(neutral, Mapping):
        if missing := sorted(set(expressive) - set(neutral)):
            raise ValueError(f"there are no neutral images for {missing[0]!r}")
        neutrals = {
            label: check_images(f"neutral images of {label!r}", neutral[label])
            for label in expressive
        }
    else:
        neutrals = dict.fromkeys(expressive, check_images("neutral images", neutral))
    shape = next(iter(neutrals.values())).shape[1:]
    for label, images in neutrals.items():
        check_images(f"neutral images of {label!r}", images, shape)
    return {
        label: (neutrals[label], check_images(f"images of {label!r}", images, shape))
        for label, images in expressive.items()
    }


def check_pairs(
    neutral: np.ndarray, expressive: np.ndarray, label: str, people: Any = None
) -> None:
    """Checks that images are pairs: of the same people, in the same places.

    Args:
      neutral: uint8 `[N, H, W, C]`.
      expressive: the same shape.
      label: of the expressive ones, for errors.
      people: `[N]`, who is in each pair; by default equal neutral images are of one person.

    Raises:
      ValueError: if a face resembles those of other people as much as the one it is paired with, or
        if faces of a pair are moved, turned or mirrored against each other, or of different size,
        by more than some 8 degrees or an eighth. Fewer than four people tell none of it.
    """
    if people is None:
        people = [zlib.crc32(image.tobytes()) for image in neutral]
    _, firsts = np.unique(np.asarray(people), return_index=True)
    if len(firsts) < _FEWEST:
        return
    chosen = firsts[np.linspace(0, len(firsts) - 1, min(len(firsts), _LOOKED_AT)).astype(int)]
    before, after = (_standardised(images[chosen]) for images in (neutral, expressive))
    if not before.any() or not after.any():
        return  # all faces are equal: nothing can be told
    own = _correlations(before, after)
    strangers = np.mean(
        [
            _correlations(before, np.roll(after, k, axis=0)).mean()
            for k in range(1, min(len(before), 9))
        ]
    )
    chance = max(0.03, float(own.std()) / len(own) ** 0.5)
    if own.mean() <= strangers + _DEVIATIONS * chance:
        raise ValueError(
            f"neutral and {label!r} are not pairs: an image correlates with the one beside it by "
            f"{own.mean():.2f}, with those of others by {strangers:.2f}. The k-th of both must "
            "show the same person; for images without pairs there is fit_unpaired"
        )
    if how := _moved(before, after):
        raise ValueError(
            f"neutral and {label!r} are not aligned: in the median pair the faces match best when "
            f"the one of {label!r} is {how}. Each pixel sees the pixel at its own place, so eyes "
            "and mouth have to stay where they are"
        )


def _standardised(images: np.ndarray) -> np.ndarray:
    """What sets each image apart from the mean of all, `[N, H, W]`, of unit norm (or zero)."""
    grey = images.mean(axis=-1, dtype=np.float64)
    apart = grey - grey.mean(axis=0)
    return _of_unit_norm(apart - apart.mean(axis=(1, 2), keepdims=True))


def _of_unit_norm(images: np.ndarray) -> np.ndarray:
    """Each of `[N, H, W]` divided by its norm; zero where that is."""
    norm = np.sqrt((images**2).sum(axis=(1, 2), keepdims=True))
    return np.where(norm > 1e-9, images / np.maximum(norm, 1e-9), 0.0)


def _correlations(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Of each pair of images of unit norm, `[N]`."""
    return (before * after).sum(axis=(1, 2))


def _moved(before: np.ndarray, after: np.ndarray) -> str:
    """In words, how `after` matches better than as it is; empty if nothing is far from that."""
    how, turned, own = _best_pose(before, after)
    gains = turned - own
    chance = gains.std() / len(gains) ** 0.5
    is_turned = np.median(gains) > 0 and gains.mean() > _DEVIATIONS * chance
    shifts, shifted = _shifts(before, after)
    rows, columns = np.median(np.abs(shifts), axis=0)
    is_shifted = (np.array([rows, columns]) > _MOST_SHIFT * np.array(before.shape[1:])).any()
    if is_shifted and not (is_turned and turned.mean() > shifted.mean()):
        return f"moved by {rows:.0f} pixels up or down and {columns:.0f} sideways"
    return how if is_turned else ""


def _shifts(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns by which each of `after` is moved, `[N, 2]`, and how well it fits then."""
    spectrum = np.conj(np.fft.rfft2(before)) * np.fft.rfft2(after)
    correlation = np.fft.irfft2(spectrum, s=before.shape[1:])
    height, width = before.shape[1:]
    correlation = correlation.reshape(len(before), -1)
    best = correlation.argmax(axis=1)
    rows, columns = best // width, best % width
    rows = np.where(rows > height // 2, rows - height, rows)
    columns = np.where(columns > width // 2, columns - width, columns)
    return np.stack([rows, columns], axis=1), correlation.max(axis=1)


def _best_pose(before: np.ndarray, after: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    """In words, the pose of `after` that fits best, how well in each pair, `[N]`, and as it is."""
    poses = {f"turned by {angle} degrees": _rotation(angle) for angle in _ANGLES}
    poses |= {f"made {factor:g} times as large": np.eye(2) / factor for factor in _FACTORS}
    poses["mirrored"] = np.diag([1.0, -1.0])
    upright = np.eye(2)
    at_grid = _in_pose(before, upright)
    fits = {how: _correlations(at_grid, _in_pose(after, pose)) for how, pose in poses.items()}
    best = max(fits, key=lambda how: float(np.median(fits[how])))
    return best, fits[best], _correlations(at_grid, _in_pose(after, upright))


def _rotation(degrees: float) -> np.ndarray:
    """`[2, 2]` of rows and columns, counterclockwise to the eye."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cosine, sine], [-sine, cosine]])


def _in_pose(images: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Pixels of a grid from where `pose` puts them, the middle being 0; of unit norm, `[N, h, w]`.

    Every pixel of small images; of larger ones some, since a pose shows in coarse pictures, too.
    """
    sides = np.array(images.shape[1:])
    middle = (sides - 1)[:, None, None] / 2
    step = max(1, int(sides.min()) // _GRID)
    grid = np.indices(images.shape[1:])[:, step // 2 :: step, step // 2 :: step]
    places = np.rint(np.tensordot(pose, grid - middle, axes=1) + middle).astype(int)
    rows, columns = np.clip(places, 0, sides[:, None, None] - 1)
    inside = (places == np.stack([rows, columns])).all(axis=0)
    return _of_unit_norm(images[:, rows, columns] * inside)
