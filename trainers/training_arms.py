"""The sets of images that classifiers are fitted to beside each other, so that they compare.

Every classifier sees as many images in an epoch, and its epoch is chosen by the same real images,
which none of them is fitted to. What differs is what it is shown.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from datasets import ImageSource
from trainers.classifier_fit import kept_apart

REAL, GENERATED, BOTH = "real", "generated", "real + generated"
REPEATED = "real, repeated"
"""Real images alone, those of rare labels repeated until each label has as many as of `BOTH`: what
plain repetition is worth, beside new images."""


@dataclasses.dataclass(frozen=True)
class Arms:
    """What the classifiers of one seed are fitted to.

    Attributes:
      sets: by their names; images as often as an epoch shows them.
      counts: of each set, images of each label before any is repeated.
      kept_back: real images to choose among the epochs by.
    """

    sets: dict[str, ImageSource]
    counts: dict[str, dict[str, int]]
    kept_back: ImageSource


def training_arms(real: ImageSource, generated: ImageSource, seed: int, repeated: bool) -> Arms:
    """Real images, generated ones, and both; a tenth of the real ones is kept back.

    Generated images that do not have every label of the real ones make no set of their own: who is
    trained on them alone knows no other label.

    Args:
      real: training images.
      generated: with the same labels in the same order.
      seed: of what is kept back, and of what is repeated.
      repeated: whether there is to be the set `REPEATED`.

    Raises:
      ValueError: if their labels or shapes differ.
    """
    for what in ("classes", "image_shape"):
        first, second = getattr(real, what), getattr(generated, what)
        if first != second:
            raise ValueError(f"real images have {what} {first}, generated ones {second}")
    fitted, kept = kept_apart(real.labels, seed)
    rng = np.random.default_rng(seed)
    some = _chosen(real, fitted)
    both = dataclasses.replace(
        some,
        name=f"{real.name} and {generated.name}",
        images=np.concatenate([some.images, generated.images]),
        labels=np.concatenate([some.labels, generated.labels]),
        provenance={REAL: real.provenance, GENERATED: generated.provenance},
    )
    distinct = {REAL: some}
    if repeated:
        distinct[REPEATED] = some
    if all(generated.class_counts()[name] for name, count in real.class_counts().items() if count):
        distinct[GENERATED] = generated
    distinct[BOTH] = both
    sets = dict(distinct)
    if repeated:
        sets[REPEATED] = _filled_up(some, both.class_counts(), rng)
    most = max(map(len, sets.values()))
    return Arms(
        {
            name: _chosen(of, _repeated(np.arange(len(of)), most, rng)) if len(of) < most else of
            for name, of in sets.items()
        },
        {name: of.class_counts() for name, of in distinct.items()},
        _chosen(real, kept),
    )


def _filled_up(
    source: ImageSource, counts: dict[str, int], rng: np.random.Generator
) -> ImageSource:
    """Each label's images repeated until there are as many as wanted, where it has any."""
    places = []
    for label, name in enumerate(source.classes):
        own = np.flatnonzero(source.labels == label)
        if own.size:
            places.append(_repeated(own, counts[name], rng))
    return _chosen(source, np.concatenate(places))


def _repeated(places: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """All places equally often, but for the rest of the division, which is drawn at random."""
    return np.resize(rng.permutation(places), count)


def _chosen(source: ImageSource, places: np.ndarray) -> ImageSource:
    return dataclasses.replace(source, images=source.images[places], labels=source.labels[places])
