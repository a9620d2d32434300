"""Faces of a label from a flow: drawn one after another, and kept or rejected by rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from datasets.balancing.neighbours import grey_levels_apart
from datasets.source import ImageSource

if TYPE_CHECKING:
    from bplf_tf import BPLF

LIKELIHOOD, CONFIDENCE, COPY, REPETITION = "likelihood", "confidence", "copy", "repetition"
RULES = {
    LIKELIHOOD: "the model thinks it less likely than nearly all real faces of the label",
    CONFIDENCE: "the classifier is not sure enough that it shows the label",
    COPY: "it is too near to a real face that the model may have seen",
    REPETITION: "it is too near to one that was generated before",
}
"""Why a face is rejected, in the order in which the rules are asked; the first one counts."""

_BATCH = 256
# Likelihoods of real faces that a threshold is taken from: a quantile needs no more.
_MOST_REFERENCES = 1000
# Of fewer, a quantile of a label's own says too little, and those of all labels are taken.
_FEWEST_REFERENCES = 20


class Classifier(Protocol):
    """What is asked of a classifier of expressions; `ExpressionClassifier` is one."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names, in the order of the probabilities."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images that it reads."""

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Of uint8 `[N, H, W, C]`, float32 `[N, E]`."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a generated face has to come up to.

    Attributes:
      log_prob_quantile: of the real training faces of a label, the share whose log-likelihood a
        generated one may not come up to, in [0, 1); 0 asks for nothing.
      confidence: least probability of the label, by the classifier; 0 asks for nothing.
      distance: least distance, in grey levels, from every training image, every mirrored one, and
        every face of the label that was generated before; 0 asks for nothing.
      attempts: faces drawn for a label, for each one that is wanted.
    """

    log_prob_quantile: float
    confidence: float
    distance: float
    attempts: int


@dataclasses.dataclass(frozen=True)
class Draw:
    """How faces are drawn.

    Attributes:
      temperature: of the samples.
      label_strength: likewise, see `BPLF.sample`.
      seed: from which every label gets one of its own, so that no two labels share their faces.
    """

    temperature: float = 0.7
    label_strength: float = 1.0
    seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Generated:
    """A generated face and all that is known of it.

    Attributes:
      image: uint8 `[H, W, C]`.
      seed: and
      number: `model.sample(label, number + 1, temperature, seed, label_strength)[number]` is the
        image.
      log_prob: of the image under its label, in nats.
      confidence: the classifier's probability of the label, or None without one.
      distance: to the nearest training image or mirrored one, in grey levels.
      nearest: the place of that image in the training data.
    """

    image: np.ndarray
    seed: int
    number: int
    log_prob: float
    confidence: float | None
    distance: float
    nearest: int


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a label.

    Attributes:
      wanted: faces asked for.
      made: those that were accepted, in the order of their numbers.
      attempts: faces that were drawn, up to the last one accepted, or all.
      rejected: how many of them by which rule.
      min_log_prob: the least log-likelihood accepted, or None.
    """

    wanted: int
    made: list[Generated]
    attempts: int
    rejected: dict[str, int]
    min_log_prob: float | None

    @property
    def short(self) -> int:
        """How many are missing."""
        return self.wanted - len(self.made)


class Generator:
    """Draws and judges the faces of every label; the same ones for the same seed.

    Args:
      model: a flow with the labels of the data.
      train: the real training faces, of the model's shape.
      classifier: or None to do without.
      limits: what a face has to come up to.
      draw: how faces are drawn.
    """

    def __init__(
        self,
        model: BPLF,
        train: ImageSource,
        classifier: Classifier | None,
        limits: Limits,
        draw: Draw,
    ) -> None:
        self._model = model
        self._train = train
        self._classifier = classifier
        self._limits = limits
        self._draw = draw

    def fill(self, label: str, wanted: int) -> Outcome:
        """Draws faces of a label until there are so many, or the attempts are used up."""
        limits = self._limits
        least = self._min_log_prob(label) if limits.log_prob_quantile else None
        made: list[Generated] = []
        earlier = np.empty((wanted, *self._model.config.image_shape), np.uint8)
        rejected = dict.fromkeys(RULES, 0)
        attempts = 0
        for face in self._candidates(label, limits.attempts * wanted):
            attempts += 1
            rule = self._broken_rule(face, least, earlier[: len(made)])
            if rule:
                rejected[rule] += 1
                continue
            earlier[len(made)] = face.image
            made.append(face)
            if len(made) == wanted:
                break
        return Outcome(wanted, made, attempts, rejected, least)

    def _broken_rule(self, face: Generated, least: float | None, earlier: np.ndarray) -> str | None:
        """The first of `RULES` that a face breaks, or None."""
        limits = self._limits
        # Not finite: neither more nor less than any number.
        if not face.log_prob >= (-np.inf if least is None else least):
            return LIKELIHOOD
        if face.confidence is not None and not face.confidence >= limits.confidence:
            return CONFIDENCE
        if not face.distance >= limits.distance:
            return COPY
        if limits.distance and len(earlier):
            (distance,), _ = grey_levels_apart(face.image[np.newaxis], earlier)
            if not distance >= limits.distance:
                return REPETITION
        return None

    def _candidates(self, label: str, most: int) -> Iterator[Generated]:
        """Up to `most` faces, judged but for their repetition."""
        classes = self._model.config.classes
        seed = self._draw.seed * len(classes) + classes.index(label)
        for start in range(0, most, _BATCH):
            numbers = range(start, min(start + _BATCH, most))
            images = self._drawn(label, seed, numbers)
            log_probs = self._model.log_prob(images, label)
            confidences: list[float | None] = [None] * len(images)
            if self._classifier is not None:
                column = self._classifier.labels.index(label)
                confidences = [*map(float, self._classifier.probabilities(images)[:, column])]
            distances, nearest = grey_levels_apart(images, self._train.images)
            for i, number in enumerate(numbers):
                yield Generated(
                    images[i],
                    seed,
                    number,
                    float(log_probs[i]),
                    confidences[i],
                    float(distances[i]),
                    int(nearest[i]),
                )

    def _drawn(self, label: str, seed: int, numbers: range) -> np.ndarray:
        """What `BPLF.sample` draws under these numbers."""
        seeds = np.stack([np.full(len(numbers), seed), numbers], axis=1).astype(np.int32)
        temperatures = np.full(len(numbers), self._draw.temperature, np.float32)
        latents = self._model.sample_latents(seeds, temperatures)
        condition = self._model.strengthened_label(label, self._draw.label_strength)
        return self._model.decode(np.asarray(latents), condition)

    def _min_log_prob(self, label: str) -> float:
        """The quantile wanted of the log-likelihoods of real faces of the label."""
        own = np.flatnonzero(self._train.labels == self._train.classes.index(label))
        if len(own) < _FEWEST_REFERENCES:
            own = np.arange(len(self._train))
        # Drawn at random: data may be sorted, and its first images of one kind.
        rng = np.random.default_rng([self._draw.seed, self._train.classes.index(label)])
        some = rng.choice(own, min(len(own), _MOST_REFERENCES), replace=False)
        labels = self._train.labels[some]
        log_prob = self._model.log_prob(self._train.images[some], labels)
        return float(np.quantile(log_prob, self._limits.log_prob_quantile))
