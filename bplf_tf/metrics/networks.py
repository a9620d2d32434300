"""Two small convolutional networks from images to features, as unlike each other as may be.

One helps to choose among generated faces and one judges what was chosen: a judge of the same form
would be deceived by what deceived the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

FEATURES = 128
"""Size of the feature vector of every architecture: of 128 numbers a covariance can be estimated
from a few thousand faces, of the 2,048 of Inception it cannot."""

ImageShape = tuple[int, int, int]


def plain(inputs: Any) -> Any:
    """Stacked 3x3 convolutions, two for each size, halved by maxima; then a hidden layer.

    Source: VGG (Simonyan and Zisserman 2015), with batch normalisation.
    """
    x = inputs
    for width in (32, 64, 128):
        for _ in range(2):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = layers.Activation("relu")(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    return layers.Dense(FEATURES, activation="relu")(x)


def residual(inputs: Any) -> Any:
    """Residual blocks of depthwise-separable convolutions, halved by strides; then the mean.

    Source: Arriaga et al. 2017, arXiv 1710.07557 (mini-Xception, a classifier of expressions), with
    swish in place of ReLU.
    """
    x = layers.Conv2D(24, 5, padding="same", use_bias=False)(inputs)
    x = layers.Activation("swish")(layers.BatchNormalization()(x))
    for width in (32, 64, FEATURES):
        shortcut = layers.Conv2D(width, 1, strides=2, padding="same", use_bias=False)(x)
        shortcut = layers.BatchNormalization()(shortcut)
        for stride in (1, 2):
            x = layers.SeparableConv2D(width, 3, stride, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization()(x)
            x = layers.Activation("swish")(x) if stride == 1 else x
        x = layers.Activation("swish")(layers.Add()([x, shortcut]))
    return layers.GlobalAveragePooling2D()(x)


ARCHITECTURES: dict[str, Callable[[Any], Any]] = {"a": plain, "b": residual}


def feature_network(architecture: str, image_shape: ImageShape) -> keras.Model:
    """A network from images in 0..255, `[B, H, W, C]`, to features `[B, FEATURES]`, with weights.

    Raises:
      ValueError: for an architecture that is none of `ARCHITECTURES`, or images under 8 pixels.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(f"the architectures are {', '.join(ARCHITECTURES)}, got {architecture!r}")
    if min(image_shape[:2]) < 8:
        raise ValueError(f"images must have 8 pixels a side or more, got {image_shape}")
    inputs = layers.Input(image_shape)
    scaled = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    return keras.Model(inputs, ARCHITECTURES[architecture](scaled), name="features")
