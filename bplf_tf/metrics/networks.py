"""Two small convolutional networks from images to features, as unlike each other as may be.

One helps to choose among generated faces and one judges what was chosen: a judge of the same form
would be deceived by what deceived the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from bplf_tf.metrics.batch_normalization import FusedBatchNormalization

FEATURES = 128
"""Size of the feature vector of every architecture: of 128 numbers a covariance can be estimated
from a few thousand faces, of the 2,048 of Inception it cannot."""

ImageShape = tuple[int, int, int]


def plain(inputs: Any, dtype: str) -> Any:
    """Stacked 3x3 convolutions, two for each size, halved by maxima; then a hidden layer.

    Source: VGG (Simonyan and Zisserman 2015), with batch normalisation.
    """
    x = inputs
    for width in (32, 64, 128):
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False, dtype=dtype)(x)
            x = layers.Activation("relu", dtype=dtype)(_normalised(dtype)(x))
        x = layers.MaxPooling2D(2, padding="same", dtype=dtype)(x)
    x = layers.Dropout(0.3, dtype=dtype)(layers.Flatten(dtype=dtype)(x))
    # Normalised too: thousands of inputs of one sign move it so far in the first steps that
    # without it most of its numbers, or all, are 0 for every image from then on.
    x = layers.Dense(FEATURES, use_bias=False, dtype=dtype)(x)
    x = layers.BatchNormalization(momentum=0.9, dtype=dtype)(x)
    return layers.Activation("relu", dtype=dtype)(x)


def residual(inputs: Any, dtype: str) -> Any:
    """Residual blocks of depthwise-separable convolutions, halved by strides; then the mean.

    Source: Arriaga et al. 2017, arXiv 1710.07557 (mini-Xception, a classifier of expressions), with
    swish in place of ReLU.
    """

    def convolution(width: int, side: int, strides: int = 1) -> Any:
        return layers.Conv2D(width, side, strides, padding="same", use_bias=False, dtype=dtype)

    def separable(width: int, strides: int) -> Any:
        return layers.SeparableConv2D(
            width, 3, strides, padding="same", use_bias=False, dtype=dtype
        )

    def swish(x: Any) -> Any:
        return layers.Activation("swish", dtype=dtype)(x)

    x = swish(_normalised(dtype)(convolution(24, 5)(inputs)))
    for width in (32, 64, FEATURES):
        shortcut = _normalised(dtype)(convolution(width, 1, strides=2)(x))
        x = swish(_normalised(dtype)(separable(width, strides=1)(x)))
        x = _normalised(dtype)(separable(width, strides=2)(x))
        x = swish(layers.Add(dtype=dtype)([x, shortcut]))
    return layers.GlobalAveragePooling2D(dtype=dtype)(x)


def _normalised(dtype: str) -> Any:
    # A tenth of each batch: a small set of faces has few, and Keras' hundredth would lag behind.
    return FusedBatchNormalization(momentum=0.9, dtype=dtype)


ARCHITECTURES: dict[str, Callable[[Any, str], Any]] = {"a": plain, "b": residual}


def feature_network(
    architecture: str, image_shape: ImageShape, dtype: str = "float32"
) -> keras.Model:
    """A network from images in 0..255, `[B, H, W, C]`, to features `[B, FEATURES]`, with weights.

    Args:
      architecture: one of `ARCHITECTURES`.
      image_shape: (H, W, C).
      dtype: Keras' dtype policy, such as "mixed_bfloat16", which computes in bfloat16.

    Raises:
      ValueError: for an architecture that is none of `ARCHITECTURES`, or images under 8 pixels.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"the architectures are {', '.join(ARCHITECTURES)}, got {architecture!r}")
    if min(image_shape[:2]) < 8:
        raise ValueError(f"images must have 8 pixels a side or more, got {image_shape}")
    inputs = layers.Input(image_shape)
    scaled = layers.Rescaling(1 / 127.5, offset=-1, dtype="float32")(inputs)
    return keras.Model(inputs, ARCHITECTURES[architecture](scaled, dtype), name="features")
