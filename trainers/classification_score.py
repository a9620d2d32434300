"""What generated faces are worth to whoever trains a classifier on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bplf_tf.metrics.classification import figures_of_confusion
from bplf_tf.metrics.confidence import (
    combined_error,
    difference_figures,
    holm,
    share_interval,
    times_drawn,
)
from datasets import ImageSource
from trainers.classifier_fit import ClassifierPlan, fit_classifier
from trainers.over_seeds import text, text_table
from trainers.training_arms import BOTH, REAL, REPEATED, training_arms

_RESAMPLES = 1000


def classification_scores(
    of_seeds: Mapping[int, tuple[ImageSource, ImageSource]],
    test: ImageSource,
    plan: ClassifierPlan,
    repeated: bool = False,
) -> dict[str, Any]:
    """Fits a classifier to each set of training images and reads real images with it.

    The one of generated images gives the classification accuracy score. All classifiers take as
    many steps and choose their epoch by the same real images (`trainers.training_arms`). Those of
    one seed are fitted with one seed, so that differences are of pairs.

    Intervals are of both that may come out otherwise: other seeds of training, by their variance,
    and other test images, by a bootstrap that draws the same images for all classifiers. Student's
    t with the degrees of freedom of both.

    Args:
      of_seeds: for each seed real and generated training images.
      test: real images that neither holds.
      plan: how to fit; its seed and patience are not used.
      repeated: whether to fit real images too whose rare labels are repeated as often as generated
        images fill them up.

    Returns:
      `trained_on`, for each set `accuracy`, `macro_f1` and `per_label` with `recall` and `f1`, each
      with `mean`, `interval` and the `values` of the seeds; `minus`, of each reference (`real`, and
      `real, repeated`) and other sets the paired differences of accuracy, macro-F1 and each label's
      recall, with `mean`, `half_width` and `p_value`, of the recalls also `p_holm`, corrected for
      there being several labels; `training_images` of each set.

    Source: Ravuri and Vinyals 2019, arXiv 1905.10887.
    """
    reads: dict[str, list[np.ndarray]] = {}
    counts: dict[str, dict[str, int]] = {}
    for seed, (real, generated) in of_seeds.items():
        arms = training_arms(real, generated, seed, repeated)
        counts = arms.counts
        # Nobody stops sooner than others; the best epoch is taken all the same.
        of_seed = dataclasses.replace(plan, seed=seed, patience=plan.epochs)
        for name, train in arms.sets.items():
            classifier = fit_classifier(train, of_seed, verbose=0, kept_back=arms.kept_back)
            read = classifier.probabilities(test.images).argmax(axis=1)
            reads.setdefault(name, []).append(read)
            right = np.mean(read == test.labels)
            print(
                f"seed {seed}, {name}: {sum(counts[name].values())} images, accuracy {right:.1%}",
                flush=True,
            )
    return {
        "test_images": len(test),
        "seeds": list(of_seeds),
        "training_images": counts,
        **compare_readings(reads, test.labels, test.classes),
    }


def compare_readings(
    reads: Mapping[str, Sequence[np.ndarray]],
    true: np.ndarray,
    labels: Sequence[str],
    resamples: int = _RESAMPLES,
) -> dict[str, Any]:
    """Figures and paired differences of what classifiers read.

    Args:
      reads: of each set that classifiers were trained on, `real` among them, the labels that the
        classifier of each seed reads, int `[N]`.
      true: int `[N]`.
      labels: their names.
      resamples: of the bootstrap of images.

    Returns:
      `trained_on` and `minus`, as of `classification_scores`.
    """
    names = list(reads)
    exact = np.array([[_figures(true, read, len(labels)) for read in reads[n]] for n in names])
    rng = np.random.default_rng(0)
    drawn = np.empty((resamples, len(names), exact.shape[-1]))
    for i in range(resamples):
        times = times_drawn(true, rng)
        for k, name in enumerate(names):
            of_seeds = [_figures(true, read, len(labels), times) for read in reads[name]]
            drawn[i, k] = np.mean(of_seeds, axis=0)
    of_label = np.bincount(true, minlength=len(labels))
    # How many images each figure is of: accuracy and macro-F1 of all, recall and F1 of a label's.
    images = np.concatenate([[len(true)] * 2, np.maximum(of_label, 1), np.maximum(of_label, 1)])
    trained_on = {
        name: _by_name(
            [_bounded(exact[k, :, j], drawn[:, k, j], images[j]) for j in range(exact.shape[-1])],
            labels,
        )
        for k, name in enumerate(names)
    }
    minus = {}
    for reference in (name for name in (REAL, REPEATED) if name in names):
        against = names.index(reference)
        minus[reference] = {
            name: _differences(
                exact[k] - exact[against], drawn[:, k] - drawn[:, against], images, labels
            )
            for k, name in enumerate(names)
            if name == BOTH or (reference == REAL and name != REAL)
        }
    return {"trained_on": trained_on, "minus": minus}


def _figures(
    true: np.ndarray, read: np.ndarray, labels: int, times: np.ndarray | None = None
) -> np.ndarray:
    """Accuracy, macro-F1, each label's recall, each label's F1; of images counted so many times."""
    confusion = np.bincount(true * labels + read, times, labels**2).reshape(labels, labels)
    accuracy, macro_f1, recall, f1 = figures_of_confusion(confusion)
    return np.concatenate([[accuracy, macro_f1], recall, f1])


def _bounded(of_seeds: np.ndarray, drawn: np.ndarray, images: int) -> dict[str, Any]:
    """A figure in [0, 1]."""
    variance, freedom = combined_error(of_seeds, float(drawn.var(ddof=1)), images)
    mean = float(of_seeds.mean())
    interval = share_interval(mean, images, variance, freedom)
    return {"mean": mean, "interval": list(interval), "values": of_seeds.tolist()}


def _by_name(figures: Sequence[dict[str, Any]], labels: Sequence[str]) -> dict[str, Any]:
    recall, f1 = figures[2 : 2 + len(labels)], figures[2 + len(labels) :]
    return {
        "accuracy": figures[0],
        "macro_f1": figures[1],
        "per_label": {label: {"recall": recall[i], "f1": f1[i]} for i, label in enumerate(labels)},
    }


def _differences(
    exact: np.ndarray, drawn: np.ndarray, images: np.ndarray, labels: Sequence[str]
) -> dict[str, Any]:
    """Of differences `[S, K]` of the seeds and `[R, K]` of the resamples."""
    figures: list[dict[str, Any]] = []
    for j in range(2 + len(labels)):
        variance = float(drawn[:, j].var(ddof=1))
        total, freedom = combined_error(exact[:, j], variance, int(images[j]))
        figures.append(difference_figures(float(exact[:, j].mean()), total, freedom))
    of_labels = figures[2:]
    for figure, p_value in zip(of_labels, holm([f["p_value"] for f in of_labels]), strict=True):
        figure["p_holm"] = p_value
    return {
        "accuracy": figures[0],
        "macro_f1": figures[1],
        "recall": dict(zip(labels, of_labels, strict=True)),
    }


def table(result: dict[str, Any]) -> str:
    """The figures of `classification_scores` as text."""
    labels = list(result["trained_on"][REAL]["per_label"])
    rows = [
        (
            name,
            [
                text(of["accuracy"]),
                text(of["macro_f1"]),
                *(text(of["per_label"][label]["recall"]) for label in labels),
            ],
        )
        for name, of in result["trained_on"].items()
    ]
    for reference, others in result["minus"].items():
        for name, of in others.items():
            recalls = [of["recall"][label] for label in labels]
            cells = [of["accuracy"], of["macro_f1"], *recalls]
            rows.append((f"{name} - {reference}", [text(cell) for cell in cells]))
            p_values = [of["accuracy"]["p_value"], of["macro_f1"]["p_value"]]
            p_values += [recall["p_holm"] for recall in recalls]
            rows.append(("  p", ["" if p is None else f"{p:.3f}" for p in p_values]))
    heading = (
        f"classifiers trained on these, read {result['test_images']} real images; "
        f"{len(result['seeds'])} seeds; recall of each label; 95 % intervals over seeds and "
        "images; p of the labels corrected by Holm"
    )
    return text_table(("accuracy", "macro-F1", *labels), rows, heading)
