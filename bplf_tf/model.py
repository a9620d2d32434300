"""`BPLF`, the flow as a Keras model."""

from __future__ import annotations

import dataclasses
import os
import zipfile
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf import diagnosis, random, replicas, svd
from bplf_tf.bijectors import FlowStack, Haar, MultiScale, Squeeze, SVDTruncate, flatten
from bplf_tf.config import ModelConfig, preset_config
from bplf_tf.files import model_path
from bplf_tf.inputs import check_element_spec, check_images, first_images, unpack
from bplf_tf.labels import Label, condition_vectors
from bplf_tf.layers import (
    CheckerboardSteps,
    DiagonalScaleLayer,
    FlowSteps,
    HeavyTailsLayer,
    PCALayer,
    PixelAffineLayer,
    PixelLogitLayer,
    SplitPriorLayer,
)
from bplf_tf.layers.invert_1x1_conv import Invert1x1ConvWeights
from bplf_tf.layers.part import Given
from bplf_tf.likelihood import bits_per_dim, dequantise, label_posterior, quantise
from bplf_tf.priors import ClassConditionalGaussian

# Images per call of a compiled function, so that a whole data set can be handed in.
_BATCH = 256
# Images that the data-dependent start looks at.
START_IMAGES = 256


@keras.saving.register_keras_serializable("bplf_tf")
class BPLF(keras.Model):
    """A conditional normalizing flow on 8-bit images.

    Images are uint8 `[B, H, W, C]` at every public method; a label is a class name, an integer, a
    condition vector, or a batch of them (`bplf_tf.labels`). All weights exist after construction.

    Source: the BPLF paper; multi-scale form and split priors after Glow (Kingma and Dhariwal 2018).
    """

    def __init__(self, config: ModelConfig, **kwargs: Any) -> None:
        super().__init__(dtype=config.dtype, **kwargs)
        self.config = config
        self._condition_size = len(config.classes)
        self.checkerboards: list[CheckerboardSteps] = []
        self.steps: list[FlowSteps] = []
        self.diagonal_scales: list[DiagonalScaleLayer] = []
        self.split_priors: list[SplitPriorLayer] = []
        height, width, channels = config.image_shape
        self.pixel_logit = (
            PixelLogitLayer(channels, dtype=config.dtype, name="pixel_logit")
            if config.pixel_logit
            else None
        )
        self.pixel_affine = (
            PixelAffineLayer(
                config.image_shape, self._condition_size, dtype=config.dtype, name="pixel_affine"
            )
            if config.pixel_affine
            else None
        )
        self.pca: PCALayer | None = None
        self.pca_priors: list[SplitPriorLayer] = []
        if config.svd_protocol == "pca":
            self.pca = PCALayer(config.image_shape, dtype=config.dtype, name="pca")
            height, width, channels = config.flow_shape
            # Half of the four pictures leave, and half of what stays: the first one goes on.
            for i, pictures in enumerate((4, 2)):
                prior = self._split_prior(f"pca_prior_{i}", (height, width, pictures * channels))
                self.pca_priors.append(prior)
        for level in range(config.levels):
            if config.checkerboard:
                self.checkerboards.append(self._checkerboard(level, (height, width, channels)))
            height, width, channels = self.squeeze().inverse_event_shape([height, width, channels])
            self.steps.append(self._flow_steps(level, (height, width, channels)))
            if config.diagonal_scale:
                self.diagonal_scales.append(
                    DiagonalScaleLayer(
                        (height, width, channels),
                        dtype=config.dtype,
                        name=f"diagonal_scale_{level}",
                    )
                )
            if level < config.levels - 1:
                shape = (height, width, channels)
                self.split_priors.append(self._split_prior(f"split_prior_{level}", shape))
                channels //= 2
        self.tails = (
            HeavyTailsLayer(channels, dtype=config.dtype, name="tails")
            if config.heavy_tails
            else None
        )
        self.prior = ClassConditionalGaussian(
            dimensions=config.dimensions,
            conditional_dimensions=height * width * channels,
            condition_size=config.condition_size("top_prior"),
            log_scale_bound=config.log_scale_bound,
            learned=config.top_prior == "learned",
            dtype=config.dtype,
            name="prior",
        )
        self._initialized = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="initialized"
        )
        self._svd_threshold = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="svd_threshold"
        )
        self._bits_tracker = keras.metrics.Mean(name="bits_per_dim")
        self._truncated_bits_tracker = keras.metrics.Mean(name="bits_per_dim_truncated")
        self._functions: dict[str, Any] = {}
        self._unroll = False
        self.built = True

    def _checkerboard(self, level: int, shape: tuple[int, int, int]) -> CheckerboardSteps:
        return CheckerboardSteps(
            self.config,
            depth=self.config.checkerboard_depths[level],
            shape=shape,
            width=self.config.widths[level],
            seed=self.config.seed + 100 * level + 50,
            name=f"checkerboard_{level}",
        )

    def _flow_steps(self, level: int, shape: tuple[int, int, int]) -> FlowSteps:
        return FlowSteps(
            self.config,
            depth=self.config.depths[level] - self.config.checkerboard_depths[level],
            shape=shape,
            width=self.config.widths[level],
            seed=self.config.seed + 100 * level,
            name=f"level_{level}",
        )

    def _split_prior(self, name: str, shape: tuple[int, int, int]) -> SplitPriorLayer:
        return SplitPriorLayer(
            shape=shape,
            condition_size=self.config.condition_size("split_prior"),
            log_scale_bound=self.config.log_scale_bound,
            heavy_tails=self.config.heavy_tails,
            learned=self.config.split_prior == "learned",
            dtype=self.config.dtype,
            name=name,
        )

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

    # The distribution

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

    def squeeze(self) -> tfp.bijectors.Bijector:
        """What every level begins with: `[..., H / 2, W / 2, 4 * C]` (forward) to images."""
        if self.config.squeeze == "flatten":
            return flatten(self.config.flow_shape)
        haar = self.config.squeeze == "haar"
        return tfp.bijectors.Chain([Squeeze(), Haar()], name="squeeze") if haar else Squeeze()

    def level(self, level: int, label: Label = None) -> FlowStack:
        """The K steps of a level, counted from the image; `.step(k)` is an ordinary bijector."""
        if not 0 <= level < self.config.levels:
            raise ValueError(f"level must lie in 0..{self.config.levels - 1}, got {level}")
        dtype = self.arithmetic(self.config.evaluation_network_dtype)
        return self.steps[level].bijector(Given(self._condition(label), dtype))

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

    # Training

    def compile(self, optimizer: Any = "adam", jit_compile: Any = False, **kwargs: Any) -> None:
        """As `keras.Model.compile`; the loss is bits/dim and cannot be replaced.

        XLA is off by default: its convolutions are slower on CPUs.

        Raises:
          ValueError: if a loss is given.
        """
        if kwargs.get("loss") is not None:
            raise ValueError(f"the loss is bits per dimension; got loss={kwargs['loss']!r}")
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        # Else the first trace of the train step would make the slot variables, and Keras trace it
        # a second time.
        self.optimizer.build(self.trainable_variables)
        if self.distribute_strategy.num_replicas_in_sync > 1:
            replicas.expect_reduced_gradients(self.optimizer)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        # Every weight exists since construction. Under a strategy Keras would take a batch of the
        # data to make sure, which is then missing in training.
        pass

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as the saved model was; Keras leaves this to models with their own `compile`."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def fit(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """As `keras.Model.fit`, after the data-dependent start where it has not been made.

        Args:
          x: `tf.data.Dataset` of (images, labels) or of images, or uint8 images `[N, H, W, C]`.
          y: labels `[N]`, or condition vectors `[N, E]`, where `x` is an array.
          **kwargs: as `keras.Model.fit`.

        Raises:
          ValueError: if images or labels do not fit the model, or `x` is a distributed data set and
            `initialize` was not called.
        """
        if isinstance(x, tf.data.Dataset):
            check_element_spec(
                x.element_spec, self.config.image_shape, labelled=bool(self._condition_size)
            )
        elif isinstance(x, np.ndarray | tf.Tensor):
            self._check_images(x)
            if self._condition_size and y is not None:
                condition_vectors(np.asarray(y), self.config.classes, self.config.dtype)
        distributed = isinstance(x, tf.distribute.DistributedDataset)
        if distributed and not self.initialized:
            raise ValueError(
                "call initialize(images, labels) before fit, with the same images in every "
                "process: of a distributed data set, each process sees its own part"
            )
        if not self.initialized:
            self.initialize(*first_images(x, y, START_IMAGES))
        # A data set has its own order, and Keras would warn that it does not shuffle it.
        kwargs.setdefault("shuffle", not (distributed or isinstance(x, tf.data.Dataset)))
        return super().fit(x, y, **kwargs)

    @property
    def initialized(self) -> bool:
        """Whether the data-dependent start has been made; saved with the weights."""
        return bool(self._initialized.numpy())

    def initialize(self, images: Any, labels: Label = None) -> None:
        """Data-dependent start: every step's output on these images is standardised.

        Args:
          images: uint8 `[B, H, W, C]`, some hundred.
          labels: integers `[B]` or condition vectors `[B, E]`; ignored by unconditional models.
        """
        images = self._check_images(images)
        condition = self._condition(labels) if self._condition_size else None
        keys = [tf.constant(self.config.seed), tf.constant(-1), tf.range(len(images))]
        images = svd.training_images(images, self.config, step=0)
        x = self._dequantise(images, keys)
        if self.pixel_logit:
            self.pixel_logit.initialize(images)
            x = self.pixel_logit.bijector().inverse(x)
        if self.pixel_affine:
            x = self.pixel_affine.bijector(condition).inverse(x)
        if self.config.svd_protocol == "bijector":
            threshold = SVDTruncate.fit(x, self.config.rank)
            self._svd_threshold.assign(threshold)
            x = SVDTruncate(threshold=threshold, slope=self.config.svd_slope).inverse(x)
        if self.pca:
            x = self.pca.initialize(x)
            for prior in self.pca_priors:
                x = prior.initialize(x)
        for level, steps in enumerate(self.steps):
            if self.checkerboards:
                x = self.checkerboards[level].initialize(x, condition)
            x = steps.initialize(self.squeeze().inverse(x), condition)
            if self.diagonal_scales:
                x = self.diagonal_scales[level].initialize(x)
            if level < len(self.split_priors):
                x = self.split_priors[level].initialize(x)
        self._initialized.assign(1)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step on (images, labels); raises before any weight changes if it is not finite."""
        images, labels, weights = replicas.filled_up(*unpack(data))
        step = self.optimizer.iterations.value
        x = self.training_input(images, step)
        condition = self._graph_condition(labels)
        with tf.GradientTape() as tape:
            log_prob = self.training_log_prob(x, condition, step)
            bits = bits_per_dim(log_prob, self.config.dimensions)
            total, count = _sum_and_count(bits, weights)
        gradients = [
            tf.ensure_shape(gradient, variable.shape)
            for gradient, variable in zip(
                tape.gradient(total, self.trainable_variables),
                self.trainable_variables,
                strict=True,
            )
        ]
        # Means over the global batch, whatever part of it this replica has.
        *gradients, total, count = replicas.sum_over_replicas([*gradients, total, count])
        gradients = [gradient / tf.cast(count, gradient.dtype) for gradient in gradients]
        with tf.control_dependencies(_finite_step(total, gradients)):
            self.optimizer.apply(gradients, self.trainable_variables)
        self._bits_tracker.update_state(total / count, sample_weight=count)
        mean = self._bits_tracker.result()
        return replicas.step_logs({"loss": mean, "bits_per_dim": mean})

    def training_input(self, images: tf.Tensor, step: tf.Tensor | int) -> tf.Tensor:
        """What the flow sees of a batch in a training step, in `[-0.5, 0.5)`.

        Args:
          images: uint8 `[B, H, W, C]`: in a replica context the replica's part of the batch.
          step: number of the training step, from 0, on which the noise depends.
        """
        images = svd.training_images(images, self.config, step)
        return self._dequantise(images, self._training_keys(images, step))

    def training_log_prob(
        self, x: tf.Tensor, condition: tf.Tensor | None, step: tf.Tensor | int
    ) -> tf.Tensor:
        """Log-likelihood in nats, `[B]`, as a training step computes it: with dropout.

        Args:
          x: as from `training_input`.
          condition: `[B, E]`, or None for an unconditional model.
          step: number of the training step, from 0, on which it depends what is dropped.
        """
        return self._distribution(
            condition,
            network_dtype=self.config.network_dtype,
            dropout_keys=self.dropout_keys(x, step),
        ).log_prob(x)

    def dropout_keys(self, x: tf.Tensor, step: tf.Tensor | int) -> list[tf.Tensor] | None:
        """What dropout in a training step depends on: int32, `[B]` or `[]`; None without dropout.

        Args:
          x: `[B, ...]`: in a replica context the replica's part of the batch.
          step: number of the training step, from 0.
        """
        return self._training_keys(x, step) if self.config.dropout else None

    def _training_keys(self, batch: tf.Tensor, step: tf.Tensor | int) -> list[tf.Tensor]:
        position = replicas.positions(tf.shape(batch)[0])
        return [tf.constant(self.config.seed), tf.cast(step, tf.int32), position]

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Bits per dimension of untouched images, and of truncated ones where SVD is in use."""
        images, labels, weights = replicas.filled_up(*unpack(data))
        condition = self._graph_condition(labels)
        self._update(self._bits_tracker, self._bits(images, condition), weights)
        logs = {"bits_per_dim": self._bits_tracker.result()}
        if svd.truncates(self.config):
            truncated = svd.truncate_images(images, self.config.rank)
            bits = self._bits(truncated, condition)
            self._update(self._truncated_bits_tracker, bits, weights)
            logs["bits_per_dim_truncated"] = self._truncated_bits_tracker.result()
        return replicas.step_logs({"loss": logs["bits_per_dim"], **logs})

    def _update(self, tracker: keras.metrics.Mean, bits: tf.Tensor, weights: tf.Tensor) -> None:
        # Of all replicas, so that each of them can tell the mean, and Keras needs not sum them up.
        total, count = replicas.sum_over_replicas([*_sum_and_count(bits, weights)])
        tracker.update_state(total / count, sample_weight=count)

    def predict_step(self, data: Any) -> tf.Tensor:
        """Bits per dimension of each image, `[B]`."""
        images, labels = unpack(data)
        return self._bits(images, self._graph_condition(labels))

    def call(self, images: tf.Tensor, labels: Any = None, training: bool = False) -> tf.Tensor:
        """Log-likelihood of uint8 images `[B, H, W, C]` in nats, `[B]`."""
        del training
        return self.log_prob_of_tensors(images, self._graph_condition(labels))

    # Likelihood

    def log_prob(
        self, images: Any, label: Label = None, seed: int = 0, draws: int = 1
    ) -> np.ndarray:
        """Log-density in nats of dequantised images in the flow's scale, `[B]`.

        Args:
          images: uint8 `[B, H, W, C]`.
          label: one label for all, or one for each.
          seed: of the dequantisation noise, which depends on the seed and the image alone.
          draws: number of noises whose log-densities are averaged: a lower bound on the
            log-likelihood of the 8-bit image plus `D ln 256` that tightens in variance only.
        """
        return self._log_prob_of_draws(images, label, seed, draws).mean(axis=0)

    def _log_prob_of_draws(self, images: Any, label: Label, seed: int, draws: int) -> np.ndarray:
        images = self._check_images(images)
        if not isinstance(draws, int) or draws < 1:
            raise ValueError(f"draws must be a positive integer, got {draws!r}")
        return np.stack(
            [
                self._in_batches(
                    "log_prob", self.log_prob_of_tensors, images, label, tf.constant(keys)
                )
                for keys in ([seed, draw] for draw in range(draws))
            ]
        )

    def bits_per_dim(
        self, images: Any, label: Label = None, seed: int = 0, draws: int = 1
    ) -> np.ndarray:
        """Bits per dimension of 8-bit images, `[B]`; see `log_prob`."""
        return self.bits_per_draw(images, label, seed, draws).mean(axis=0)

    def bits_per_draw(
        self, images: Any, label: Label = None, seed: int = 0, draws: int = 1
    ) -> np.ndarray:
        """Bits per dimension of each draw of noise by itself, `[draws, B]`; see `log_prob`."""
        log_prob = self._log_prob_of_draws(images, label, seed, draws)
        return np.asarray(bits_per_dim(log_prob, self.config.dimensions))

    def classify(self, images: Any, prior: Any = None, seed: int = 0, draws: int = 1) -> np.ndarray:
        """Posterior of the labels given images, float64 `[B, E]`, by Bayes' theorem.

        Log-likelihoods are sums over all pixels, so the posterior is close to 0 or 1 far more often
        than it is right: its order tells more than its numbers.

        Args:
          images: uint8 `[B, H, W, C]`.
          prior: `[E]`, probabilities of the labels; by default equal ones.
          seed: of the dequantisation noise, which is the same for every label.
          draws: number of noises over which densities are averaged.

        Raises:
          ValueError: if the model is unconditional, or images or prior do not fit.
        """
        if not self._condition_size:
            raise ValueError("an unconditional model has no labels to tell apart")
        log_prob = [
            self._log_prob_of_draws(images, label, seed, draws)
            for label in range(self._condition_size)
        ]
        return label_posterior(np.stack(log_prob), prior)

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

    def _evaluation_input(self, images: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
        content = random.content_key(images)
        return self._dequantise(images, [tf.constant(1), keys[0], keys[1], content])

    def _bits(self, images: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        log_prob = self.log_prob_of_tensors(images, condition)
        return bits_per_dim(log_prob, self.config.dimensions)

    def _dequantise(self, images: tf.Tensor, keys: list[Any]) -> tf.Tensor:
        noise = random.uniform(keys, self.config.dimensions)
        return dequantise(images, tf.reshape(noise, tf.shape(images)), self._dtype())

    # Images and latents

    def sample(
        self,
        label: Label = None,
        n: int = 1,
        temperature: float = 1.0,
        seed: int | None = None,
    ) -> np.ndarray:
        """Draws images, uint8 `[n, H, W, C]`.

        Args:
          label: one label for all, or one for each of the n.
          n: number of images.
          temperature: factor of the base distribution's standard deviation, 0 or more.
          seed: the same seed, label and temperature give the same images; by default the
            operating system's randomness.

        Raises:
          ValueError: for an unknown label, n below 1 or a negative temperature.
        """
        if not isinstance(n, int) or n < 1:
            raise ValueError(f"n must be a positive integer, got {n!r}")
        if not (np.isfinite(temperature) and temperature >= 0):
            raise ValueError(
                f"temperature must be a finite number of at least 0, got {temperature}"
            )
        if seed is None:
            seed = int.from_bytes(os.urandom(4), "little", signed=True)
        seeds = np.stack([np.full(n, seed), np.arange(n)], axis=1).astype(np.int32)
        temperatures = np.full(n, temperature, np.float32)
        return self._in_batches("sample", self._sample, (seeds, temperatures), label)

    def _sample(
        self, seeds_and_temperatures: tuple[tf.Tensor, tf.Tensor], condition: tf.Tensor | None
    ) -> tf.Tensor:
        return self._decode(self.sample_latents(*seeds_and_temperatures), condition)

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
        """
        images = self._check_images(images)
        if not np.isfinite(strength):
            raise ValueError(f"strength must be a finite number, got {strength}")
        if not self._condition_size:
            raise ValueError("an unconditional model has no labels to transfer between")
        classes, dtype = self.config.classes, self.config.dtype
        from_source = np.asarray(condition_vectors(source, classes, dtype))
        to_target = np.asarray(condition_vectors(target, classes, dtype))
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

    # Export

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

    # Checks

    def explain_nonfinite(self, images: Any, labels: Label = None, step: int = 0) -> str | None:
        """Where the first NaN or infinity of a training step on a batch arises, or None.

        It names the level, the step of the flow and the layer, and the largest activations.
        """
        condition = self._condition(labels) if self._condition_size else None
        return diagnosis.explain_nonfinite(self, self._check_images(images), condition, step)

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
            if condition.shape.rank == 1:
                condition = tf.repeat(condition[tf.newaxis], count, axis=0)
            elif condition.shape[0] != count:
                raise ValueError(f"got {condition.shape[0]} labels for {count} items")
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

    def _dtype(self) -> tf.DType:
        return tf.as_dtype(self.config.dtype)

    def arithmetic(self, network_dtype: str) -> tf.DType:
        """The dtype that the networks compute in under `network_dtype`."""
        return tf.bfloat16 if network_dtype == "mixed_bfloat16" else self._dtype()


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


def _sum_and_count(bits: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    weights = tf.cast(weights, bits.dtype)
    return tf.reduce_sum(weights * bits), tf.reduce_sum(weights)


def _finite_step(loss: tf.Tensor, gradients: list[tf.Tensor]) -> list[tf.Operation]:
    """A check for whatever must not happen after a step that is not finite."""
    finite = tf.math.is_finite(loss) & tf.math.is_finite(tf.linalg.global_norm(gradients))
    check = tf.debugging.Assert(finite, ["non-finite loss or gradient; loss:", loss])
    return [] if check is None else [check]
