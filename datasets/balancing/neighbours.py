"""How far generated faces are from real ones, in grey levels, and how far real ones usually are."""

from __future__ import annotations

import numpy as np

from bplf_tf.metrics.memorisation import nearest_or_mirrored

QUANTILE = 0.01
"""Of held-out faces the share that may lie nearer to a training face than a generated one may."""
LEAST = 4.0
"""Grey levels under which two files show one picture, whatever held-out faces do: data may hold
copies of its own training faces."""

_MOST = 1000  # held-out faces that are compared: a quantile needs no more


def grey_levels_apart(images: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the nearest of other images is from each image, and which it is.

    The distance is the root of the mean squared difference; of an image and its mirror image, which
    training may have shown, the smaller one counts.

    Args:
      images: uint8 `[B, H, W, C]`.
      among: uint8 `[N, H, W, C]`, N of 1 or more.

    Returns:
      distances in grey levels, float64 `[B]`, and places among the others, int `[B]`.
    """
    places, distances = nearest_or_mirrored(images, among)
    return distances / np.sqrt(np.prod(images.shape[1:])), places


def usual_distance(held_out: np.ndarray, train: np.ndarray, seed: int) -> float:
    """The distance from training images that nearly all held-out images keep, in grey levels.

    What lies nearer is nearer than faces of other people are: a copy with small changes.

    Args:
      held_out: uint8 `[M, H, W, C]`; of many, some drawn at random.
      train: uint8 `[N, H, W, C]`.
      seed: of the draw.

    Returns:
      the `QUANTILE` of their distances, `LEAST` at least.
    """
    rng = np.random.default_rng(seed)
    some = rng.choice(len(held_out), min(len(held_out), _MOST), replace=False)
    distances, _ = grey_levels_apart(held_out[some], train)
    return max(LEAST, float(np.quantile(distances, QUANTILE)))
