"""The task that every contender solves: one training step of the same flow on the same batch.

Nothing but the standard library and NumPy may be imported here: the module is also loaded by
the interpreter that has PyTorch and none of TensorFlow.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Problem:
    """A multi-scale flow with affine steps whose networks are 3x3, 1x1, 3x3.

    Attributes:
      levels: number of levels L.
      depth: steps per level K.
      width: hidden channels of the coupling networks.
      image_size: height and width of the square images, in pixels; divisible by 2^levels.
      channels: image channels.
      batch_size: images per step.
    """

    levels: int = 3
    depth: int = 8
    width: int = 64
    image_size: int = 32
    channels: int = 1
    batch_size: int = 64

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{field.name} must be a positive integer, got {value!r}.")
        if self.image_size % 2**self.levels:
            raise ValueError(
                f"image_size must be divisible by 2^levels = {2**self.levels}, "
                f"got {self.image_size}."
            )

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Problem:
        return cls(**json.loads(text))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return (self.image_size, self.image_size, self.channels)

    @property
    def dimensions(self) -> int:
        """Numbers in one image: what bits/dim divides by."""
        return self.image_size**2 * self.channels

    def level_shape(self, level: int) -> tuple[int, int]:
        """`(size, channels)` of the activations inside `level` (0 is next to the image)."""
        return self.image_size // 2 ** (level + 1), self.channels * 2 ** (level + 2)

    def convolutions(self, level: int) -> list[tuple[int, int, int]]:
        """`(kernel, input channels, output channels)` of one coupling network of `level`."""
        _, channels = self.level_shape(level)
        return [
            (3, channels // 2, self.width),
            (1, self.width, self.width),
            (3, self.width, channels),
        ]

    def training_flops(self) -> float:
        """Floating-point operations of the coupling networks in one training step.

        A multiply-add counts as two; the backward pass (gradients of inputs and of kernels)
        counts as two forward passes. Border pixels are counted as if they had all neighbours.
        """
        multiply_adds = 0
        for level in range(self.levels):
            size, _ = self.level_shape(level)
            per_position = sum(k * k * i * o for k, i, o in self.convolutions(level))
            multiply_adds += self.depth * size**2 * per_position
        return 3 * 2 * multiply_adds * self.batch_size

    def images(self) -> np.ndarray:
        """A fixed batch, uint8 `[batch_size, image_size, image_size, channels]`.

        Smooth random patterns with a little noise, so that no channel is constant and training
        has something to learn; timings do not depend on the content.
        """
        generator = np.random.default_rng(0)
        axis = np.linspace(0.0, 2 * np.pi, self.image_size)
        frequency, phase = generator.uniform(0.2, 2.0, (2, self.batch_size, 2, self.channels))
        waves = [
            np.sin(frequency[:, i, None, :] * axis[None, :, None] + 6 * phase[:, i, None, :])
            for i in range(2)
        ]
        pattern = 60 * waves[0][:, :, None, :] * waves[1][:, None, :, :]
        noise = generator.normal(0.0, 8.0, pattern.shape)
        return np.clip(np.rint(128 + pattern + noise), 0, 255).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Stepper:
    """A contender that has made its first training step.

    Attributes:
      run: `run(n)` makes n further steps, waits for the last one and returns its loss in
        bits/dim.
      first_loss: loss of the first step, in bits/dim.
      parameters: number of trained numbers.
      versions: versions of the libraries that did the work.
    """

    run: Callable[[int], float]
    first_loss: float
    parameters: int
    versions: dict[str, str]
