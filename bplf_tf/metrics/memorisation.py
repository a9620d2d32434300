"""Whether generated faces are copies of training faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import pairwise_distances_argmin_min

from bplf_tf.metrics.confidence import share_interval

_AS_NEAR_AS = 0.01  # of held-out faces
_RESAMPLES = 1000


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


def nearest_or_mirrored(images: Any, among: Any) -> tuple[np.ndarray, np.ndarray]:
    """The same of images or their mirror images, whichever is nearer.

    What was trained with mirrored images may have learned those by heart.

    Args:
      images: `[N, H, W, C]`.
      among: `[M, H, W, C]`, M of 1 or more.

    Returns:
      int `[N]`, its place among them, and float64 `[N]`, its distance.
    """
    images = np.asarray(images)
    both = np.concatenate([images, images[:, :, ::-1]])
    places, distances = (found.reshape(2, -1) for found in nearest(both, among))
    nearer, every = distances.argmin(axis=0), np.arange(len(images))
    return places[nearer, every], distances[nearer, every]


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


def memorised_over_seeds(
    of_generated: Sequence[np.ndarray], of_held_out: np.ndarray, seed: int = 0
) -> dict[str, Any]:
    """`compare_distances` of several sets of generated images, with 95 % confidence intervals.

    Generated images and held-out ones vary, and both count.

    Args:
      of_generated: distances of each set, `[N]`, all N equal.
      of_held_out: of held-out images, `[M]`.
      seed: of the bootstrap's draws.

    Returns:
      `nearer` and `copies`, each with its `mean` over the sets, `interval` and `values`; the means
      of the medians, `distance` and `held_out_distance`.

    Source: of `nearer` the variance of DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44(3).
    """
    of_sets = [compare_distances(distances, of_held_out) for distances in of_generated]
    every = np.concatenate(of_generated)
    fewest = min(len(every), len(of_held_out))
    # What each generated one says, and each held-out one: in which share of its pairs the generated
    # one is nearer.
    by_generated = _share_above(of_held_out, every)
    by_held_out = 1 - _share_above(every, of_held_out)
    variance = _variance_of_mean(by_generated) + _variance_of_mean(by_held_out)
    nearer = float(by_generated.mean())
    # The limit that copies are told by is one of few held-out distances, and varies much.
    drawn = np.random.default_rng(seed).choice(of_held_out, (_RESAMPLES, len(of_held_out)))
    limits = np.quantile(drawn, _AS_NEAR_AS, axis=1)
    below = np.searchsorted(np.sort(every), limits) / len(every)
    copies = float(np.mean([of_set["copies"] for of_set in of_sets]))
    copies_variance = copies * (1 - copies) / len(every) + float(below.var())
    found: dict[str, Any] = {
        "nearer": {"mean": nearer, "interval": share_interval(nearer, fewest, variance)},
        "copies": {
            "mean": copies,
            "interval": share_interval(copies, len(every), copies_variance),
        },
    }
    for name, figures in found.items():
        figures["interval"] = list(figures["interval"])
        figures["values"] = [of_set[name] for of_set in of_sets]
    for name in ("distance", "held_out_distance"):
        found[name] = float(np.mean([of_set[name] for of_set in of_sets]))
    return found


def _share_above(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Of each limit the share of values above it, equal ones counted half."""
    ordered = np.sort(values)
    to_left = np.searchsorted(ordered, limits, "left")
    to_right = np.searchsorted(ordered, limits, "right")
    return np.asarray(1 - (to_left + to_right) / (2 * len(values)))


def _variance_of_mean(values: np.ndarray) -> float:
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.0
