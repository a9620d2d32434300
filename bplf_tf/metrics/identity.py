"""Whether an edited face is still the same person's, by features that tell people apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from bplf_tf.metrics.confidence import bootstrap_interval

_RESAMPLES = 200


def cosines(probes: Any, gallery: Any) -> np.ndarray:
    """Cosine of the angle between any two feature vectors, float64 `[P, G]`.

    Args:
      probes: `[P, F]`.
      gallery: `[G, F]`.
    """
    scaled = []
    for features in (probes, gallery):
        array = np.asarray(features, np.float64)
        lengths = np.linalg.norm(array, axis=1, keepdims=True)
        scaled.append(array / np.maximum(lengths, np.finfo(np.float64).tiny))
    return np.asarray(scaled[0] @ scaled[1].T)


def verification(
    probes: Any, probe_people: Any, gallery: Any = None, gallery_people: Any = None
) -> dict[str, Any]:
    """How surely two faces of one person are told from faces of two, by the cosine of features.

    Args:
      probes: features `[P, F]`, such as of edited faces.
      probe_people: `[P]`, who they are of.
      gallery: features `[G, F]` that each is compared with, such as of the faces before the edit;
        by default the other probes.
      gallery_people: `[G]`.

    Returns:
      `auc`, the area under the ROC curve over all pairs: the probability that a pair of one person
      is more alike than a pair of two, 0.5 by chance; `interval`, the bootstrap's 95 % over people;
      `people`, how many.

    Raises:
      ValueError: if there is no pair of one person, or none of two.
    """
    people = np.asarray(probe_people)
    if gallery is None:
        scores, same = cosines(probes, probes), people[:, np.newaxis] == people
        apart = ~np.eye(len(people), dtype=bool)  # a face is no pair with itself
    else:
        scores = cosines(probes, gallery)
        same = people[:, np.newaxis] == np.asarray(gallery_people)
        apart = np.ones_like(same)
    if not (same & apart).any() or same.all():
        raise ValueError("verification needs pairs of faces of one person, and of two")

    def area(rows: np.ndarray, alike: np.ndarray, counted: np.ndarray) -> float:
        return float(roc_auc_score(alike[counted], rows[counted]))

    low, high = bootstrap_interval(area, scores, same, apart, groups=people, resamples=_RESAMPLES)
    return {
        "auc": area(scores, same, apart),
        "interval": [low, high],
        "people": len(np.unique(people)),
    }
