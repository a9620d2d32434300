"""What generated faces are worth to whoever trains a classifier on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bplf_tf.metrics.classification import classification_figures
from datasets import ImageSource
from trainers.classifier_fit import ClassifierPlan, fit_classifier
from trainers.over_seeds import over_seeds, text, text_table
from trainers.statistics import paired_difference

REAL, GENERATED, BOTH = "real", "generated", "real + generated"


def training_sets(real: ImageSource, generated: ImageSource) -> dict[str, ImageSource]:
    """Real images, generated ones, and both.

    Raises:
      ValueError: if their labels or shapes differ.
    """
    for what in ("classes", "image_shape"):
        first, second = getattr(real, what), getattr(generated, what)
        if first != second:
            raise ValueError(f"real images have {what} {first}, generated ones {second}")
    both = dataclasses.replace(
        real,
        name=f"{real.name} and {generated.name}",
        images=np.concatenate([real.images, generated.images]),
        labels=np.concatenate([real.labels, generated.labels]),
        provenance={REAL: real.provenance, GENERATED: generated.provenance},
    )
    return {REAL: real, GENERATED: generated, BOTH: both}


def classification_scores(
    sets_of_seed: Mapping[int, Mapping[str, ImageSource]], test: ImageSource, plan: ClassifierPlan
) -> dict[str, Any]:
    """Fits a classifier to each set of training images and reads real images with it.

    The one of generated images gives the classification accuracy score. The sets of one seed are
    fitted with one seed, so that differences are of pairs.

    Args:
      sets_of_seed: for each seed, sets of training images by their names, `real` among them.
      test: real images that none of them holds.
      plan: how to fit; its seed is not used.

    Returns:
      For each name `accuracy`, `macro_f1` and `per_label` with `recall` and `f1`, over the seeds;
      `minus_real`, the paired differences of accuracy, macro-F1 and each label's recall, with
      `mean`, `half_width` and `p_value`.

    Source: Ravuri and Vinyals 2019, arXiv 1905.10887.
    """
    measured: dict[str, list[dict[str, Any]]] = {}
    for seed, sets in sets_of_seed.items():
        for name, train in sets.items():
            classifier = fit_classifier(train, dataclasses.replace(plan, seed=seed), verbose=0)
            read = classifier.probabilities(test.images).argmax(axis=1)
            figures = classification_figures(test.labels, read, test.classes)
            measured.setdefault(name, []).append(
                {
                    "accuracy": figures["accuracy"],
                    "macro_f1": figures["macro_f1"],
                    "per_label": {
                        label: {key: of[key] for key in ("recall", "f1")}
                        for label, of in figures["per_label"].items()
                    },
                }
            )
            print(
                f"seed {seed}, {name}: {len(train)} images, accuracy {figures['accuracy']:.1%}",
                flush=True,
            )
    results = {name: over_seeds(of_seeds) for name, of_seeds in measured.items()}
    return {
        "test_images": len(test),
        "seeds": list(sets_of_seed),
        "trained_on": results,
        "minus_real": {
            name: _differences(of, results[REAL], list(sets_of_seed))
            for name, of in results.items()
            if name != REAL
        },
    }


def _differences(
    figures: dict[str, Any], real: dict[str, Any], seeds: Sequence[int]
) -> dict[str, Any]:
    def difference(of: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
        found = paired_difference(
            dict(zip(seeds, of["values"], strict=True)),
            dict(zip(seeds, reference["values"], strict=True)),
        )
        assert found is not None  # both have every seed
        return {"mean": found.mean, "half_width": found.half_width, "p_value": found.p_value}

    return {
        **{key: difference(figures[key], real[key]) for key in ("accuracy", "macro_f1")},
        "recall": {
            label: difference(of["recall"], real["per_label"][label]["recall"])
            for label, of in figures["per_label"].items()
        },
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
    rows += [
        (
            f"{name} - {REAL}",
            [
                text(of["accuracy"]),
                text(of["macro_f1"]),
                *(text(of["recall"][label]) for label in labels),
            ],
        )
        for name, of in result["minus_real"].items()
    ]
    heading = (
        f"classifiers trained on these, read {result['test_images']} real images; "
        f"{len(result['seeds'])} seeds; recall of each label"
    )
    return text_table(("accuracy", "macro-F1", *labels), rows, heading)
