"""The functions that an exported model offers: tensors in, tensors out, no checks.

They are written once, from the model's own parts. What stands around them depends on the target:
`export.guards` adds checks that raise (SavedModel) or blank what is wrong (TFLite).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bplf_tf import BPLF
from bplf_tf.likelihood import bits_per_dim, dequantise, quantise
from export import inputs, png
from export.inputs import Input

Tensors = dict[str, tf.Tensor]

_BLACK = -0.5  # in the flow's scale


@dataclasses.dataclass(frozen=True)
class Output:
    """One output of an exported function.

    Attributes:
      name: by which callers find it.
      about: what it is.
      finish: from the floats that the model gives to what is handed out.
      blank: float that stands for no result where none can be raised as an error.
      is_file: whether it is handed out as the bytes of a file, which are a string.
    """

    name: str
    about: str
    finish: Callable[[tf.Tensor], tf.Tensor] = tf.identity
    blank: float = math.nan
    is_file: bool = False


@dataclasses.dataclass(frozen=True)
class Signature:
    """One exported function.

    Attributes:
      name: by which callers ask for it.
      about: one line for the model card.
      inputs: in the order of the arguments of `body`.
      outputs: what comes back.
      body: from tensors that are accepted to floats, one tensor `[B, ...]` per output.
    """

    name: str
    about: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    body: Callable[..., Tensors]

    @property
    def has_strings(self) -> bool:
        """Whether strings go in or out, which some targets do not know."""
        given = any(one.dtype == tf.string for one in self.inputs)
        return given or any(one.is_file for one in self.outputs)


def signatures(model: BPLF) -> list[Signature]:
    """All functions of a flow, `sample` first. Those of labels are left out where it has none.

    Raises:
      ValueError: for a model in float64, which is for numerical tests.
    """
    if model.config.dtype != "float32":
        raise ValueError(f"only models in float32 are exported, got dtype {model.config.dtype}")
    return _Functions(model).all()


def one_hot(label: tf.Tensor, count: int) -> tf.Tensor:
    """float32 `[B, count]` of int32 `[B]`; zeros for a label that is out of range."""
    # By arithmetic: of tf.one_hot or tf.equal and the product with a table, the converter makes a
    # lookup. In TFLite that fails on a label beyond the table, which is to come back blank, and
    # has its table in float32 whatever the precision of the file.
    numbers = tf.range(count, dtype=tf.float32)
    return tf.nn.relu(1 - tf.abs(tf.cast(label, tf.float32)[:, tf.newaxis] - numbers))


class _Functions:
    def __init__(self, model: BPLF) -> None:
        self.model = model
        # Functions of their own, so that the graph of an export holds each once.
        self.to_image = tf.function(model.to_image, autograph=False)
        self.to_latent = tf.function(model.to_latent, autograph=False)
        self.classes = model.config.classes
        self.shape = model.config.image_shape

    def all(self) -> list[Signature]:
        sampling = (inputs.temperature(), inputs.seed())
        picture = (Output("image", "uint8 pixels", quantise, _BLACK),)
        file = (Output("png_bytes", "a PNG file", _png_files, is_file=True),)
        found = [
            Signature(
                "sample",
                "Draws images; the same seed, label and temperature give the same image.",
                (*self._label("label"), *sampling),
                picture,
                self._of_label(self._sample),
            ),
            Signature(
                "sample_png",
                "As sample, from names of labels to PNG files.",
                (*self._label_name("label"), *sampling),
                file,
                self._of_name(self._sample),
            ),
            Signature(
                "log_prob",
                "Log-density in nats of dequantised images, and bits per dimension.",
                (inputs.image(self.shape), *self._label("label")),
                (Output("log_prob", "nats"), Output("bits_per_dim", "bits per dimension")),
                self._before_label(self._log_prob),
            ),
            Signature(
                "encode",
                "Standardised latents of images.",
                (inputs.image(self.shape), *self._label("label")),
                (Output("latent", "standard normal by the model, whatever the label"),),
                self._before_label(self._encode),
            ),
            Signature(
                "decode",
                "Images of standardised latents, the inverse of encode.",
                (inputs.latent(self.model.config.dimensions), *self._label("label")),
                picture,
                self._before_label(self._decode),
            ),
        ]
        return (
            [*found, *self._of_several_labels(sampling, picture, file)] if self.classes else found
        )

    def _of_several_labels(
        self,
        sampling: tuple[Input, ...],
        picture: tuple[Output, ...],
        file: tuple[Output, ...],
    ) -> list[Signature]:
        return [
            Signature(
                "sample_condition",
                "As sample, of a mixture of labels.",
                (inputs.condition(self.classes), *sampling),
                picture,
                self._sample,
            ),
            Signature(
                "transfer",
                "Turns images of one label into another; strength 0 returns the input.",
                (
                    inputs.image(self.shape),
                    *self._label("source"),
                    *self._label("target"),
                    inputs.strength(),
                ),
                picture,
                lambda image, source, target, strength: self._transfer(
                    image, self._one_hot(source), self._one_hot(target), strength
                ),
            ),
            Signature(
                "transfer_png",
                "As transfer, from PNG files and names of labels to PNG files.",
                (
                    inputs.png_bytes(self.shape),
                    *self._label_name("source"),
                    *self._label_name("target"),
                    inputs.strength(),
                ),
                file,
                lambda files, source, target, strength: self._transfer(
                    png.decoded(files, self.shape),
                    self._named(source),
                    self._named(target),
                    strength,
                ),
            ),
        ]

    # Labels

    def _label(self, name: str) -> tuple[Input, ...]:
        return (inputs.label(name, self.classes),) if self.classes else ()

    def _label_name(self, name: str) -> tuple[Input, ...]:
        return (inputs.label_name(name, self.classes),) if self.classes else ()

    def _one_hot(self, label: tf.Tensor) -> tf.Tensor:
        return one_hot(label, len(self.classes))

    def _named(self, names: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.equal(names[:, tf.newaxis], list(self.classes)), tf.float32)

    def _of_label(self, function: Callable[..., Tensors]) -> Callable[..., Tensors]:
        """A function of a condition as one of a number, or of none for a model without labels."""
        if not self.classes:
            return lambda *rest: function(None, *rest)
        return lambda label, *rest: function(self._one_hot(label), *rest)

    def _of_name(self, function: Callable[..., Tensors]) -> Callable[..., Tensors]:
        if not self.classes:
            return lambda *rest: function(None, *rest)
        return lambda name, *rest: function(self._named(name), *rest)

    def _before_label(self, function: Callable[..., Tensors]) -> Callable[..., Tensors]:
        if not self.classes:
            return lambda image: function(image, None)
        return lambda image, label: function(image, self._one_hot(label))

    # The functions, of conditions `[B, E]`, or None for a model without labels

    def _sample(self, condition: Any, temperature: tf.Tensor, seed: tf.Tensor) -> Tensors:
        latents = self.model.sample_latents(seed, temperature)
        return self._image(self.to_image(latents, condition))

    def _log_prob(self, image: tf.Tensor, condition: Any) -> Tensors:
        log_prob = self.model.log_prob_of_tensors(image, condition)
        bits = bits_per_dim(log_prob, self.model.config.dimensions)
        return {"log_prob": log_prob, "bits_per_dim": bits}

    def _encode(self, image: tf.Tensor, condition: Any) -> Tensors:
        return {"latent": self._latent(image, condition)}

    def _latent(self, image: tf.Tensor, condition: Any) -> tf.Tensor:
        return self.to_latent(dequantise(image, 0.5, tf.float32), condition)

    def _decode(self, latent: tf.Tensor, condition: Any) -> Tensors:
        return self._image(self.to_image(latent, condition))

    def _transfer(
        self, image: tf.Tensor, source: tf.Tensor, target: tf.Tensor, strength: tf.Tensor
    ) -> Tensors:
        share = strength[:, tf.newaxis]
        mixture = (1 - share) * source + share * target
        return self._image(self.to_image(self._latent(image, source), mixture))

    def _image(self, image: tf.Tensor) -> Tensors:
        # As an image, and as the file of one: an output takes what it is named after.
        return {"image": image, "png_bytes": image}


def _png_files(images: tf.Tensor) -> tf.Tensor:
    return png.files_of(quantise(images))
