"""Which label the samples of a growing model look like: does it learn the neutral face first?

The BPLF paper says that the network "first recognizes the initial face as a neutral face", and
turns it into the others later. So samples of early models should be like neutral faces, whatever
label was asked for, and the neutral label's own should be right before any other's.

Samples are compared with the faces of each label by the direction in which their mean departs from
the average of all labels. The average itself, faint or clear, is like no label by this measure:
distances to the labels' mean faces would call it neutral wherever the neutral face happens to be
the nearest to the average. And a model that learns the most frequent label first, which of FER2013
is happy, comes out as like happy. So the claim can fail in two ways.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def standardised(images: np.ndarray) -> np.ndarray:
    """Pixels of each image with mean 0 and variance 1, `[N, H * W * C]`, from uint8.

    So that neither brightness nor contrast decides, which labels differ in, too.
    """
    flat = images.reshape(len(images), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(flat.std(axis=1, keepdims=True), 1.0)  # a grey level


def label_means(images: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Mean of the standardised images of each label, `[count, D]`.

    Raises:
      ValueError: if a label has no image.
    """
    sums = np.zeros((count, images[0].size))
    for start in range(0, len(images), 4096):  # a data set need not fit into memory as floats
        part = slice(start, start + 4096)
        np.add.at(sums, labels[part], standardised(images[part]))
    counts = np.bincount(labels, minlength=count)
    if not counts.all():
        raise ValueError(f"no image has the label {int(np.argmin(counts > 0))}")
    return sums / counts[:, np.newaxis]


def likeness(samples: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """How like each label the means of samples are, cosines in [-1, 1], `[..., E]`.

    Args:
      samples: `[..., D]`, means of standardised samples.
      faces: `[E, D]`, as from `label_means`.
    """
    average = faces.mean(axis=0)
    return _directions(samples, average) @ _directions(faces, average).T


def _directions(faces: np.ndarray, average: np.ndarray) -> np.ndarray:
    """Unit vectors in which faces depart from the average, at right angles to it.

    How much of the average there is does not count: it has yet to grow out of the noise.
    """
    along = average / max(float(np.linalg.norm(average)), 1e-12)
    departures = faces - (faces @ along)[..., np.newaxis] * along
    length = np.linalg.norm(departures, axis=-1, keepdims=True)
    return departures / np.maximum(length, 1e-12)


def share_like(liked: np.ndarray, label: int) -> np.ndarray:
    """Of the labels but one, the share whose samples are most like that one, `[S]`.

    Args:
      liked: `[S, E]`, the label that the samples of each label are most like, at each snapshot.
      label: that one.
    """
    others = np.delete(liked, label, axis=1)
    return (others == label).mean(axis=1)


def learned_at(liked: np.ndarray) -> list[int | None]:
    """The first snapshot from which on a label's samples are most like it to the end, or None."""
    found: list[int | None] = []
    for label, column in enumerate(liked.T):
        wrong = np.flatnonzero(column != label)
        first = int(wrong[-1]) + 1 if wrong.size else 0
        found.append(first if first < len(column) else None)
    return found


def rank(found: Sequence[int | None], label: int) -> float | None:
    """Place of a label among all in the order in which they were learned, 1 the first.

    Labels of one snapshot share the mean of their places. None for one that was not learned.
    """
    own = found[label]
    if own is None:
        return None
    earlier = sum(1 for other in found if other is not None and other < own)
    together = sum(1 for other in found if other == own)
    return earlier + (together + 1) / 2
