"""Whether generated faces are copies of training faces."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import pairwise_distances_argmin_min

_AS_NEAR_AS = 0.01  # of held-out faces


def nearest(images: Any, among: Any) -> tuple[np.ndarray, np.ndarray]:
    """For each image the nearest of others, by the Euclidean distance of pixels or features.

    Args:
      images: `[N, ...]`, of any dtype of numbers.
      among: `[M, ...]`, M of 1 or more.

    Returns:
      int `[N]`, its place among them, and float64 `[N]`, its distance.

    Raises:
      ValueError: if images and others have different shapes.
    """
    images, among = np.asarray(images), np.asarray(among)
    if images.shape[1:] != among.shape[1:] or not len(images) or not len(among):
        raise ValueError(
            f"images and others must have one shape, got {list(images.shape)} and "
            f"{list(among.shape)}"
        )
    flat, others = (array.reshape(len(array), -1).astype(np.float32) for array in (images, among))
    places, _ = pairwise_distances_argmin_min(flat, others)
    # Its distances come from a difference of large numbers; a copy's is to be 0.
    differences = flat.astype(np.float64) - others[places]
    return places, np.sqrt((differences**2).sum(axis=1))


def memorisation_figures(generated: Any, held_out: Any, train: Any) -> dict[str, float]:
    """Whether generated images lie nearer to the training images than held-out images do.

    Args:
      generated: `[N, ...]`, pixels or features.
      held_out: `[M, ...]`, real ones that the generator has not seen.
      train: `[K, ...]`, those that it has.

    Returns:
      `nearer`, the probability that a generated one is nearer to its nearest training image than a
      held-out one to its own (ties count half): 0.5 for an ideal generator, 1 for one that copies;
      `copies`, the share of generated ones that are nearer than 99 % of the held-out ones, 0.01 for
      an ideal generator; and the medians `distance` and `held_out_distance`.

    Raises:
      ValueError: if the three have different shapes.

    Source: Meehan, Chaudhuri and Dasgupta 2020, "A non-parametric test to detect data-copying in
    generative models", over all of the space instead of cells; the statistic is Mann and Whitney's.
    """
    return compare_distances(nearest(generated, train)[1], nearest(held_out, train)[1])


def compare_distances(of_generated: np.ndarray, of_held_out: np.ndarray) -> dict[str, float]:
    """`memorisation_figures` of distances to the nearest training image that are known already.

    Args:
      of_generated: `[N]`, of generated images.
      of_held_out: `[M]`, of held-out ones.
    """
    larger = stats.mannwhitneyu(of_held_out, of_generated).statistic
    limit = np.quantile(of_held_out, _AS_NEAR_AS)
    return {
        "nearer": float(larger / (len(of_generated) * len(of_held_out))),
        "copies": float((of_generated < limit).mean()),
        "distance": float(np.median(of_generated)),
        "held_out_distance": float(np.median(of_held_out)),
    }
