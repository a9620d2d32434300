"""Runs the figures that `python -m trainers.evaluate --metrics=...` asks for."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from bplf_tf import BPLF, PixelSynthesis
from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from datasets import ImageSource
from datasets import pairs as face_pairs
from trainers import classification_score, edit_metrics, sample_metrics
from trainers.classifier_fit import ClassifierPlan
from trainers.measure import spread
from trainers.metric_settings import CLASSIFICATION, EDITS, OF_SAMPLES
from trainers.strip_editors import StripEditor, flow_editor, null_editors, pixel_editor

if TYPE_CHECKING:
    from trainers.evaluate import EvaluateSettings

_PEOPLE_OF_THE_MEAN = 200  # whose faces make the mean that a null editor pastes


@dataclasses.dataclass(frozen=True)
class Judges:
    """The classifiers that were given.

    Attributes:
      judge: by which nothing was chosen.
      chooser: by which samples may have been, or None.
      identity: which tells people apart, or None.
      pixel: a pixel model to measure beside the flow, or None.
    """

    judge: ExpressionClassifier
    chooser: ExpressionClassifier | None
    identity: ExpressionClassifier | None
    pixel: PixelSynthesis | None


def load_judges(settings: EvaluateSettings, model: BPLF) -> Judges:
    """Loads what the flags name.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: a file holds something else, or for other images or labels than the model's.
    """
    shape, classes = model.config.image_shape, model.config.classes
    if not classes:
        raise ValueError(f"--metrics: {settings.model} was trained without labels")
    loaded = {
        name: ExpressionClassifier.load(path) if path else None
        for name, path in (
            ("judge", settings.judge),
            ("classifier", settings.classifier),
            ("identity", settings.identity),
        )
    }
    for name, classifier in loaded.items():
        if classifier is None:
            continue
        if classifier.image_shape != shape:
            raise ValueError(
                f"--{name} was trained on images of {classifier.image_shape}, the model on {shape}"
            )
        if name != "identity" and classifier.labels != classes:
            raise ValueError(
                f"--{name} has the labels {', '.join(classifier.labels)}, the model "
                f"{', '.join(classes)}"
            )
    pixel = PixelSynthesis.load(settings.pixel_model) if settings.pixel_model else None
    if pixel:
        _check_pixel_model(pixel, model)
    judge = loaded["judge"]
    assert judge is not None  # the flags were checked
    return Judges(judge, loaded["classifier"], loaded["identity"], pixel)


def _check_pixel_model(pixel: PixelSynthesis, model: BPLF) -> None:
    """Raises `ValueError` if it edits other images than the model does."""
    height, width, channels = model.config.image_shape
    assert pixel.image_shape is not None  # it was fitted before it was saved
    if pixel.image_shape not in ((height, width, channels), (height, width, -1)):  # -1: any
        raise ValueError(
            f"--pixel_model was fitted to images of {pixel.image_shape}, the model to "
            f"{model.config.image_shape}"
        )


def measure_metrics(
    settings: EvaluateSettings,
    model: BPLF,
    judges: Judges,
    held_out: ImageSource,
    train: ImageSource,
    others: ImageSource | None = None,
) -> tuple[dict[str, Any], str]:
    """The figures that the flags ask for, for a JSON file and as text.

    Args:
      settings: the flags.
      model: the flow.
      judges: what `load_judges` loaded.
      held_out: real images to compare with.
      train: those that the flow and the judge were trained on.
      others: further held-out images, for the column of real ones beside the samples; without them
        halves of `held_out` are compared with each other.

    Raises:
      ValueError: the data has too few images, or no faces that could be edited, or the pixel model
        does not know what they are edited to.
    """
    chosen = settings.chosen_metrics()
    seeds = range(settings.seed, settings.seed + settings.metric_seeds)
    result: dict[str, Any] = {
        "judge": {"path": settings.judge, "architecture": judges.judge.architecture},
        "seeds": list(seeds),
    }
    texts = []
    # The faces to edit first: whatever is wrong with them is to be told before hours of samples.
    edits = _edit_cases(settings, model, held_out, train) if EDITS in chosen else None
    if edits and judges.pixel:
        lacking = sorted(set(edits[0].expressions) - set(judges.pixel.labels))
        if lacking:
            raise ValueError(
                f"--pixel_model knows {', '.join(judges.pixel.labels)}, but not "
                f"{', '.join(lacking)}, which faces are edited to"
            )
    of_samples = [name for name in chosen if name in OF_SAMPLES]
    if of_samples:
        plan = sample_metrics.SamplePlan(
            of_samples, settings.temperature, seeds, settings.samples, settings.label_strength
        )
        result["samples"] = sample_metrics.sample_metrics(
            model, judges.judge, held_out, train, plan, judges.chooser, others
        )
        texts.append(sample_metrics.table(result["samples"]))
    if CLASSIFICATION in chosen:
        result[CLASSIFICATION] = _classification(settings, model, held_out, train)
        texts.append(classification_score.table(result[CLASSIFICATION]))
    if edits:
        cases, examples, note = edits
        editors = _editors(model, judges.pixel, examples)
        result[EDITS] = edit_metrics.edit_metrics(editors, cases, judges.judge, judges.identity)
        result[EDITS]["note"] = note
        texts.append(edit_metrics.table(result[EDITS]) + (f"\n({note})" if note else ""))
    return result, "\n\n".join(texts)


def _classification(
    settings: EvaluateSettings, model: BPLF, held_out: ImageSource, train: ImageSource
) -> dict[str, Any]:
    real = spread(train, settings.training_images or len(train))
    of_seeds = {}
    for seed in range(settings.seed, settings.seed + settings.metric_seeds):
        images = model.sample(
            real.labels, len(real), settings.temperature, seed, settings.label_strength
        )
        provenance = {
            "model": settings.model,
            "temperature": settings.temperature,
            "label_strength": settings.label_strength,
            "seed": seed,
        }
        generated = dataclasses.replace(
            real, name="generated", images=images, provenance=provenance
        )
        of_seeds[seed] = (real, generated)
    plan = ClassifierPlan(
        epochs=settings.classifier_epochs, max_minutes=settings.classifier_minutes
    )
    return classification_score.classification_scores(of_seeds, held_out, plan)


def _edit_cases(
    settings: EvaluateSettings, model: BPLF, held_out: ImageSource, train: ImageSource
) -> tuple[edit_metrics.EditCases, dict[str, np.ndarray], str]:
    """What to edit, faces of each label for the null editor, and what is to be said of it."""
    note = "no pairs: the faces are held-out ones of the data set"
    height, width, channels = model.config.image_shape
    if settings.dataset in face_pairs.NAMES and height == width:
        try:
            train_pairs, pairs = (
                face_pairs.load_pairs(
                    settings.dataset,
                    split,
                    settings.data_path,
                    image_size=height,
                    channels=channels,
                    people=people,
                )
                for split, people in (
                    ("train", _PEOPLE_OF_THE_MEAN),
                    (settings.split, settings.edit_people),
                )
            )
        except ValueError as error:  # such as a built set whose sources have no people
            note = f"no pairs: {error}"
        else:
            known = [pairs.classes.index(name) for name in train_pairs.expressions]
            pairs = pairs.chosen(np.flatnonzero(np.isin(pairs.labels, known)))
            examples = {name: train_pairs.of(name).expressive for name in train_pairs.expressions}
            return edit_metrics.cases_of_pairs(pairs), examples, ""
    cases = edit_metrics.cases_of_faces(held_out, settings.edit_people)
    if lacking := [name for name in cases.expressions if not train.class_counts()[name]]:
        raise ValueError(
            f"{train.name} has no training images of {', '.join(lacking)}, whose mean the null "
            "editor pastes"
        )
    examples = {
        name: train.images[train.labels == train.classes.index(name)] for name in cases.expressions
    }
    return cases, examples, note


def _editors(
    model: BPLF, pixel: PixelSynthesis | None, examples: dict[str, np.ndarray]
) -> dict[str, StripEditor]:
    editors = {**null_editors(examples), "flow": flow_editor(model)}
    if pixel:
        editors["pixel model"] = pixel_editor(pixel)
    return editors
