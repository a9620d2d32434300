"""Figures of a model's samples on the features of an expression classifier, over sampling seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from bplf_tf import BPLF
from bplf_tf.metrics.confidence import ratio_interval
from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from bplf_tf.metrics.manifold import NEIGHBOURS
from bplf_tf.metrics.memorisation import memorised_over_seeds, nearest, nearest_or_mirrored
from datasets import ImageSource
from trainers.judged_images import Judged, Measurer, macro_f1_figures
from trainers.measure import spread
from trainers.over_seeds import Figures, share_of_own_images, text, text_table

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
    others: ImageSource | None = None,
) -> dict[str, Any]:
    """Every figure of the samples, and the same of other real images, which bound it.

    Samples and held-out images are as many as each other, label by label. The distances and shares
    are of the judge's features; against Inception's they say nothing. Real images beside the
    samples must be held out too: of those that the judge was trained on it has learned the labels,
    and sees features that no new face has.

    Intervals: of shares over the samples of all seeds, or over seeds and held-out images; of KID,
    FID and density over the seeds, for these held-out images.

    Args:
      model: with the judge's labels.
      judge: a classifier by which nothing was chosen, neither samples nor the model.
      held_out: real images that neither of them was trained on.
      train: those that they were.
      plan: what to draw and measure.
      chooser: another classifier, whose reading then stands beside the judge's.
      others: further real images that neither was trained on, to be compared with `held_out` as
        the samples are; of each label as many, or all that there are. Without them one half of
        `held_out` is compared with the other, label by label, which are half as many images.

    Returns:
      `held_out` with the judge's accuracy and macro-F1 on real images; `samples`, each figure over
      the seeds, and `reference`, of one set of real images; `reference_images`, its `name` and
      `count`. Of samples, `accuracy_of_real` is the judge's accuracy on them divided by that on
      held-out images, with the errors of both; it is left out where the judge reads none of these
      rightly.

    Raises:
      ValueError: there are too few images to compare.
    """
    compared = spread(held_out, plan.count)
    if len(compared) <= NEIGHBOURS and "precision_recall" in plan.metrics:
        raise ValueError(f"precision and recall need more than {NEIGHBOURS} held-out images")
    measurer = Measurer(judge, plan.metrics, chooser)
    real = measurer.see(compared.images, compared.labels)
    sets = [
        model.sample(compared.labels, len(compared), plan.temperature, seed, plan.label_strength)
        for seed in plan.seeds
    ]
    seen = [measurer.see(images, compared.labels) for images in sets]
    samples = measurer.figures(real, seen, compared.classes)
    if "accuracy" in plan.metrics and real.accuracy:
        samples["accuracy_of_real"] = _of_real(samples["accuracy"], real)
    if "memorisation" in plan.metrics:
        samples["memorisation"] = _memorisation(sets, compared, train, judge)
    first, second = reference_images(compared, others, plan.seeds[0])
    reference = measurer.figures(
        real if first is compared else measurer.see(first.images, first.labels),
        [measurer.see(second.images, second.labels)],
        compared.classes,
    )
    return {
        "temperature": plan.temperature,
        "label_strength": plan.label_strength,
        "seeds": list(plan.seeds),
        "images_each": len(compared),
        "held_out": {
            "accuracy": real.accuracy,
            "accuracy_interval": share_of_own_images([real.right])["interval"],
            "macro_f1": real.macro_f1,
            "macro_f1_interval": macro_f1_figures([real], len(compared.classes))["interval"],
        },
        "samples": samples,
        "reference": reference,
        "reference_images": {
            "name": "halves of held-out" if others is None else others.split,
            "count": len(second),
        },
    }


def reference_images(
    compared: ImageSource, others: ImageSource | None, seed: int
) -> tuple[ImageSource, ImageSource]:
    """Two sets of held-out images: what is compared with, and what is compared with it.

    Args:
      compared: what samples are compared with.
      others: further ones, or None to divide `compared` into halves, label by label.
      seed: of the draw.
    """
    if others is not None:
        return compared, _chosen(others, drawn_like(compared.labels, others, seed))
    order = np.random.default_rng(seed).permutation(len(compared))
    order = order[np.argsort(compared.labels[order], kind="stable")]
    return _chosen(compared, np.sort(order[::2])), _chosen(compared, np.sort(order[1::2]))


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


def _chosen(source: ImageSource, places: np.ndarray) -> ImageSource:
    return dataclasses.replace(source, images=source.images[places], labels=source.labels[places])


def _of_real(accuracy: Figures, real: Judged) -> Figures:
    """The accuracy on samples divided by that on real images, with the errors of both."""
    of_real = share_of_own_images([real.right])
    interval = ratio_interval(
        (accuracy["mean"], of_real["mean"]), accuracy["interval"], of_real["interval"]
    )
    values = [value / of_real["mean"] for value in accuracy["values"]]
    return {"mean": float(np.mean(values)), "interval": list(interval), "values": values}


def _memorisation(
    sets: Sequence[np.ndarray],
    held_out: ImageSource,
    train: ImageSource,
    judge: ExpressionClassifier,
) -> dict[str, Any]:
    """Of pixels, where copies are told from faces alike, mirrored ones too; and of features."""
    real = spread(held_out, _MEMORISED_AMONG).images
    some = np.linspace(0, len(sets[0]) - 1, min(len(sets[0]), _MEMORISED_AMONG)).astype(int)
    features = judge.features(train.images)

    def of_pixels(images: np.ndarray) -> np.ndarray:
        return nearest_or_mirrored(images, train.images)[1]

    def of_features(images: np.ndarray) -> np.ndarray:
        return nearest(judge.features(images), features)[1]

    return {
        kind: memorised_over_seeds([distances(images[some]) for images in sets], distances(real))
        for kind, distances in (("pixels", of_pixels), ("features", of_features))
    }


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
    samples, reference = result["samples"], result["reference"]
    beside = result["reference_images"]
    rows = [
        (
            name,
            [text(samples[key], digits), text(reference[key], digits) if key in reference else ""],
        )
        for key, (name, digits) in _SHOWN.items()
        if key in samples
    ]
    held_out = result["held_out"]
    (low, high), (least, most) = held_out["accuracy_interval"], held_out["macro_f1_interval"]
    parts = [
        f"samples at temperature {result['temperature']:g}, label strength "
        f"{result['label_strength']:g}, {len(result['seeds'])} seeds, "
        f"{result['images_each']} images each; the judge reads {held_out['accuracy']:.1%} "
        f"({low:.1%} to {high:.1%}) of the held-out ones rightly, macro-F1 "
        f"{held_out['macro_f1']:.3f} ({least:.3f} to {most:.3f})"
    ]
    if rows:
        parts.append(f"beside them {beside['count']} real images: {beside['name']}")
        parts.append(text_table(("samples", beside["name"]), rows))
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
