"""`BPLF`, the flow as a Keras model."""

from __future__ import annotations

import dataclasses
import os
import zipfile
from typing import Any

import keras

from bplf_tf.config import ModelConfig, preset_config
from bplf_tf.evaluation import Evaluation
from bplf_tf.files import model_path
from bplf_tf.latents import Latents
from bplf_tf.layers.invert_1x1_conv import Invert1x1ConvWeights
from bplf_tf.training import START_IMAGES, Training

__all__ = ["BPLF", "START_IMAGES", "load_model"]


@keras.saving.register_keras_serializable("bplf_tf")
class BPLF(Training, Evaluation, Latents):
    """A conditional normalizing flow on 8-bit images.

    Images are uint8 `[B, H, W, C]` at every public method; a label is a class name, an integer, a
    condition vector, or a batch of them (`bplf_tf.labels`). All weights exist after construction.

    Source: the BPLF paper; multi-scale form and split priors after Glow (Kingma and Dhariwal 2018).
    """

    @classmethod
    def from_preset(
        cls,
        name: str,
        size: str = "small",
        image_shape: tuple[int, int, int] = (48, 48, 1),
        classes: tuple[str, ...] | None = None,
        **changes: Any,
    ) -> BPLF:
        """A new model of a named preset; see `bplf_tf.config.preset_config`."""
        if classes is not None:
            changes["classes"] = classes
        return cls(preset_config(name, size, image_shape=image_shape, **changes))

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs, as plain values."""
        return {"config": self.config.to_dict(), "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BPLF:
        """A new model of the same configuration."""
        return cls(ModelConfig.from_dict(config["config"]), name=config["name"])

    def for_export(self, unroll: bool = False, network_dtype: str | None = None) -> BPLF:
        """A copy for graphs that are written to a file: inverses are weights instead of work.

        It gives what this model gives, and is not for training.

        Args:
          unroll: see `FlowStack`.
          network_dtype: arithmetic of the networks; by default `evaluation_network_dtype`.
        """
        dtype = network_dtype or self.config.evaluation_network_dtype
        copy = BPLF(dataclasses.replace(self.config, evaluation_network_dtype=dtype))
        copy.set_weights(self.get_weights())
        for layer in copy._flatten_layers():
            if isinstance(layer, Invert1x1ConvWeights):
                layer.fold()
        copy._unroll = unroll
        return copy


def load_model(path: str | os.PathLike[str]) -> BPLF:
    """Loads what `BPLF.save` wrote; nothing needs to be imported or named beside it.

    Args:
      path: the `.keras` file, or a folder with a `model.keras`, such as a run directory.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if the file holds something else.
    """
    path = model_path(path)
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not a .keras file")
    model = keras.saving.load_model(path)
    if not isinstance(model, BPLF):
        raise ValueError(f"{path} holds a {type(model).__name__}, not a BPLF")
    return model
