"""The base distribution: one diagonal Gaussian over the whole latent."""

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import prefer_static as ps

from bplf_tf.layers.scale import bounded_log_scale


class ClassConditionalGaussian(keras.layers.Layer):
    """`N(mean(h), scale(h))` over the latent `[D]`; only its last part depends on anything.

    What left at earlier levels is standard normal by its split prior. Mean and log-scale of the
    last level's part are a table over the label, zero at the start; if it is not learned, all is
    standard normal.
    """

    def __init__(
        self,
        dimensions: int,
        conditional_dimensions: int,
        condition_size: int,
        log_scale_bound: float,
        learned: bool = True,
        **kwargs: Any,
    ) -> None:
        """Creates the tables.

        Args:
          dimensions: D of the whole latent.
          conditional_dimensions: size of its last part.
          condition_size: size E of the condition, 0 for none.
          log_scale_bound: bound of the log-scale.
          learned: whether there are tables.
          **kwargs: of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.standard_dimensions = dimensions - conditional_dimensions
        self.dimensions = dimensions
        self.log_scale_bound = log_scale_bound
        self.condition_size = condition_size
        self.learned = learned
        self.built = True
        if not learned:
            return
        shape = (max(condition_size, 1), conditional_dimensions)
        self.mean = self.add_weight(shape=shape, initializer="zeros", name="mean")
        self.log_scale = self.add_weight(shape=shape, initializer="zeros", name="log_scale")

    def location_and_scale(self, condition: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and standard deviation, each `[..., D]` for a condition `[..., E]`."""
        if not self.learned:
            # Of the batch shape of the condition, which the bijector has too.
            batch = () if condition is None else ps.shape(condition)[:-1]
            shape = ps.concat([batch, [self.dimensions]], axis=0)
            return tf.zeros(shape, self.variable_dtype), tf.ones(shape, self.variable_dtype)
        if not self.condition_size:
            mean, raw = self.mean.value[0], self.log_scale.value[0]
            if condition is not None:
                shape = ps.concat([ps.shape(condition)[:-1], mean.shape], axis=0)
                mean, raw = tf.broadcast_to(mean, shape), tf.broadcast_to(raw, shape)
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
