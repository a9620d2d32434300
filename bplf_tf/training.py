"""Training of the flow with Keras: `compile`, `fit`, the data-dependent start, the steps."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from bplf_tf import diagnosis, replicas, svd
from bplf_tf.bijectors import SVDTruncate
from bplf_tf.flow_model import FlowModel
from bplf_tf.inputs import check_element_spec, first_images, unpack
from bplf_tf.label_contrast import label_contrast, other_labels
from bplf_tf.labels import Label, condition_vectors
from bplf_tf.likelihood import bits_per_dim

# Images that the data-dependent start looks at.
START_IMAGES = 256


class TrainingLoss(NamedTuple):
    """What a training step makes small, and what it is made of; each `[B]`.

    Attributes:
      bits: bits/dim of each image under its label.
      contrast: see `bplf_tf.label_contrast`, in bits/dim; None where it has no part in the loss.
      objective: their sum, the contrast by its weight.
    """

    bits: tf.Tensor
    contrast: tf.Tensor | None
    objective: tf.Tensor


class Training(FlowModel):
    """What Keras calls, and what a training step is made of.

    Attributes:
      annealing: how far the `"anneal"` protocol of `bplf_tf.svd` is; None where it goes by
        `svd_anneal_steps`. To be set before the first step.
    """

    annealing: svd.Annealing | None = None

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

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as the saved model was; Keras leaves this to models with their own `compile`."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        # Every weight exists since construction. Under a strategy Keras would take a batch of the
        # data to make sure, which is then missing in training.
        pass

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
            loss = self.training_loss(x, condition, step)
            total, count = _sum_and_count(loss.bits, weights)
            objective, _ = _sum_and_count(loss.objective, weights)
        gradients = [
            tf.ensure_shape(gradient, variable.shape)
            for gradient, variable in zip(
                tape.gradient(objective, self.trainable_variables),
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
        images = svd.training_images(images, self.config, step, self.annealing)
        return self._dequantise(images, self._training_keys(images, step))

    def training_loss(
        self, x: tf.Tensor, condition: tf.Tensor | None, step: tf.Tensor | int
    ) -> TrainingLoss:
        """The loss of each image in a training step; arguments as of `training_log_prob`."""
        log_prob = self.training_log_prob(x, condition, step)
        bits = bits_per_dim(log_prob, self.config.dimensions)
        others = self.other_condition(x, condition, step)
        if others is None:
            return TrainingLoss(bits, None, bits)
        other = self.training_log_prob(x, others, step)
        contrast = label_contrast(log_prob, other, self.config.dimensions)
        return TrainingLoss(bits, contrast, bits + self.config.label_contrast * contrast)

    def other_condition(
        self, x: tf.Tensor, condition: tf.Tensor | None, step: tf.Tensor | int
    ) -> tf.Tensor | None:
        """The label that each image is told apart from, `[B, E]`; None without label contrast."""
        if condition is None or not self.config.label_contrast:
            return None
        return other_labels(condition, self._training_keys(x, step))

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

    def _bits(self, images: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        log_prob = self.log_prob_of_tensors(images, condition)
        return bits_per_dim(log_prob, self.config.dimensions)

    def call(self, images: tf.Tensor, labels: Any = None, training: bool = False) -> tf.Tensor:
        """Log-likelihood of uint8 images `[B, H, W, C]` in nats, `[B]`."""
        del training
        return self.log_prob_of_tensors(images, self._graph_condition(labels))

    def explain_nonfinite(self, images: Any, labels: Label = None, step: int = 0) -> str | None:
        """Where the first NaN or infinity of a training step on a batch arises, or None.

        It names the level, the step of the flow and the layer, and the largest activations.
        """
        condition = self._condition(labels) if self._condition_size else None
        return diagnosis.explain_nonfinite(self, self._check_images(images), condition, step)


def _sum_and_count(bits: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    weights = tf.cast(weights, bits.dtype)
    return tf.reduce_sum(weights * bits), tf.reduce_sum(weights)


def _finite_step(loss: tf.Tensor, gradients: list[tf.Tensor]) -> list[tf.Operation]:
    """A check for whatever must not happen after a step that is not finite."""
    finite = tf.math.is_finite(loss) & tf.math.is_finite(tf.linalg.global_norm(gradients))
    check = tf.debugging.Assert(finite, ["non-finite loss or gradient; loss:", loss])
    return [] if check is None else [check]
