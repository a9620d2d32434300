"""Pictures by which a person judges a trained model."""

from __future__ import annotations

import numpy as np
from PIL import Image

from bplf_tf import BPLF
from bplf_tf.editing import interpolate
from bplf_tf.metrics.memorisation import nearest
from datasets import ImageSource
from trainers.image_grid import image_grid

Drawn = list[tuple[str, np.ndarray]]  # samples of each label, beside its name

TEMPERATURES = tuple(i / 10 for i in range(11))
_SHOWN = 8
_INTERPOLATED = 9


def all_pictures(
    model: BPLF, held_out: ImageSource, train: ImageSource, temperature: float, seed: int
) -> dict[str, Image.Image]:
    """Every picture of this module, by the name of its file without the ending."""
    drawn = [
        (name, model.sample(label, n=_SHOWN, temperature=temperature, seed=seed))
        for name, label in _labels(model)
    ]
    return {
        "samples": samples(drawn, temperature),
        "temperatures": temperatures(model, seed),
        "neighbours": neighbours(drawn, train),
        "reconstruction": reconstruction(model, held_out),
        "interpolation": interpolation(model, held_out),
    }


def samples(drawn: Drawn, temperature: float) -> Image.Image:
    """A row of samples for each label; the faces of a column share a latent."""
    return image_grid(
        [(name, [images]) for name, images in drawn], (f"samples, temperature {temperature:g}",)
    )


def temperatures(model: BPLF, seed: int) -> Image.Image:
    """A row for each label, of one latent at temperatures from 0 to 1."""
    rows = [
        (
            name,
            [model.sample(label, n=1, temperature=t, seed=seed) for t in TEMPERATURES],
        )
        for name, label in _labels(model)
    ]
    return image_grid(rows, tuple(f"{t:g}" for t in TEMPERATURES))


def neighbours(drawn: Drawn, train: ImageSource) -> Image.Image:
    """Samples of each label, and under the second heading the training image nearest to each.

    Nearest by the squared difference of pixels, over all labels: copies would show.
    """
    rows = [
        (name, [images, train.images[nearest(images, train.images)[0]]]) for name, images in drawn
    ]
    return image_grid(rows, ("samples", "the nearest training image of each"))


def reconstruction(model: BPLF, source: ImageSource) -> Image.Image:
    """Held-out images, what decoding their latents gives, and the difference, 255 times."""
    some = source.images[: 2 * _SHOWN]
    labels = source.labels[: 2 * _SHOWN] if model.config.classes else None
    decoded = model.decode(model.encode(some, labels), labels)
    difference = np.abs(some.astype(int) - decoded)
    seen = np.minimum(255 * difference, 255).astype(np.uint8)
    rows = [("", [part[i : i + _SHOWN]]) for i in (0, _SHOWN) for part in (some, decoded, seen)]
    rows = [row for row in rows if len(row[1][0])]
    return image_grid(rows, ("images; decoded from their latents; differences in white",))


def interpolation(model: BPLF, source: ImageSource) -> Image.Image:
    """Rows from one held-out image to another, along the arc between their latents.

    The label goes along as a mixture.
    """
    rows = []
    for place in range(0, min(len(source) - 1, 2 * _SHOWN), 2):
        first, last = (source.images[place + i : place + i + 1] for i in (0, 1))
        labels = source.labels[place : place + 2] if model.config.classes else (None, None)
        (between,) = interpolate(model, first, last, _INTERPOLATED, *labels)
        rows.append(("", [between]))
    return image_grid(rows, ("from one held-out image to another",))


def _labels(model: BPLF) -> list[tuple[str, int | None]]:
    return [(name, i) for i, name in enumerate(model.config.classes)] or [("", None)]
