"""The parts of a step: what `StackedSteps` asks of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf

from bplf_tf.bijectors.base import FlowBijector

Slices = dict[str, Any]
Start = list[tuple[keras.Variable, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class Given:
    """What the parameters of steps depend on beside weights.

    Attributes:
      condition: `[..., E]`, or None for an unconditional model.
      network_dtype: of the networks' arithmetic.
      dropout_keys: see `ConvNetwork.stacked`.
    """

    condition: tf.Tensor | None
    network_dtype: tf.DType
    dropout_keys: Sequence[tf.Tensor] | None = None


class Part(Protocol):
    """One bijector of each step, and the owner of its weights, which are stacked `[K, ...]`.

    Any coupling whose bijector is a `FlowBijector` can be one, such as a mixture of logistics.
    """

    def stacked(self, given: Given) -> Slices:
        """What `bijector` needs, each tensor `[K, ...]`."""

    def bijector(self, slices: Slices) -> FlowBijector:
        """The bijector of one step, from its slices of `stacked`."""

    def start(self, slices: Slices, x: tf.Tensor) -> tuple[Start, tf.Tensor]:
        """Data-dependent start of one step, before which labels and networks say nothing.

        Args:
          slices: of the step, as from `stacked` in the weights' own dtype.
          x: `[B, h, w, c]`.

        Returns:
          Variables, the same at every call, and values `[...]` of their slices; what the bijector
          makes of `x` with these.
        """

    def trained(self) -> list[keras.Variable]:
        """Its trainable weights."""

    @property
    def multiplications(self) -> int:
        """Of one step at one position, in convolutions and matrix products."""


def along_rows(constants: tf.Tensor, width: int) -> tf.Tensor:
    """`[K, ..., 1, 1, C] -> [K, ..., 1, W, C]`.

    Broadcasting two to eight numbers to every position takes CPUs several times as long as
    broadcasting a row of the image to every row, and so does the sum in its gradient.
    """
    return constants + tf.zeros([width, 1], constants.dtype)
