"""Whether an edited face is still the same person's, by features that tell people apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from bplf_tf.metrics.confidence import CONFIDENCE, share_interval

_RESAMPLES = 1000
_SAME = 1e-9  # areas that differ by less differ by rounding


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
    probes: Any,
    probe_people: Any,
    gallery: Any = None,
    gallery_people: Any = None,
    resamples: int = _RESAMPLES,
) -> dict[str, Any]:
    """How surely two faces of one person are told from faces of two, by the cosine of features.

    Of edited faces the gallery is the faces before the edit: an editor that returns its input has
    an area of 1 whatever the features are worth, and what is asked of others is how much of that
    an edit leaves.

    Args:
      probes: features `[P, F]`, such as of edited faces.
      probe_people: `[P]`, who they are of.
      gallery: features `[G, F]` that each is compared with, such as of the faces before the edit;
        by default the other probes.
      gallery_people: `[G]`.
      resamples: of the bootstrap.

    Returns:
      `auc`, the area under the ROC curve over all pairs: the probability that a pair of one person
      is more alike than a pair of two, 0.5 by chance; `interval`, the bootstrap's 95 % over people,
      Wilson's where all people agree; `people`, how many.

    Raises:
      ValueError: if there is no pair of one person, or none of two.

    Source: the bootstrap draws people, on both sides at once, since they are who the pairs are of:
    Field and Welsh 2007, Journal of the Royal Statistical Society B 69(3).
    """
    names, who = np.unique(np.asarray(probe_people), return_inverse=True)
    if gallery is None:
        scores, of_gallery = cosines(probes, probes), who
        counted = ~np.eye(len(who), dtype=bool)  # a face is no pair with itself
    else:
        scores = cosines(probes, gallery)
        every = np.concatenate([np.asarray(probe_people), np.asarray(gallery_people)])
        names, both = np.unique(every, return_inverse=True)
        who, of_gallery = both[: len(who)], both[len(who) :]
        counted = np.ones(scores.shape, bool)
    first, second = (
        side[counted] for side in np.broadcast_arrays(who[:, np.newaxis], of_gallery[np.newaxis])
    )
    same = first == second
    if not same.any() or same.all():
        raise ValueError("verification needs pairs of faces of one person, and of two")
    # Sorted once for all resamples; scikit-learn's roc_auc_score would sort for each.
    values, place = np.unique(scores[counted], return_inverse=True)

    def area(times: np.ndarray) -> float:
        """Of people who were drawn so many `times` each; not a number without both kinds of pairs.

        Someone who was drawn twice is two people of the same face: a pair of both would be of
        identical faces of, as it seems, two people, and is none.
        """
        alike = np.bincount(place, np.where(same, times[first], 0), len(values))
        unlike = np.bincount(place, np.where(same, 0, times[first] * times[second]), len(values))
        pairs = alike.sum() * unlike.sum()
        below = np.cumsum(unlike) - unlike / 2  # of pairs as alike as each other half
        return float(alike @ below / pairs) if pairs else np.nan

    rng = np.random.default_rng(0)
    count = len(names)
    drawn = rng.multinomial(count, np.full(count, 1 / count), resamples).astype(np.float64)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile([area(times) for times in drawn], [tail, 1 - tail])
    auc = area(np.ones(count))
    if high - low < _SAME:
        low, high = share_interval(auc, count)
    return {"auc": auc, "interval": [float(low), float(high)], "people": len(np.unique(who))}
