"""The functions that an exported pixel model offers: see `export.signatures`, for flows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from bplf_tf import PixelSynthesis
from bplf_tf.pixel_features import PixelFeatures
from bplf_tf.pixel_synthesis import NEUTRAL
from export import inputs, png
from export.signatures import Output, Signature, Tensors, one_hot

_COLOUR = 3  # channels, where the model's weights fit any number of them


def labels_of(model: PixelSynthesis) -> tuple[str, ...]:
    """Names of the labels in the order of their numbers: alphabetical, neutral among them."""
    return tuple(sorted((NEUTRAL, *model.labels)))


def image_shape_of(model: PixelSynthesis) -> tuple[int, int, int]:
    """(height, width, channels) of the images that the functions take.

    Raises:
      ValueError: for a model that has not been fitted.
    """
    if model.image_shape is None:
        raise ValueError("the model has not been fitted")
    height, width, channels = model.image_shape
    return height, width, _COLOUR if channels == -1 else channels


def strengths_of(model: PixelSynthesis) -> tuple[float, float]:
    """The least and the greatest strength that is accepted for every target."""
    low, high = -inputs.LARGEST_STRENGTH, inputs.LARGEST_STRENGTH
    if model.invertible:
        for label in model.labels:
            least, greatest = model.strength_range(label)
            low, high = max(low, least), min(high, greatest)
    return low, high


def pixel_signatures(model: PixelSynthesis) -> list[Signature]:
    """Both functions of a pixel model; faces are taken as neutral.

    Raises:
      ValueError: for a model that has not been fitted.
    """
    labels, shape = labels_of(model), image_shape_of(model)
    transform = _Transform(model)
    strength = inputs.strength(*strengths_of(model))
    about = "Turns neutral faces into an expression; strength 0 returns the input."
    return [
        Signature(
            "transform",
            about,
            (inputs.image(shape), inputs.label("target", labels), strength),
            (Output("image", "uint8 pixels", _grey_levels, blank=0.0),),
            lambda image, target, strength: transform(
                image, one_hot(target, len(labels)), strength
            ),
        ),
        Signature(
            "transform_png",
            "As transform, from PNG files and names of labels to PNG files.",
            (inputs.png_bytes(shape), inputs.label_name("target", labels), strength),
            (Output("png_bytes", "a PNG file", _png_files, blank=0.0, is_file=True),),
            lambda files, target, strength: transform(
                png.decoded(files, shape),
                tf.cast(tf.equal(target[:, tf.newaxis], list(labels)), tf.float32),
                strength,
            ),
        ),
    ]


class _Transform:
    """`PixelSynthesis.transform` out of the neutral, on tensors.

    Args:
      model: that has been fitted.
    """

    def __init__(self, model: PixelSynthesis) -> None:
        self._features = model.features
        labels = labels_of(model)
        shape = next(iter(model.weights.values())).shape
        nothing = np.zeros(shape, np.float32)
        tables = np.stack([model.weights.get(label, nothing) for label in labels])
        self._shape = shape
        # Variables, so that the functions share what is in the file once.
        self._tables = tf.Variable(
            tables.reshape(len(labels), -1), trainable=False, name="pixel_weights"
        )
        # Neutral has no regression: its faces stay as they are.
        self._expressive = np.array([[label != NEUTRAL] for label in labels], np.float32)

    def __call__(self, image: tf.Tensor, target: tf.Tensor, strength: tf.Tensor) -> Tensors:
        """From uint8 `[B, H, W, C]`, one-hot `[B, E]` and `[B]` to floats; 1 is white."""
        x = tf.cast(image, tf.float32) * (1 / 255)
        weights = tf.reshape(tf.matmul(target, self._tables), [-1, *self._shape])
        change = -_to_pixels(tf.matmul(target, self._expressive)) * x
        for i, feature in enumerate(_features(self._features, x)):
            change += weights[:, i] * feature
        edited = x + _to_pixels(strength[:, tf.newaxis]) * change
        # As an image, and as the file of one: an output takes what it is named after.
        return {"image": edited, "png_bytes": edited}


def _features(features: PixelFeatures, x: tf.Tensor) -> Iterator[tf.Tensor | float]:
    """What `PixelFeatures.each` yields, of images `[B, H, W, C]` in [0, 1]."""
    if features.kernel == "linear":
        reach, (height, width) = features.window // 2, x.shape[1:3]
        padded = tf.pad(x, [[0, 0], [reach, reach], [reach, reach], [0, 0]]) if reach else x
        for down in range(features.window):
            for right in range(features.window):
                yield padded[:, down : down + height, right : right + width]
    elif features.kernel == "polynomial":
        power = x
        yield power
        for _ in range(1, features.degree):
            power *= x
            yield power
    else:
        apart = 1 / (features.centres - 1)
        for number in range(features.centres):
            yield tf.exp(-0.5 * tf.square((x - number * apart) * (1 / apart)))
    yield 1.0


def _to_pixels(rows: tf.Tensor) -> tf.Tensor:
    """`[B, 1] -> [B, 1, 1, 1]`."""
    return tf.reshape(rows, [-1, 1, 1, 1])


def _grey_levels(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(tf.round(255 * images), 0, 255), tf.uint8)


def _png_files(images: tf.Tensor) -> tf.Tensor:
    return png.files_of(_grey_levels(images))
