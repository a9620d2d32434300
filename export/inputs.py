"""What the exported functions take: name, dtype, shape, and which values are accepted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from export import png

# A sample at ten standard deviations is no picture any more; what is beyond is a mistake.
HIGHEST_TEMPERATURE = 10.0
# Of the way from source to target; beyond 1 an expression is exaggerated, below 0 turned round.
LARGEST_STRENGTH = 10.0
# A label has 1; one that is strengthened ten times has 10, which is a caricature already.
LARGEST_WEIGHT = 100.0
# Of a standard normal number; images that no training resembles have some hundred.
LARGEST_LATENT = 100_000.0
_LARGEST_FLOAT = 3e38
# Characters of a string that an error repeats: gRPC has no room for a sentence beyond 8 KiB.
_SHOWN_CHARACTERS = 60


@dataclasses.dataclass(frozen=True)
class Input:
    """One input of an exported function; the first axis, not in `shape`, is the batch.

    Attributes:
      name: by which callers give it.
      dtype: of its values.
      shape: of one row.
      accepted: end of the sentence "<name> must ...".
      valid: rows `[B, *shape]` to bool `[B]`: which rows are accepted. Of operations that every
        interpreter has, but for strings.
      example: one row that is accepted.
      shown: what an error says of a row that is not accepted; None says nothing of it.
    """

    name: str
    dtype: tf.DType
    shape: tuple[int, ...]
    accepted: str
    valid: Callable[[tf.Tensor], tf.Tensor]
    example: Any
    shown: Callable[[tf.Tensor], tf.Tensor] | None = tf.identity

    def spec(self, rows: int | None = None) -> tf.TensorSpec:
        """Shape and dtype of a batch of `rows`, by default of any number of them."""
        return tf.TensorSpec([rows, *self.shape], self.dtype, name=self.name)

    def examples(self, count: int) -> np.ndarray:
        """A batch of `count` examples."""
        return np.stack([np.asarray(self.example, self.dtype.as_numpy_dtype)] * count)


def label(name: str, classes: Sequence[str]) -> Input:
    """Number of a class."""
    count = len(classes)
    named = ", ".join(f"{i} {c}" for i, c in enumerate(classes))
    return Input(
        name,
        tf.int32,
        (),
        f"lie in 0..{count - 1} ({named})",
        lambda rows: (rows >= 0) & (rows < count),
        0,
    )


def label_name(name: str, classes: Sequence[str]) -> Input:
    """Name of a class, UTF-8."""
    return Input(
        name,
        tf.string,
        (),
        f"be one of {', '.join(classes)}",
        lambda rows: tf.reduce_any(tf.equal(rows[:, tf.newaxis], list(classes)), axis=1),
        classes[0].encode(),
        _beginning,
    )


def condition(classes: Sequence[str]) -> Input:
    """Weight of each class, for mixtures and for labels that are made plainer."""
    return Input(
        "condition",
        tf.float32,
        (len(classes),),
        f"be {len(classes)} numbers in {-LARGEST_WEIGHT:g}..{LARGEST_WEIGHT:g}, the weights of "
        f"{', '.join(classes)}",
        lambda rows: _rows_within(rows, LARGEST_WEIGHT),
        np.eye(len(classes))[0],
    )


def temperature() -> Input:
    """Factor of the latents' standard deviation."""
    return Input(
        "temperature",
        tf.float32,
        (),
        f"lie in 0..{HIGHEST_TEMPERATURE:g}",
        lambda rows: (rows >= 0) & (rows <= HIGHEST_TEMPERATURE),
        0.7,
    )


def seed() -> Input:
    """What a sample depends on: the seed of `BPLF.sample` and the number of the image."""
    return Input(
        "seed",
        tf.int32,
        (2,),
        "be two integers, a seed and the number of the image",
        _always,
        [0, 0],
    )


def image(image_shape: tuple[int, int, int]) -> Input:
    """8-bit pixels."""
    height, width, channels = image_shape
    kind = "grey" if channels == 1 else "RGB"
    return Input(
        "image",
        tf.uint8,
        image_shape,
        f"be {kind} pixels in 0..255, {height} rows of {width}",
        _always,
        np.full(image_shape, 128),
    )


def png_bytes(image_shape: tuple[int, int, int]) -> Input:
    """A PNG file of the model's size."""
    height, width, _ = image_shape
    return Input(
        "png_bytes",
        tf.string,
        (),
        f"be a PNG of {width}x{height} pixels",
        lambda rows: png.has_size(rows, height, width),
        png.encoded(np.full(image_shape, 128, np.uint8)),
        png.described,
    )


def latent(dimensions: int) -> Input:
    """Standardised latent, as `encode` gives it."""
    return Input(
        "latent",
        tf.float32,
        (dimensions,),
        f"be {dimensions} numbers in {-LARGEST_LATENT:.0f}..{LARGEST_LATENT:.0f}",
        lambda rows: _rows_within(rows, LARGEST_LATENT),
        np.zeros(dimensions),
        None,
    )


def strength(low: float = -LARGEST_STRENGTH, high: float = LARGEST_STRENGTH) -> Input:
    """Share of the way from source to target."""
    return Input(
        "strength",
        tf.float32,
        (),
        f"lie in {low:.6g}..{high:.6g}",
        lambda rows: (rows >= low) & (rows <= high),
        1.0,
    )


def _beginning(rows: tf.Tensor) -> tf.Tensor:
    """What an error can say of strings, whatever bytes they are: valid UTF-8, and not long."""
    rows = tf.strings.substr(rows, 0, 4 * _SHOWN_CHARACTERS + 4)  # a character has 4 bytes or fewer
    text = tf.strings.unicode_transcode(rows, "UTF-8", "UTF-8", errors="replace")
    cut = tf.strings.substr(text, 0, _SHOWN_CHARACTERS, unit="UTF8_CHAR")
    return tf.where(tf.equal(cut, text), text, cut + "...")


def _always(rows: tf.Tensor) -> tf.Tensor:
    return tf.ones_like(tf.reshape(rows, [tf.shape(rows)[0], -1])[:, 0], dtype=tf.bool)


def finite_rows(rows: tf.Tensor) -> tf.Tensor:
    """Which rows `[B, ...]` hold neither NaN nor infinities, bool `[B]`.

    By a comparison, because TFLite has no operation that asks for it.
    """
    return _rows_within(rows, _LARGEST_FLOAT)


def _rows_within(rows: tf.Tensor, largest: float) -> tf.Tensor:
    flat = tf.reshape(rows, [tf.shape(rows)[0], -1]) if rows.shape.rank != 1 else rows[:, None]
    return tf.reduce_all(tf.abs(flat) <= largest, axis=1)
