"""What the presets cost: parameters and arithmetic of each."""

from __future__ import annotations

import dataclasses
import math

from bplf_tf.config import EMOTIONS, ModelConfig, preset_config
from bplf_tf.model import BPLF
from bplf_tf.preset_table import PRESETS, SOURCES


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named preset at one size.

    Attributes:
      name: of the preset.
      parameters: numbers that are learned or, as permutations, kept with them.
      flops_per_image: floating-point operations of one image's likelihood, two for each
        multiplication of a convolution or matrix product; elementwise ones are left out.
      source: where it comes from.
    """

    name: str
    parameters: int
    flops_per_image: int
    source: str

    def __str__(self) -> str:
        """One line of a table."""
        return (
            f"{self.name:<18}{self.parameters:>13,}{self.flops_per_image:>17,} FLOPs/image  "
            f"{self.source}"
        )


def presets(
    size: str = "small",
    image_shape: tuple[int, int, int] = (48, 48, 1),
    classes: tuple[str, ...] = EMOTIONS,
) -> tuple[Preset, ...]:
    """All presets at a size, with what they cost.

    Args:
      size: one of `SIZES`.
      image_shape: (height, width, channels).
      classes: names of the labels, `()` for unconditional models.

    Raises:
      ValueError: for an unknown size, or an image that does not fit its levels.
    """
    return tuple(
        Preset(name, *cost(preset_config(name, size, image_shape, classes)), SOURCES[name])
        for name in PRESETS
    )


def cost(config: ModelConfig) -> tuple[int, int]:
    """Parameters and floating-point operations per image of a model; see `Preset`.

    A model of the least depth is made and counted, since the steps of a level are all alike.
    """
    model = BPLF(dataclasses.replace(config, depth=2 if config.checkerboard else 1))
    wanted = [
        depth - boards
        for depth, boards in zip(config.depths, config.checkerboard_depths, strict=True)
    ]
    stacks = [*zip(model.steps, wanted, strict=True)]
    stacks += zip(model.checkerboards, config.checkerboard_depths, strict=False)
    parameters = model.count_params()
    priors = [*model.pca_priors, *model.split_priors]
    multiplications = sum(prior.multiplications for prior in priors)
    multiplications += model.pca.multiplications if model.pca else 0
    for steps, depth in stacks:
        per_step = sum(math.prod(weight.shape[1:]) for weight in steps.variables)
        parameters += (depth - steps.depth) * per_step
        multiplications += depth * steps.multiplications
    return parameters, 2 * multiplications
