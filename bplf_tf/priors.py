"""The base distribution: one diagonal Gaussian over the whole latent."""

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.layers.scale import bounded_log_scale


class ClassConditionalGaussian(keras.layers.Layer):
    """`N(mean(h), scale(h))` over the latent `[D]`; only its last part depends on anything.

    What left at earlier levels is standard normal by its split prior. Mean and log-scale of the
    last level's part are a table over the label, zero at the start.
    """

    def __init__(
        self,
        dimensions: int,
        conditional_dimensions: int,
        condition_size: int,
        log_scale_bound: float,
        **kwargs: Any,
    ) -> None:
        """Creates the tables.

        Args:
          dimensions: D of the whole latent.
          conditional_dimensions: size of its last part.
          condition_size: size E of the condition, 0 for none.
          log_scale_bound: bound of the log-scale.
          **kwargs: of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.standard_dimensions = dimensions - conditional_dimensions
        self.log_scale_bound = log_scale_bound
        shape = (max(condition_size, 1), conditional_dimensions)
        self.mean = self.add_weight(shape=shape, initializer="zeros", name="mean")
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")
        self.built = True

    def location_and_scale(self, condition: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and standard deviation, each `[..., D]` for a condition `[..., E]`."""
        if condition is None:
            mean, raw = self.mean.value[0], self.log_scale.value[0]
        else:
            mean = tf.tensordot(condition, self.mean.value, axes=1)
            raw = tf.tensordot(condition, self.log_scale.value, axes=1)
        scale = tf.exp(bounded_log_scale(raw, self.log_scale_bound))
        padding = [[0, 0]] * (mean.shape.rank - 1) + [[self.standard_dimensions, 0]]
        return tf.pad(mean, padding), tf.pad(scale, padding, constant_values=1)

    def distribution(
        self, condition: tf.Tensor | None, temperature: float | tf.Tensor = 1.0
    ) -> tfp.distributions.Distribution:
        """The Gaussian, its standard deviation scaled by `temperature`."""
        mean, scale = self.location_and_scale(condition)
        return tfp.distributions.Independent(
            tfp.distributions.Normal(mean, scale * tf.cast(temperature, scale.dtype)),
            reinterpreted_batch_ndims=1,
        )
