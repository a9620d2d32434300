"""Trains a classifier of expressions, which judges generated faces or helps to choose among them.

python -m trainers.classifier --dataset=drawn_faces --out=classifiers/judge.keras
python -m trainers.classifier --architecture=b --seed=1 --out=classifiers/chooser.keras

Whoever judges must not be whoever chose: give the two different architectures and seeds. Beside
the model it writes a JSON file of the same name with its figures on held-out images, by which
nothing was chosen: the epoch was, by a tenth of the training images.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from bplf_tf.config_checks import NETWORK_DTYPES
from datasets import NAMES, SPLITS, flags
from datasets.cores import cores
from datasets.flags import setting
from datasets.quiet_tensorflow import import_tensorflow
from trainers.classifier_files import check_place, make_place, write_classifier
from trainers.settings import choice
from trainers.threads import set_threads

if TYPE_CHECKING:
    import numpy as np

    from bplf_tf.metrics.expression_classifier import ExpressionClassifier
    from datasets import ImageSource
    from trainers.classifier_fit import ClassifierPlan

ARCHITECTURES = ("a", "b")
_RESAMPLES = 1000
_CELL = 26  # "100.0% (100.0% to 100.0%)" and a space


@dataclasses.dataclass(frozen=True)
class ClassifierSettings:
    """What to train. Each field is a flag of the same name."""

    out: str | None = setting(None, "File ending in .keras to write it to. Required.")
    overwrite: bool = setting(False, "Replace the file if there is one.")
    dataset: str = setting("drawn_faces", f"Data set to train it on: {', '.join(NAMES)}.")
    data_path: str | None = setting(
        None, "File or folder that holds the data set, if it needs one."
    )
    split: str = setting("validation", "Held-out split to report on: validation or test.")
    image_size: int | None = setting(None, "Resize images to this many pixels a side.")
    channels: int | None = setting(
        None, "1 for grey images, 3 for colour; the data's own if unset."
    )
    limit: int | None = setting(None, "Train and report on at most this many images each.")
    architecture: str = setting(
        "a", "Network: a, 3x3 convolutions with a hidden layer; b, separable residual blocks."
    )
    epochs: int = setting(30, "Most passes over the training images.")
    max_minutes: float | None = setting(None, "Stop after so many minutes.")
    patience: int = setting(
        5, "Stop after so many passes without a better loss on a tenth of the training images."
    )
    batch_size: int = setting(64, "Images per step.")
    learning_rate: float = setting(1e-3, "Of Adam at the start; it falls to 0 along a cosine.")
    flip: bool = setting(True, "Mirror training images at random.")
    move: float = setting(
        0.08,
        "Move training images by up to this share of a side, enlarge or shrink them by as much, "
        "and turn them by half of it of a turn, at random; 0 is off.",
    )
    seed: int = setting(0, "Of the weights' start, the order and the augmentation.")
    network_dtype: str = setting(
        "float32",
        f"Arithmetic of the fit: {' or '.join(NETWORK_DTYPES)}. The classifier itself computes in "
        "float32.",
    )

    def check(self) -> None:
        """Checks what needs no data; raises `ValueError` naming the flag."""
        check_place(self.out, self.overwrite)
        choice("dataset", self.dataset, NAMES)
        choice("split", self.split, SPLITS[1:])
        choice("architecture", self.architecture, ARCHITECTURES)
        choice("network_dtype", self.network_dtype, NETWORK_DTYPES)
        for name in ("image_size", "limit", "epochs", "patience", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"--{name} must be a positive integer, got {value}")
        for name in ("max_minutes", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ValueError(f"--{name} must be a positive number, got {value}")
        if not 0 <= self.move < 0.5:
            raise ValueError(f"--move must lie in [0, 0.5), got {self.move}")
        if self.seed < 0:
            raise ValueError(f"--seed must not be negative, got {self.seed}")

    def plan(self) -> ClassifierPlan:
        """How it is fitted."""
        from trainers.classifier_fit import ClassifierPlan

        names = {field.name for field in dataclasses.fields(ClassifierPlan)}
        return ClassifierPlan(**{name: getattr(self, name) for name in names})


def main(settings: ClassifierSettings) -> int:
    """Trains, reports, writes; returns the exit code."""
    try:
        settings.check()
        make_place(settings.out)
        import_tensorflow()
        set_threads(0, cores())
        train, held_out = (_load(settings, split) for split in ("train", settings.split))
        if train.classes != held_out.classes or train.image_shape != held_out.image_shape:
            raise ValueError(f"the splits of {settings.dataset} do not fit together")
        from trainers.classifier_fit import fit_classifier

        classifier = fit_classifier(train, settings.plan())
    except (ValueError, OSError, ImportError) as error:
        raise flags.UserError(str(error)) from error

    from trainers import environment

    figures = read_figures(classifier, held_out)
    print(table(figures, classifier.labels))
    record = {
        "settings": dataclasses.asdict(settings),
        "parameters": classifier.count_params(),
        "training_images": train.class_counts(),
        "provenance": {"train": train.provenance, settings.split: held_out.provenance},
        "environment": environment.describe(),
        "held_out": figures,
    }
    write_classifier(classifier, settings.out or "", record)
    return 0


def read_figures(classifier: ExpressionClassifier, source: ImageSource) -> dict[str, Any]:
    """How well a classifier reads a source's images, with 95 % intervals over images.

    Returns:
      as `bplf_tf.metrics.classification.classification_figures`, and the ends (low, high) of
      intervals: `accuracy_interval`, by Wilson's score, and `macro_f1_interval`, by the bootstrap;
      of each label `precision_interval` and `recall_interval`, by Wilson's score, and
      `f1_interval`, by the bootstrap, None where there is no image that they could be of.
    """
    from bplf_tf.metrics.classification import classification_figures, macro_f1
    from bplf_tf.metrics.confidence import bootstrap_interval, share_interval

    read = classifier.probabilities(source.images).argmax(axis=1)
    figures = classification_figures(source.labels, read, classifier.labels)
    low, high = bootstrap_interval(macro_f1, source.labels, read, resamples=200)
    if low == high:  # such as 1, where all are read rightly
        low, high = share_interval(figures["macro_f1"], len(source))
    of_f1 = _f1_intervals(source.labels, read, len(classifier.labels))
    for label, of in enumerate(figures["per_label"].values()):
        read_as_it = int((read == label).sum())
        of["precision_interval"] = (
            share_interval(of["precision"], read_as_it) if read_as_it else None
        )
        of["recall_interval"] = share_interval(of["recall"], of["images"]) if of["images"] else None
        low_f1, high_f1 = of_f1[label]
        if low_f1 == high_f1 and of["images"]:
            low_f1, high_f1 = share_interval(of["f1"], of["images"])
        of["f1_interval"] = (low_f1, high_f1) if of["images"] else None
    return {
        **figures,
        "accuracy_interval": share_interval(figures["accuracy"], len(source)),
        "macro_f1_interval": (low, high),
    }


def _f1_intervals(true: np.ndarray, read: np.ndarray, labels: int) -> list[tuple[float, float]]:
    """Of each label's F1 the 95 % interval, by a bootstrap that keeps how many show each label."""
    import numpy as np

    from bplf_tf.metrics.classification import figures_of_confusion
    from bplf_tf.metrics.confidence import CONFIDENCE, times_drawn

    rng = np.random.default_rng(0)
    drawn = [
        figures_of_confusion(
            np.bincount(true * labels + read, times_drawn(true, rng), labels**2).reshape(
                labels, labels
            )
        )[3]
        for _ in range(_RESAMPLES)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def table(figures: dict[str, Any], labels: tuple[str, ...]) -> str:
    """The figures as text: whole, of each label, and what was read as what."""
    lines = []
    for key, name in (("accuracy", "accuracy"), ("macro_f1", "macro-F1")):
        low, high = figures[f"{key}_interval"]
        lines.append(f"{name:<12}{figures[key]:.1%} ({low:.1%} to {high:.1%})")
    lines[0] += f" of {figures['images']} held-out images"
    width = max(9, *(len(name) + 1 for name in labels))
    head = "".join(f"{name:>{_CELL}}" for name in ("precision", "recall", "F1"))
    lines += ["", f"{'':<{width}}{'images':>{width}}{head}"]
    for name, of in figures["per_label"].items():
        cells = "".join(
            f"{_with_interval(of, key):>{_CELL}}" for key in ("precision", "recall", "f1")
        )
        lines.append(f"{name:<{width}}{of['images']:>{width}}{cells}")
    lines += ["", "read as" + "".join(f"{name:>{width}}" for name in labels)[7 - width :]]
    lines += [
        f"{name:<{width}}" + "".join(f"{count:>{width}}" for count in row)
        for name, row in zip(labels, figures["confusion"], strict=True)
    ]
    return "\n".join(lines)


def _with_interval(figures: dict[str, Any], key: str) -> str:
    ends = figures[f"{key}_interval"]
    shown = f"{figures[key]:.1%}"
    return f"{shown} ({ends[0]:.1%} to {ends[1]:.1%})" if ends else shown


def _load(settings: ClassifierSettings, split: str) -> ImageSource:
    import datasets

    return datasets.load(
        settings.dataset,
        split,
        data_path=settings.data_path,
        image_size=settings.image_size,
        channels=settings.channels,
        limit=settings.limit,
    )


if __name__ == "__main__":
    flags.run(ClassifierSettings, main)
