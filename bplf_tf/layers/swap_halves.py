"""The exchange of halves as a part of a step; it has no weights."""

import keras
import tensorflow as tf

from bplf_tf.bijectors import SwapHalves
from bplf_tf.layers.part import Given, Slices, Start


class SwapHalvesPart:
    """`bplf_tf.bijectors.SwapHalves` as a `Part`."""

    def stacked(self, given: Given) -> Slices:
        """See `Part`."""
        del given
        return {}

    def bijector(self, slices: Slices) -> SwapHalves:
        """See `Part`."""
        del slices
        return SwapHalves()

    def start(self, slices: Slices, x: tf.Tensor) -> tuple[Start, tf.Tensor]:
        """See `Part`."""
        return [], self.bijector(slices).inverse(x)

    def trained(self) -> list[keras.Variable]:
        """See `Part`."""
        return []

    @property
    def multiplications(self) -> int:
        """See `Part`."""
        return 0
