"""The nearest of other images: whether a generated face is a copy of one."""

from __future__ import annotations

import numpy as np


def nearest_or_mirrored(images: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the nearest of other images is from each image, and which it is.

    The distance is the root of the mean squared difference; of an image and its mirror image, which
    training may have shown, the smaller one counts.

    Args:
      images: uint8 `[B, H, W, C]`.
      among: uint8 `[N, H, W, C]`, N of 1 or more.

    Returns:
      distances in grey levels, float64 `[B]`, and places among the others, int `[B]`.
    """
    from bplf_tf.metrics.memorisation import nearest

    both = np.concatenate([images, images[:, :, ::-1]])
    places, distances = (found.reshape(2, -1) for found in nearest(both, among))
    nearer, every = distances.argmin(axis=0), np.arange(len(images))
    pixels = np.prod(images.shape[1:])
    return distances[nearer, every] / np.sqrt(pixels), places[nearer, every]
