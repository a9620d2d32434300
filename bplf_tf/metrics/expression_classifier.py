"""`ExpressionClassifier`: which expression a face shows, and features to compare sets of faces."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bplf_tf.files import model_path
from bplf_tf.inputs import check_images
from bplf_tf.metrics.networks import feature_network

# Images per call of a compiled function, so that a whole data set can be handed in.
_BATCH = 256


@keras.saving.register_keras_serializable("bplf_tf")
class ExpressionClassifier(keras.Model):
    """A small convolutional network that reads labels from 8-bit images.

    `python -m trainers.classifier` trains one. The file that `save` writes, ending in `.keras`,
    holds all that `load` needs. As a Keras model it maps images to logits.

    Args:
      image_shape: (height, width, channels).
      labels: names of the labels, in the order of the logits; two or more, all different.
      architecture: one of `bplf_tf.metrics.networks.ARCHITECTURES`.
      network_dtype: Keras' dtype policy of all but the last layer. "mixed_bfloat16" trains sooner
        on processors that compute in it; `in_float32` is the same classifier in float32.

    Raises:
      ValueError: for another architecture, images that are too small for it, or such labels.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        labels: Sequence[str],
        architecture: str = "a",
        network_dtype: str = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        names = tuple(labels)
        if len(names) < 2 or len(set(names)) != len(names):
            raise ValueError(f"a classifier needs two or more different labels, got {names}")
        height, width, channels = image_shape
        self._image_shape = (int(height), int(width), int(channels))
        self._labels = names
        self._architecture = architecture
        self._network_dtype = network_dtype
        self._trunk = feature_network(architecture, self._image_shape, network_dtype)
        self._head = keras.layers.Dense(len(names), dtype="float32", name="logits")
        self._head.build(self._trunk.output_shape)
        self._functions: dict[str, Any] = {}
        self.built = True

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels, in the order of the logits."""
        return self._labels

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images."""
        return self._image_shape

    @property
    def architecture(self) -> str:
        """The name of its network."""
        return self._architecture

    def get_config(self) -> dict[str, Any]:
        """What `from_config` makes the same model of, without the weights."""
        return {
            **super().get_config(),
            "image_shape": list(self._image_shape),
            "labels": list(self._labels),
            "architecture": self._architecture,
            "network_dtype": self._network_dtype,
        }

    def in_float32(self) -> ExpressionClassifier:
        """The same weights in a classifier that computes in float32."""
        classifier = ExpressionClassifier(self._image_shape, self._labels, self._architecture)
        classifier.set_weights(self.get_weights())
        return classifier

    def call(self, images: Any, training: bool = False) -> Any:
        """Logits, float32 `[B, E]`, of images in 0..255, `[B, H, W, C]` of any dtype."""
        return self._head(
            self._trunk(keras.ops.cast(images, self.compute_dtype), training=training)
        )

    def probabilities(self, images: Any) -> np.ndarray:
        """How likely each label is, float32 `[N, E]`, by the softmax.

        Args:
          images: uint8 `[N, H, W, C]`, any number of them.

        Raises:
          ValueError: for images of another dtype or shape.
        """
        return self._in_batches(
            "probabilities", lambda x: tf.nn.softmax(self(x, training=False)), images
        )

    def features(self, images: Any) -> np.ndarray:
        """The layer before the logits, float32 `[N, F]`; arguments as `probabilities` has them."""
        return self._in_batches(
            "features",
            lambda x: self._trunk(tf.cast(x, self.compute_dtype), training=False),
            images,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ExpressionClassifier:
        """Loads what `save` wrote.

        Args:
          path: the `.keras` file, or a folder with a `model.keras`.

        Raises:
          FileNotFoundError: if there is no such file.
          ValueError: if the file holds something else.
        """
        file = model_path(path)
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{file} is not a .keras file")
        model = keras.saving.load_model(file, compile=False)
        if not isinstance(model, cls):
            raise ValueError(f"{file} holds a {type(model).__name__}, not an {cls.__name__}")
        return model

    def _in_batches(self, name: str, function: Any, images: Any) -> np.ndarray:
        check_images(images[:1], self._image_shape)  # an empty array of faces is told too
        compiled = self._functions.setdefault(
            name,
            tf.function(
                function,
                input_signature=[tf.TensorSpec([None, *self._image_shape], tf.uint8)],
                autograph=False,
            ),
        )
        starts = range(0, len(images), _BATCH)
        return np.concatenate(
            [
                compiled(check_images(images[s : s + _BATCH], self._image_shape)).numpy()
                for s in starts
            ]
        )
