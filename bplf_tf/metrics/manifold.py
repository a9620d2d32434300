"""Whether generated faces are good and whether they are varied: precision, recall and the like."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors

from bplf_tf.metrics.features import check_features

NEIGHBOURS = 5


def manifold_figures(real: Any, generated: Any, neighbours: int = NEIGHBOURS) -> dict[str, float]:
    """Precision, recall, density and coverage.

    A ball around each feature vector reaches to its `neighbours`-th nearest of the same set.

    Args:
      real: `[N, F]`, N above `neighbours`.
      generated: `[M, F]`, likewise.
      neighbours: k.

    Returns:
      `precision`, the share of generated ones in a ball of a real one; `recall`, the share of real
      ones in a ball of a generated one; `density`, how many real balls a generated one lies in,
      divided by k, which may exceed 1; `coverage`, the share of real balls with a generated one in
      them, near 0 for a generator that has collapsed.

    Raises:
      ValueError: for features that are not of this form.

    Source: Kynkäänniemi et al. 2019, arXiv 1904.06991; Naeem et al. 2020, arXiv 2002.09797.
    """
    return {
        name: float(of_each.mean())
        for name, of_each in manifold_memberships(real, generated, neighbours).items()
    }


def manifold_memberships(
    real: Any, generated: Any, neighbours: int = NEIGHBOURS
) -> dict[str, np.ndarray]:
    """What `manifold_figures` are the means of, and takes and raises.

    Returns:
      of each generated one `precision`, whether it lies in a ball of a real one, bool `[M]`, and
      `density`, in how many, divided by k, float64 `[M]`; of each real one `recall`, whether it
      lies in a ball of a generated one, and `coverage`, whether a generated one lies in its ball,
      bool `[N]`.
    """
    if neighbours < 1:
        raise ValueError(f"neighbours must be 1 or more, got {neighbours}")
    x, y = check_features(real, generated, fewest=neighbours + 1)
    real_radii, generated_radii = _radii(x, neighbours), _radii(y, neighbours)
    balls_around = np.zeros(len(y))  # each generated one
    nearest = []  # of the generated ones to each real one
    recalled = []
    start = 0
    for distances in pairwise_distances_chunked(x, y):  # rows of some real ones
        rows = slice(start, start + len(distances))
        balls_around += (distances < real_radii[rows, np.newaxis]).sum(axis=0)
        nearest.append(distances.min(axis=1))
        recalled.append((distances < generated_radii).any(axis=1))
        start += len(distances)
    return {
        "precision": balls_around > 0,
        "recall": np.concatenate(recalled),
        "density": balls_around / neighbours,
        "coverage": np.concatenate(nearest) < real_radii,
    }


def _radii(features: np.ndarray, neighbours: int) -> np.ndarray:
    """Distance of each to its k-th nearest other, `[N]`."""
    search = NearestNeighbors(n_neighbors=neighbours).fit(features)
    distances, _ = search.kneighbors()  # without itself
    radii: np.ndarray = distances[:, -1]
    return radii
