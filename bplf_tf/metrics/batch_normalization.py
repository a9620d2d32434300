"""Keras' batch normalisation by the one operation that TensorFlow has for it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("bplf_tf")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` of `[B, H, W, C]`, over all but the channels.

    Keras 3 writes it as a dozen operations over the whole of the activations, in float32 whatever
    they have. In small networks on CPUs that takes longer than their convolutions. The weights are
    those of Keras; the moving variance takes up the unbiased one of each batch.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalises; `mask` must be None."""
        if mask is not None:
            raise ValueError("a mask is not supported")
        weights = (self.gamma.value, self.beta.value)
        fused = tf.compat.v1.nn.fused_batch_norm
        if not (training and self.trainable):
            moving = (self.moving_mean.value, self.moving_variance.value)
            return fused(inputs, *weights, *moving, epsilon=self.epsilon, is_training=False)[0]
        outputs, mean, variance = fused(inputs, *weights, epsilon=self.epsilon, is_training=True)
        for moving, of_batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + of_batch * (1 - self.momentum))
        return outputs
