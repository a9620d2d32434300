"""What a judge sees in sets of images beside real ones: every figure, with its interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from bplf_tf.metrics.classification import accuracy, figures_of_confusion, macro_f1
from bplf_tf.metrics.confidence import share_interval, times_drawn
from bplf_tf.metrics.distances import frechet_distance, kernel_distance
from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from bplf_tf.metrics.manifold import NEIGHBOURS, manifold_memberships
from bplf_tf.metrics.networks import FEATURES
from trainers.over_seeds import (
    Figures,
    over_seeds,
    share_figures,
    share_of_own_images,
    share_of_the_same_images,
)

_RESAMPLES = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class Judged:
    """Images as classifiers see them.

    Attributes:
      labels: int `[N]`, what they show or ought to show.
      read: int `[N]`, the judge's likeliest label.
      chosen: the chooser's, or None without one.
      features: the judge's, float32 `[N, F]`, or None where nobody asks for them.
    """

    labels: np.ndarray
    read: np.ndarray
    chosen: np.ndarray | None
    features: np.ndarray | None

    @property
    def right(self) -> np.ndarray:
        """Whether each is read as its label, bool `[N]`."""
        return np.asarray(self.read == self.labels)

    @property
    def accuracy(self) -> float:
        """The share that is."""
        return accuracy(self.labels, self.read)

    @property
    def macro_f1(self) -> float:
        """Mean of the labels' F1."""
        return macro_f1(self.labels, self.read)


class Measurer:
    """Sees images with a judge and measures what it saw.

    Args:
      judge: whose reading and features count.
      metrics: some of `trainers.metric_settings.OF_SAMPLES`.
      chooser: whose reading stands beside the judge's, or None.
    """

    def __init__(
        self,
        judge: ExpressionClassifier,
        metrics: Sequence[str],
        chooser: ExpressionClassifier | None = None,
    ) -> None:
        self._judge, self._metrics, self._chooser = judge, metrics, chooser

    def see(self, images: np.ndarray, labels: np.ndarray) -> Judged:
        """Images, uint8 `[N, H, W, C]`, that show or ought to show labels, int `[N]`."""
        chosen = None
        if self._chooser and "accuracy" in self._metrics:
            chosen = self._chooser.probabilities(images).argmax(axis=1)
        features = None
        if {"kid", "fid", "precision_recall"} & set(self._metrics):
            features = self._judge.features(images)
        return Judged(labels, self._judge.probabilities(images).argmax(axis=1), chosen, features)

    def figures(
        self, real: Judged, sets: Sequence[Judged], classes: Sequence[str]
    ) -> dict[str, Any]:
        """Figures of sets of images, one of each seed, all with the same labels.

        Args:
          real: what they are compared with.
          sets: of one or more seeds.
          classes: names of the labels.

        Returns:
          each figure over the seeds, and `per_label` those of each label that has any. FID needs
          more images of a label than there are features: of fewer its covariances have no inverse,
          and it tells how many there are.
        """
        found: dict[str, Any] = {}
        of_label: dict[str, dict[str, Any]] = {name: {} for name in classes}
        if "accuracy" in self._metrics:
            found["accuracy"] = share_of_own_images([one.right for one in sets])
            found["macro_f1"] = macro_f1_figures(sets, len(classes))
            if self._chooser:
                chosen = [np.asarray(one.chosen == one.labels) for one in sets]
                found["accuracy_by_the_chooser"] = share_of_own_images(chosen)
            for label, name in enumerate(classes):
                rights = [one.right[one.labels == label] for one in sets]
                if rights[0].size:
                    of_label[name]["accuracy"] = share_of_own_images(rights)
        if real.features is not None:
            features = [one.features for one in sets if one.features is not None]
            found |= self._distances(real.features, features, fewest_for_fid=2)
            for label, name in enumerate(classes):
                of_real = real.features[real.labels == label]
                of_sets = [one[to.labels == label] for one, to in zip(features, sets, strict=True)]
                of_label[name] |= self._distances(of_real, of_sets, fewest_for_fid=FEATURES + 1)
        return {**found, "per_label": {name: of for name, of in of_label.items() if of}}

    def _distances(
        self, real: np.ndarray, sets: Sequence[np.ndarray], fewest_for_fid: int
    ) -> dict[str, Figures]:
        fewest = min(len(real), *map(len, sets))
        if fewest <= NEIGHBOURS:
            return {}
        values: dict[str, list[float]] = {}
        if "kid" in self._metrics:
            values["expression_kid"] = [kernel_distance(real, one) for one in sets]
        if "fid" in self._metrics and fewest >= fewest_for_fid:
            values["expression_fid"] = [frechet_distance(real, one) for one in sets]
        shares = {}
        if "precision_recall" in self._metrics:
            members = [manifold_memberships(real, one) for one in sets]
            values["density"] = [float(one["density"].mean()) for one in members]
            shares["precision"] = share_of_own_images([one["precision"] for one in members])
            for name in ("recall", "coverage"):  # of the real images, which are the same ones
                shares[name] = share_of_the_same_images([one[name] for one in members])
        of_seeds = [
            dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)
        ]
        return {**(over_seeds(of_seeds) if of_seeds else {}), **shares}


def macro_f1_figures(sets: Sequence[Judged], classes: int) -> Figures:
    """Macro-F1 over the sets, with the interval of images that are drawn anew, label by label.

    Args:
      sets: of one or more seeds.
      classes: number of labels.
    """
    rng = np.random.default_rng(0)

    def drawn(one: Judged) -> float:
        times = times_drawn(one.labels, rng)
        counts = np.bincount(one.labels * classes + one.read, times, classes**2)
        return figures_of_confusion(counts.reshape(classes, classes))[1]

    variance = np.var([np.mean([drawn(one) for one in sets]) for _ in range(_RESAMPLES)], ddof=1)
    values = [np.array(one.macro_f1) for one in sets]
    count = sum(len(one.labels) for one in sets)
    return share_figures(values, share_interval(float(np.mean(values)), count, float(variance)))
