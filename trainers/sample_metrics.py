"""Figures of a model's samples on the features of an expression classifier, over sampling seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bplf_tf import BPLF
from bplf_tf.metrics.classification import accuracy, macro_f1
from bplf_tf.metrics.distances import frechet_distance, kernel_distance
from bplf_tf.metrics.expression import read_as_wanted
from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from bplf_tf.metrics.manifold import NEIGHBOURS, manifold_figures
from bplf_tf.metrics.memorisation import compare_distances, nearest
from datasets import ImageSource
from trainers.measure import spread
from trainers.over_seeds import over_seeds, text, text_table

_MEMORISED_AMONG = 1000  # samples and held-out images that are compared with all training images


@dataclasses.dataclass(frozen=True)
class SamplePlan:
    """What is drawn and measured.

    Attributes:
      metrics: some of `trainers.metric_settings.OF_SAMPLES`.
      temperature: of the samples.
      label_strength: likewise, see `BPLF.sample`.
      seeds: one set of samples for each.
      count: most samples of a set; there are as many of each label as there are held-out images.
    """

    metrics: Sequence[str]
    temperature: float
    seeds: Sequence[int]
    count: int
    label_strength: float = 1.0


def sample_metrics(
    model: BPLF,
    judge: ExpressionClassifier,
    held_out: ImageSource,
    train: ImageSource,
    plan: SamplePlan,
    chooser: ExpressionClassifier | None = None,
) -> dict[str, Any]:
    """Every figure of the samples, and the same of real training images, which bound it.

    Samples, training images and held-out images are as many as each other, label by label. The
    distances and shares are of the judge's features; against Inception's they say nothing.

    Args:
      model: with the judge's labels.
      judge: a classifier by which nothing was chosen, neither samples nor the model.
      held_out: real images that neither of them was trained on.
      train: those that they were.
      plan: what to draw and measure.
      chooser: another classifier, whose reading then stands beside the judge's.

    Returns:
      `held_out` with the judge's accuracy on real images; `samples` and `training_images`, each
      figure over the seeds; of samples, `accuracy_of_real` is the judge's accuracy on them divided
      by that on held-out images. Without memorisation, where it is the training images' own.

    Raises:
      ValueError: there are too few images to compare.
    """
    compared = spread(held_out, plan.count)
    if len(compared) <= NEIGHBOURS and "precision_recall" in plan.metrics:
        raise ValueError(f"precision and recall need more than {NEIGHBOURS} held-out images")
    measurer = _Measurer(judge, compared, train, plan.metrics, chooser)
    samples, training = [], []
    for seed in plan.seeds:
        drawn = model.sample(
            compared.labels, len(compared), plan.temperature, seed, plan.label_strength
        )
        samples.append(measurer.figures(drawn, compared.labels, memorisation=True))
        some = drawn_like(compared.labels, train, seed)
        images, labels = train.images[some], train.labels[some]
        training.append(measurer.figures(images, labels, memorisation=False))
    return {
        "temperature": plan.temperature,
        "label_strength": plan.label_strength,
        "seeds": list(plan.seeds),
        "images_each": len(compared),
        "held_out": {"accuracy": measurer.accuracy, "macro_f1": measurer.macro_f1},
        "samples": over_seeds(samples),
        "training_images": over_seeds(training),
    }


class _Measurer:
    """Holds what is known of the real images while the sets of samples come and go."""

    def __init__(
        self,
        judge: ExpressionClassifier,
        held_out: ImageSource,
        train: ImageSource,
        metrics: Sequence[str],
        chooser: ExpressionClassifier | None,
    ) -> None:
        self._judge, self._chooser = judge, chooser
        self._held_out, self._train = held_out, train
        self._metrics = metrics
        read = judge.probabilities(held_out.images).argmax(axis=1)
        self.accuracy = accuracy(held_out.labels, read)
        self.macro_f1 = macro_f1(held_out.labels, read)
        self._real = judge.features(held_out.images)
        # Of each kind of numbers, the training images' and the held-out images' distances to them.
        self._known: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def figures(self, images: np.ndarray, wanted: np.ndarray, memorisation: bool) -> dict[str, Any]:
        """Of images that ought to show the labels `wanted`."""
        found: dict[str, Any] = {}
        of_label: dict[str, dict[str, float]] = {name: {} for name in self._held_out.classes}
        if "accuracy" in self._metrics:
            probabilities = self._judge.probabilities(images)
            right = read_as_wanted(probabilities, wanted)
            found["accuracy"] = float(right.mean())
            found["accuracy_of_real"] = found["accuracy"] / max(self.accuracy, 1e-9)
            found["macro_f1"] = macro_f1(wanted, probabilities.argmax(axis=1))
            if self._chooser:
                chosen = read_as_wanted(self._chooser.probabilities(images), wanted)
                found["accuracy_by_the_chooser"] = float(chosen.mean())
            for label, name in enumerate(self._held_out.classes):
                if (wanted == label).any():
                    of_label[name]["accuracy"] = float(right[wanted == label].mean())
        if {"kid", "fid", "precision_recall"} & set(self._metrics):
            features = self._judge.features(images)
            found |= self._distances(self._real, features)
            for label, name in enumerate(self._held_out.classes):
                real, generated = self._real[self._held_out.labels == label], wanted == label
                if min(len(real), generated.sum()) > NEIGHBOURS:
                    of_label[name] |= self._distances(real, features[generated])
        if memorisation and "memorisation" in self._metrics:
            found["memorisation"] = self._memorisation(images)
        return {**found, "per_label": {name: of for name, of in of_label.items() if of}}

    def _distances(self, real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
        found: dict[str, float] = {}
        if "kid" in self._metrics:
            found["expression_kid"] = kernel_distance(real, generated)
        if "fid" in self._metrics:
            found["expression_fid"] = frechet_distance(real, generated)
        if "precision_recall" in self._metrics:
            found |= manifold_figures(real, generated)
        return found

    def _memorisation(self, images: np.ndarray) -> dict[str, dict[str, float]]:
        """Of pixels, where copies are told from faces alike, and of features, which flips keep."""
        some = np.linspace(0, len(images) - 1, min(len(images), _MEMORISED_AMONG)).astype(int)
        kinds: dict[str, Callable[[np.ndarray], np.ndarray]] = {
            "pixels": np.asarray,
            "features": self._judge.features,
        }
        if not self._known:  # the same for every set of samples
            held_out = spread(self._held_out, _MEMORISED_AMONG).images
            for kind, read in kinds.items():
                train = read(self._train.images)
                self._known[kind] = train, nearest(read(held_out), train)[1]
        found = {}
        for kind, read in kinds.items():
            train, of_held_out = self._known[kind]
            found[kind] = compare_distances(nearest(read(images[some]), train)[1], of_held_out)
        return found


def drawn_like(labels: np.ndarray, source: ImageSource, seed: int) -> np.ndarray:
    """Places of a source's images, drawn at random, as many of each label as `labels` has.

    Where a source has fewer of a label, all of them.
    """
    rng = np.random.default_rng(seed)
    chosen = []
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        of_label = np.flatnonzero(source.labels == label)
        chosen.append(rng.choice(of_label, min(count, len(of_label)), replace=False))
    return np.concatenate(chosen)


_SHOWN = {
    "accuracy": ("expression accuracy", 3),
    "accuracy_of_real": ("  of that on real faces", 3),
    "accuracy_by_the_chooser": ("  as the chooser reads", 3),
    "macro_f1": ("macro-F1", 3),
    "expression_kid": ("expression-KID", 4),
    "expression_fid": ("expression-FID", 3),
    "precision": ("precision", 3),
    "recall": ("recall", 3),
    "density": ("density", 3),
    "coverage": ("coverage", 3),
}


def table(result: dict[str, Any]) -> str:
    """The figures of `sample_metrics` as text."""
    samples, training = result["samples"], result["training_images"]
    rows = [
        (name, [text(samples[key], digits), text(training[key], digits) if key in training else ""])
        for key, (name, digits) in _SHOWN.items()
        if key in samples
    ]
    held_out = result["held_out"]
    parts = [
        f"samples at temperature {result['temperature']:g}, label strength "
        f"{result['label_strength']:g}, {len(result['seeds'])} seeds, "
        f"{result['images_each']} images each; the judge reads {held_out['accuracy']:.1%} of the "
        f"held-out ones rightly (macro-F1 {held_out['macro_f1']:.3f})"
    ]
    if rows:
        parts.append(text_table(("samples", "training images"), rows))
    for of, figures in samples.get("memorisation", {}).items():
        parts.append(
            f"memorisation, {of}: nearer to training images than held-out ones are in "
            f"{text(figures['nearer'])} of pairs (0.5 is ideal), copies {text(figures['copies'])} "
            "(0.01 is ideal)"
        )
    per_label = samples["per_label"]
    columns = [key for key in _SHOWN if any(key in of for of in per_label.values())]
    if columns:
        rows = [
            (name, [text(of[key], _SHOWN[key][1]) if key in of else "" for key in columns])
            for name, of in per_label.items()
        ]
        parts.append(text_table([_SHOWN[key][0].strip() for key in columns], rows))
    return "\n".join(parts)
