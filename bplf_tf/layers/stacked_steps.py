"""K steps of equal shape, made of parts: what every kind of step has in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors import FlowStack
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
    """One bijector of each step, and the owner of its weights, which are stacked `[K, ...]`."""

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


class StackedSteps(keras.layers.Layer):
    """K steps of equal shape, run by `FlowStack`; a subclass makes the parts.

    Attributes:
      depth: number of steps K.
      shape: (h, w, c) of their input.
    """

    depth: int
    shape: tuple[int, int, int]

    def parts(self) -> dict[str, Part]:
        """The parts of a step by their names, from image to latent."""
        raise NotImplementedError

    def bijector(
        self, given: Given, unroll: bool = False, constant_memory: bool = False
    ) -> FlowStack:
        """The K steps as one bijector.

        Args:
          given: see `Given`.
          unroll: see `FlowStack`.
          constant_memory: see `FlowStack`.
        """
        stacked = {name: part.stacked(given) for name, part in self.parts().items()}
        return FlowStack(self.step, stacked, unroll=unroll, constant_memory=constant_memory)

    @property
    def multiplications(self) -> int:
        """Of one step and one image, in convolutions and matrix products."""
        height, width, _ = self.shape
        return height * width * sum(part.multiplications for part in self.parts().values())

    def step(self, slices: Slices) -> tfp.bijectors.Bijector:
        """One step from its slices of what the parts stacked."""
        return tfp.bijectors.Chain(
            [part.bijector(slices[name]) for name, part in self.parts().items()], name="flow_step"
        )

    def initialize(self, x: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        """Data-dependent start: every step's output gets zero mean, unit variance per channel.

        Args:
          x: the first step's input, `[B, h, w, c]`.
          condition: `[B, E]` or None.

        Returns:
          The last step's output, `[B, h, w, c]`.
        """
        given = Given(condition, x.dtype)
        stacked = {name: part.stacked(given) for name, part in self.parts().items()}
        starts: list[Start] = []
        for k in range(self.depth):
            slices = tf.nest.map_structure(lambda t: t[k], stacked)  # noqa: B023
            start: Start = []
            for name, part in self.parts().items():
                of_part, x = part.start(slices[name], x)
                start += of_part
            starts.append(start)
        for variables_and_values in zip(*starts, strict=True):
            variable = variables_and_values[0][0]
            variable.assign(tf.stack([value for _, value in variables_and_values]))
        return x


def along_rows(constants: tf.Tensor, width: int) -> tf.Tensor:
    """`[K, ..., 1, 1, C] -> [K, ..., 1, W, C]`.

    Broadcasting two to eight numbers to every position takes CPUs several times as long as
    broadcasting a row of the image to every row, and so does the sum in its gradient.
    """
    return constants + tf.zeros([width, 1], constants.dtype)
