"""K steps of equal shape, made of parts: what every kind of step has in common."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors import FlowStack
from bplf_tf.config import ModelConfig
from bplf_tf.layers.act_norm import ActNormWeights
from bplf_tf.layers.part import Given, Part, Slices, Start


class StackedSteps(keras.layers.Layer):
    """K steps of equal shape, run by `FlowStack`; a subclass makes the parts.

    Attributes:
      depth: number of steps K.
      shape: (h, w, c) of their input.
      actnorm: with which every step begins, or None.
    """

    def __init__(
        self, config: ModelConfig, depth: int, shape: tuple[int, int, int], **kwargs: Any
    ) -> None:
        """Creates what all kinds of steps have.

        Args:
          config: of the model.
          depth: number of steps K.
          shape: (h, w, c) of a step's input.
          **kwargs: of `keras.layers.Layer`, such as `name`.
        """
        super().__init__(dtype=config.dtype, **kwargs)
        self.depth = depth
        self.shape = shape
        self.actnorm = (
            ActNormWeights(depth, shape, dtype=config.dtype, name="actnorm")
            if config.actnorm
            else None
        )

    def parts(self) -> dict[str, Part]:
        """The parts of a step by their names, from image to latent; a subclass adds its own."""
        return {"ActNorm": self.actnorm} if self.actnorm else {}

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
