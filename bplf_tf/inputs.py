"""What users hand to a model: checked before any time is spent, with errors that help."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bplf_tf.stacking import stacked

ImageShape = tuple[int, int, int]


def check_images(images: Any, image_shape: ImageShape) -> tf.Tensor:
    """The images as a tensor.

    Args:
      images: uint8 `[B, H, W, C]` with B of at least 1: array, nested lists or tensor.
      image_shape: (H, W, C).

    Raises:
      ValueError: for another dtype or shape, or images of different shapes.
    """
    if not isinstance(images, tf.Tensor):
        images = stacked("images", images)
        if images.dtype.kind == "f" and np.isnan(images).any():
            raise ValueError("images must be uint8 in 0..255, got floats with NaN")
    shape = tuple(images.shape)
    if images.dtype != np.uint8:
        raise ValueError(f"images must be uint8 in 0..255, got dtype {images.dtype}")
    if len(shape) != 4 or shape[1:] != image_shape or shape[0] == 0:
        expected = ", ".join(map(str, image_shape))
        raise ValueError(f"images must have shape [B, {expected}], got {list(shape)}")
    return tf.convert_to_tensor(images)


def check_element_spec(spec: Any, image_shape: ImageShape, labelled: bool) -> None:
    """Checks that a data set yields what a model takes.

    Args:
      spec: its `element_spec`.
      image_shape: (H, W, C).
      labelled: whether labels must come with the images.

    Raises:
      ValueError: if images or labels do not fit.
    """
    paired = isinstance(spec, tuple | list)
    images = spec[0] if paired else spec
    expected = tf.TensorShape([None, *image_shape])
    if images.dtype != tf.uint8 or not expected.is_compatible_with(images.shape):
        raise ValueError(
            f"the data set must yield uint8 images of shape {expected}, "
            f"got {images.dtype.name} {images.shape}"
        )
    if labelled and not paired:
        raise ValueError("a conditional model needs a data set of (images, labels), got images")


def unpack(data: Any) -> tuple[tf.Tensor, Any]:
    """Images and labels (or None) of what Keras hands to a step."""
    images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
    if weights is not None:
        raise ValueError("sample weights are not supported: the loss is a likelihood")
    return images, labels


def first_images(x: Any, y: Any, count: int) -> tuple[Any, Any]:
    """The first `count` images (a few more from a data set) and their labels, or None.

    Args:
      x: `tf.data.Dataset` of (images, labels) or images, or images `[N, H, W, C]`.
      y: labels `[N]` where `x` is no data set.
      count: how many.

    Raises:
      ValueError: if the data set is empty.
    """
    if not isinstance(x, tf.data.Dataset):
        return x[:count], None if y is None else y[:count]
    images: list[np.ndarray] = []
    labels: list[Any] = []
    for batch in _batches(x):
        images.append(batch[0])
        labels.append(batch[1])
        if sum(map(len, images)) >= count:
            break
    if not images:
        raise ValueError("the data set is empty")
    return np.concatenate(images), None if labels[0] is None else np.concatenate(labels)


def _batches(dataset: tf.data.Dataset) -> Iterator[tuple[np.ndarray, Any]]:
    for element in dataset.as_numpy_iterator():
        yield element if isinstance(element, tuple) else (element, None)
