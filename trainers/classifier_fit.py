"""Fits an expression classifier to labelled images; the one way in which this project does it."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from datasets import ImageSource
from trainers.nonfinite import NonFiniteError
from trainers.pace import ScheduledRun, Stopwatch
from trainers.schedule import Schedule

_KEPT_BACK = 0.1  # of the training images, to choose the weights by


@dataclasses.dataclass(frozen=True)
class ClassifierPlan:
    """How a classifier is fitted.

    Attributes:
      architecture: one of `bplf_tf.metrics.networks.ARCHITECTURES`.
      epochs: most passes over the training images.
      max_minutes: ends the fit sooner; the learning rate falls to 0 in whichever comes first.
      patience: passes without a better loss on the images kept back after which it ends.
      batch_size: images a step.
      learning_rate: of Adam, at the start.
      flip: whether training images are mirrored at random.
      move: share of a side by which they are moved, enlarged or made smaller at random, and half
        of which, in turns, by which they are turned; 0 leaves them as they are.
      seed: of the weights' start, the order, the augmentation and the images kept back.
      network_dtype: arithmetic of the fit, float32 or mixed_bfloat16; what comes out of it computes
        in float32.
    """

    architecture: str = "a"
    epochs: int = 30
    max_minutes: float | None = None
    patience: int = 5
    batch_size: int = 64
    learning_rate: float = 1e-3
    flip: bool = True
    move: float = 0.08
    seed: int = 0
    network_dtype: str = "float32"


def fit_classifier(
    train: ImageSource,
    plan: ClassifierPlan,
    verbose: int = 2,
    kept_back: ImageSource | None = None,
) -> ExpressionClassifier:
    """Fits a classifier to all but a tenth of the images; that tenth chooses among the epochs.

    So a figure on held-out images is one that nothing was chosen by.

    Args:
      train: with images of two labels or more.
      plan: how.
      verbose: as of Keras' `fit`.
      kept_back: images to choose among the epochs by instead; then all of `train` is fitted to.

    Raises:
      ValueError: there are too few images or labels, or the plan names no architecture.
      NonFiniteError: the loss is no number any more.
    """
    if len(shown := np.unique(train.labels)) < 2:
        raise ValueError(
            f"all {len(train)} training images are labelled {train.classes[shown[0]]}; a "
            "classifier needs images of two labels or more"
        )
    keras.utils.set_random_seed(plan.seed)
    classifier = ExpressionClassifier(
        train.image_shape, train.classes, plan.architecture, plan.network_dtype
    )
    trained = keras.Sequential([*augmentation(plan), classifier])
    trained.compile(
        optimizer=keras.optimizers.Adam(plan.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    images, labels = train.images, train.labels
    if kept_back is None:
        fitted, kept = kept_apart(labels, plan.seed)
        chosen_by = (images[kept], labels[kept])
        images, labels = images[fitted], labels[fitted]
    else:
        chosen_by = (kept_back.images, kept_back.labels)
    steps = -(-len(images) // plan.batch_size)
    schedule = Schedule(plan.learning_rate, 0, plan.epochs * steps, plan.max_minutes)
    watch = Stopwatch()
    watch.start()
    history = trained.fit(
        images,
        labels,
        batch_size=plan.batch_size,
        epochs=plan.epochs,
        validation_data=chosen_by,
        callbacks=[
            ScheduledRun(schedule, watch.minutes),
            keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=plan.patience, restore_best_weights=True
            ),
        ],
        verbose=verbose,
    )
    if not np.isfinite(history.history["loss"]).all():
        raise NonFiniteError(f"the classifier's loss was {history.history['loss'][-1]}")
    return classifier.in_float32()


def augmentation(plan: ClassifierPlan) -> list[keras.layers.Layer]:
    """Keras layers that change training images at random, and leave all others as they are."""
    chosen: list[keras.layers.Layer] = [keras.layers.RandomFlip("horizontal")] if plan.flip else []
    if plan.move:
        chosen += [
            keras.layers.RandomTranslation(plan.move, plan.move, fill_mode="nearest"),
            keras.layers.RandomRotation(plan.move / 2, fill_mode="nearest"),
            keras.layers.RandomZoom((-plan.move, plan.move), fill_mode="nearest"),
        ]
    return chosen


def kept_apart(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the images to fit to, and of a tenth of each label's to choose by.

    Raises:
      ValueError: no label has ten images.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    parts = [order[labels[order] == label] for label in np.unique(labels)]
    kept = np.concatenate([part[: int(_KEPT_BACK * len(part))] for part in parts])
    if not kept.size:
        raise ValueError(f"{len(labels)} images are too few: ten of one label are the fewest")
    rest = np.concatenate([part[int(_KEPT_BACK * len(part)) :] for part in parts])
    return np.sort(rest), np.sort(kept)
