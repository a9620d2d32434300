"""What a label adds to the outputs of networks, or says where there is no network."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from bplf_tf.networks.conv import per_step


class LabelOutput:
    """`h @ table_k` in K steps: numbers of each channel, the same at every position.

    Source: DLF (Liao et al. 2019), and equation 3-8 of the BPLF paper.
    """

    def __init__(self, owner: Any, depth: int, labels: int, channels: int, name: str) -> None:
        """Adds the table to `owner`, which keeps and saves it; it starts at zero.

        Args:
          owner: Keras layer.
          depth: number of steps K.
          labels: size E of the condition.
          channels: numbers that are said.
          name: of the weight.
        """
        self.table: keras.Variable = owner.add_weight(
            shape=(depth, labels, 1, 1, channels), initializer="zeros", name=name
        )

    def stacked(self, condition: tf.Tensor | None) -> tf.Tensor:
        """`[K, ..., 1, 1, channels]` under a condition `[..., E]`."""
        return per_step(condition, tf.convert_to_tensor(self.table.value))
