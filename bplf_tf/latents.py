"""Images from latents and latents from images: sampling, encoding, transfer."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow as tf

from bplf_tf import random
from bplf_tf.flow_model import FlowModel
from bplf_tf.labels import Label, check_count, condition_vectors, strengthened
from bplf_tf.likelihood import dequantise, quantise


class Latents(FlowModel):
    """Both directions between 8-bit images and standardised latents."""

    def sample(
        self,
        label: Label = None,
        n: int = 1,
        temperature: float = 1.0,
        seed: int | None = None,
        label_strength: float = 1.0,
    ) -> np.ndarray:
        """Draws images, uint8 `[n, H, W, C]`.

        Args:
          label: one label for all, or one for each of the n.
          n: number of images.
          temperature: factor of the base distribution's standard deviation, 0 or more.
          seed: the same seed, label and temperature give the same images; by default the
            operating system's randomness.
          label_strength: 1 for samples of the model; more for faces that show their label more
            plainly than the data does, up to caricatures, less for fainter ones. The condition is
            `bplf_tf.labels.strengthened`. Such samples are not draws of p(image | label).

        Raises:
          ValueError: for an unknown label, n below 1, a negative temperature, or a strength that
            is negative or asked of a model without labels.
        """
        if not isinstance(n, int) or n < 1:
            raise ValueError(f"n must be a positive integer, got {n!r}")
        if not (np.isfinite(temperature) and temperature >= 0):
            raise ValueError(
                f"temperature must be a finite number of at least 0, got {temperature}"
            )
        if seed is None:
            seed = int.from_bytes(os.urandom(4), "little", signed=True)
        if label_strength != 1:
            label = self.strengthened_label(label, label_strength)
        seeds = np.stack([np.full(n, seed), np.arange(n)], axis=1).astype(np.int32)
        temperatures = np.full(n, temperature, np.float32)
        return self._in_batches("sample", self._sample, (seeds, temperatures), label)

    def _sample(
        self, seeds_and_temperatures: tuple[tf.Tensor, tf.Tensor], condition: tf.Tensor | None
    ) -> tf.Tensor:
        return self._decode(self.sample_latents(*seeds_and_temperatures), condition)

    def strengthened_label(self, label: Label, strength: float) -> np.ndarray:
        """The condition vectors, `[E]` or `[B, E]`, by which `sample` strengthens a label.

        Raises:
          ValueError: for an unknown label, a negative strength or a model without labels.
        """
        vectors = condition_vectors(label, self.config.classes, self.config.dtype)
        if vectors is None:
            raise ValueError("an unconditional model has no label to strengthen")
        return strengthened(vectors, strength)

    def sample_latents(self, seeds: tf.Tensor, temperatures: tf.Tensor) -> tf.Tensor:
        """The latents that `sample` decodes, float32 `[B, H * W * C]`, for use inside a graph.

        Args:
          seeds: int32 `[B, 2]`: the seed that `sample` was given, and the number of the image.
          temperatures: float32 `[B]`.
        """
        noise = random.normal([seeds[:, 0], seeds[:, 1]], self.config.dimensions)
        return noise * temperatures[:, tf.newaxis]

    def encode(self, images: Any, label: Label = None, seed: int | None = None) -> np.ndarray:
        """Standardised latents of images, float `[B, H * W * C]`.

        Standardised: by the model they are standard normal, whatever the label.

        Args:
          images: uint8 `[B, H, W, C]`.
          label: one label for all, or one for each.
          seed: of dequantisation noise; by default the images' bin centres are encoded.
        """
        images = self._check_images(images)
        if seed is None:
            return self._in_batches("encode", self._encode, images, label)
        keys = tf.constant([seed, 0])
        return self._in_batches("encode_noisy", self._encode_noisy, images, label, keys)

    def _encode(self, images: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        return self.to_latent(dequantise(images, 0.5, self._dtype()), condition)

    def _encode_noisy(
        self, images: tf.Tensor, condition: tf.Tensor | None, keys: tf.Tensor
    ) -> tf.Tensor:
        return self.to_latent(self._evaluation_input(images, keys), condition)

    @property
    def latent_sizes(self) -> list[int]:
        """How many numbers of a latent each level gives, from the image on, in their order.

        Where principal components leave before the first level, they come in two parts before it.
        """
        splits = len(self.pca_priors) + self.config.levels - 1
        halves = [self.config.dimensions // 2 ** (i + 1) for i in range(splits)]
        return [*halves, self.config.dimensions - sum(halves)]

    def decode(self, latents: Any, label: Label = None) -> np.ndarray:
        """Images of standardised latents `[B, H * W * C]`: the inverse of `encode`, uint8."""
        latents = np.asarray(latents)
        if latents.ndim != 2 or latents.shape[1] != self.config.dimensions:
            raise ValueError(
                f"latents must have shape [B, {self.config.dimensions}], got {latents.shape}"
            )
        if latents.dtype.kind != "f" or not np.isfinite(latents).all():
            raise ValueError(f"latents must be finite floats, got dtype {latents.dtype}")
        latents = latents.astype(self.config.dtype)
        return self._in_batches("decode", self._decode, latents, label)

    def _decode(self, latents: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        return quantise(self.to_image(latents, condition))

    def transfer(
        self, images: Any, source: Label, target: Label, strength: float = 1.0
    ) -> np.ndarray:
        """Turns images of one label into another, uint8 `[B, H, W, C]`.

        Encodes under the source and decodes the same standardised latent under the condition
        `(1 - strength) * source + strength * target`; strength 0 returns the input.

        Args:
          images: uint8 `[B, H, W, C]`.
          source: what they show: one label for all, or one for each.
          target: likewise.
          strength: any finite number. Far beyond 1 what comes out is no face any more:
            `bplf_tf.editing.transfer` accepts those that leave one.

        Raises:
          ValueError: for images or labels that do not fit, a strength that is not finite, or a
            model without labels.
        """
        images = self._check_images(images)
        if not np.isfinite(strength):
            raise ValueError(f"strength must be a finite number, got {strength}")
        if not self._condition_size:
            raise ValueError("an unconditional model has no labels to transfer between")
        classes, dtype = self.config.classes, self.config.dtype
        from_source = np.asarray(condition_vectors(source, classes, dtype))
        to_target = np.asarray(condition_vectors(target, classes, dtype))
        for condition in (from_source, to_target):
            check_count(condition, len(images))
        mixture = (1 - strength) * from_source + strength * to_target
        return self.decode(self.encode(images, from_source), mixture)

    def inverse_error(self, images: Any, label: Label = None) -> float:
        """Largest `|x - forward(inverse(x))|` as a fraction of the pixel range."""
        images = self._check_images(images)
        return float(self._in_batches("inverse_error", self._inverse_error, images, label).max())

    def _inverse_error(self, images: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        x = dequantise(images, 0.5, self._dtype())
        restored = self.to_image(self.to_latent(x, condition), condition)
        return tf.reduce_max(tf.abs(restored - x), axis=[1, 2, 3])
