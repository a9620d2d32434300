"""The flow as a distribution: what training, evaluation and sampling are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf import random
from bplf_tf.bijectors import FlowStack, MultiScale, SVDTruncate
from bplf_tf.flow_layers import FlowLayers
from bplf_tf.inputs import check_images
from bplf_tf.labels import Label, check_count, condition_vectors
from bplf_tf.layers.part import Given
from bplf_tf.likelihood import dequantise

# Images per call of a compiled function, so that a whole data set can be handed in.
_BATCH = 256


class FlowModel(FlowLayers):
    """The bijector and the distribution that the layers make, and what calls them need."""

    def bijector(
        self,
        condition: tf.Tensor | None,
        network_dtype: str | None = None,
        unroll: bool | None = None,
        dropout_keys: list[tf.Tensor] | None = None,
    ) -> tfp.bijectors.Bijector:
        """Latent `[..., D]` (forward) to images `[..., H, W, C]` in `[-0.5, 0.5)`.

        Args:
          condition: `[..., E]`, or None for an unconditional model.
          network_dtype: arithmetic of the networks; by default `evaluation_network_dtype`.
          unroll: see `FlowStack`; by default as `for_export` was told, else a loop.
          dropout_keys: as from `dropout_keys`; by default nothing is dropped.
        """
        dtype = self.arithmetic(network_dtype or self.config.evaluation_network_dtype)
        given = Given(condition, dtype, dropout_keys)
        unroll = self._unroll if unroll is None else unroll
        constant_memory = self.config.memory == "constant"
        levels = []
        for level, steps in enumerate(self.steps):
            parts: list[tfp.bijectors.Bijector] = [
                self.squeeze(),
                steps.bijector(given, unroll, constant_memory),
            ]
            if self.checkerboards:
                couplings = self.checkerboards[level]
                parts.insert(0, couplings.bijector(given, unroll, constant_memory))
            if self.diagonal_scales:
                parts.append(self.diagonal_scales[level].bijector())
            if level < len(self.split_priors):
                parts.append(self.split_priors[level].bijector(condition, dtype))
            elif self.tails:
                parts.append(self.tails.bijector())
            levels.append(tfp.bijectors.Chain(parts, name=f"level_{level}"))
        levels = [*self._main_components(condition, dtype), *levels]
        chain: list[tfp.bijectors.Bijector] = [MultiScale(levels, self.config.image_shape)]
        if self.config.svd_protocol == "bijector":
            threshold, slope = self._svd_threshold.value, self.config.svd_slope
            chain.insert(0, SVDTruncate(threshold=threshold, slope=slope))
        if self.pixel_affine:
            chain.insert(0, self.pixel_affine.bijector(condition))
        if self.pixel_logit:  # nearest to the image: it takes pixels, in their range
            chain.insert(0, self.pixel_logit.bijector())
        return tfp.bijectors.Chain(chain)

    def _main_components(
        self, condition: tf.Tensor | None, dtype: tf.DType
    ) -> list[tfp.bijectors.Bijector]:
        """Levels before the first one, in which all but the main components leave; or none."""
        if not self.pca:
            return []
        first, second = (prior.bijector(condition, dtype) for prior in self.pca_priors)
        chain = tfp.bijectors.Chain
        return [chain([self.pca.bijector(), first], name="pca"), chain([second], name="pca_rest")]

    def level(self, level: int, label: Label = None) -> FlowStack:
        """The K steps of a level, counted from the image; `.step(k)` is an ordinary bijector."""
        if not 0 <= level < self.config.levels:
            raise ValueError(f"level must lie in 0..{self.config.levels - 1}, got {level}")
        dtype = self.arithmetic(self.config.evaluation_network_dtype)
        return self.steps[level].bijector(Given(self._condition(label), dtype))

    def distribution(
        self, label: Label = None, temperature: float = 1.0
    ) -> tfp.distributions.TransformedDistribution:
        """The distribution of images in the flow's scale `[-0.5, 0.5)`, given a label.

        Args:
          label: one label gives a batch shape of `[]`, several of `[B]`.
          temperature: factor of the base distribution's standard deviation.
        """
        return self._distribution(self._condition(label), temperature)

    def _distribution(
        self,
        condition: tf.Tensor | None,
        temperature: Any = 1.0,
        network_dtype: str | None = None,
        dropout_keys: list[tf.Tensor] | None = None,
    ) -> tfp.distributions.TransformedDistribution:
        return tfp.distributions.TransformedDistribution(
            self.prior.distribution(condition, temperature),
            self.bijector(condition, network_dtype, dropout_keys=dropout_keys),
        )

    def log_prob_of_tensors(
        self, images: tf.Tensor, condition: tf.Tensor | None, keys: tf.Tensor | None = None
    ) -> tf.Tensor:
        """`log_prob` for use inside a graph, `[B]`: nothing is checked.

        Args:
          images: uint8 `[B, H, W, C]`.
          condition: `[B, E]`, or None for an unconditional model.
          keys: int32 `[2]`, of the dequantisation noise: seed and number of the draw; zeros by
            default.
        """
        keys = tf.constant([0, 0]) if keys is None else keys
        return self._distribution(condition).log_prob(self._evaluation_input(images, keys))

    def to_latent(self, x: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        """Standardised latents of images in the flow's scale, for use inside a graph.

        Args:
          x: `[B, H, W, C]` in `[-0.5, 0.5)`.
          condition: `[B, E]`, or None for an unconditional model.
        """
        mean, scale = self.prior.location_and_scale(condition)
        return (self.bijector(condition).inverse(x) - mean) / scale

    def to_image(self, latents: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        """The inverse of `to_latent`; what it gives may lie outside `[-0.5, 0.5)`."""
        mean, scale = self.prior.location_and_scale(condition)
        return self.bijector(condition).forward(mean + scale * tf.cast(latents, scale.dtype))

    def _evaluation_input(self, images: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        content = random.content_key(images)
        return self._dequantise(images, [tf.constant(1), keys[0], keys[1], content])

    def _dequantise(self, images: tf.Tensor, keys: list[Any]) -> tf.Tensor:
        noise = random.uniform(keys, self.config.dimensions)
        return dequantise(images, tf.reshape(noise, tf.shape(images)), self._dtype())

    def _condition(self, label: Label) -> tf.Tensor | None:
        vectors = condition_vectors(label, self.config.classes, self.config.dtype)
        return None if vectors is None else tf.constant(vectors)

    def _graph_condition(self, labels: Any) -> tf.Tensor | None:
        """Condition of a batch of integer labels or condition vectors, inside a graph."""
        if not self._condition_size:
            return None
        if labels is None:
            raise ValueError(
                f"a conditional model needs labels beside the images; the classes are "
                f"{', '.join(self.config.classes)}"
            )
        labels = tf.convert_to_tensor(labels)
        if labels.dtype.is_floating:
            return tf.cast(labels, self.config.dtype)
        labels = tf.reshape(labels, [-1])  # Keras hands labels over as [B] or [B, 1]
        limit = tf.constant(self._condition_size, labels.dtype)
        check = tf.debugging.Assert(
            tf.reduce_all((labels >= 0) & (labels < limit)),
            [f"labels must lie in 0..{self._condition_size - 1}, got", labels],
        )
        with tf.control_dependencies([] if check is None else [check]):
            return tf.one_hot(labels, self._condition_size, dtype=self.config.dtype)

    def _check_images(self, images: Any) -> tf.Tensor:
        return check_images(images, self.config.image_shape)

    def _in_batches(
        self, name: str, function: Any, items: Any, label: Label, *shared: Any
    ) -> np.ndarray:
        """Runs a compiled `function(items, condition, *shared)` batch by batch.

        Args:
          name: under which the compiled function is kept.
          function: of a batch of items, its conditions, and what all batches share.
          items: tensor or array `[N, ...]`, or a tuple of them.
          label: one for all, or one for each of the N items.
          *shared: handed to every call.
        """
        count = len(items[0]) if isinstance(items, tuple) else len(items)
        condition = self._condition(label)
        if condition is not None:
            check_count(condition, count, "items")
            if condition.shape.rank == 1:
                condition = tf.repeat(condition[tf.newaxis], count, axis=0)
        compiled = self._functions.setdefault(
            name, tf.function(function, reduce_retracing=True, autograph=False)
        )
        results = []
        for start in range(0, count, _BATCH):
            cut = slice(start, start + _BATCH)
            part = tf.nest.map_structure(lambda t: tf.convert_to_tensor(t[cut]), items)  # noqa: B023
            of_part = None if condition is None else condition[cut]
            results.append(compiled(part, of_part, *shared).numpy())
        return np.concatenate(results)

    def arithmetic(self, network_dtype: str) -> tf.DType:
        """The dtype that the networks compute in under `network_dtype`."""
        return tf.bfloat16 if network_dtype == "mixed_bfloat16" else self._dtype()

    def _dtype(self) -> tf.DType:
        return tf.as_dtype(self.config.dtype)
