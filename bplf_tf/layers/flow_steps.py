"""The K steps of one level: their weights, their data-dependent start, their bijector."""

from typing import Any

from bplf_tf.config import ModelConfig
from bplf_tf.layers.dynamic_linear import DynamicLinearWeights
from bplf_tf.layers.invert_1x1_conv import Invert1x1ConvWeights
from bplf_tf.layers.part import Part
from bplf_tf.layers.stacked_steps import StackedSteps
from bplf_tf.layers.swap_halves import SwapHalvesPart


class FlowSteps(StackedSteps):
    """K steps of equal shape: ActNorm, if any, 1x1 convolution or swap, affine layer."""

    def __init__(
        self,
        config: ModelConfig,
        depth: int,
        shape: tuple[int, int, int],
        width: int,
        seed: int,
        **kwargs: Any,
    ) -> None:
        """Creates the weights; see `StackedSteps`.

        Args:
          config: of the model.
          depth: number of steps K.
          shape: (h, w, c) of the level after its squeeze.
          width: of the networks.
          seed: of the weights' start.
          **kwargs: of `keras.layers.Layer`, such as `name`.
        """
        super().__init__(config, depth, shape, **kwargs)
        self.convolution = (
            Invert1x1ConvWeights(
                depth,
                shape[2],
                config.kernel_form,
                seed,
                dtype=config.dtype,
                name="invert_1x1_conv",
            )
            if config.permutation == "1x1_conv"
            else None
        )
        self._affine = DynamicLinearWeights(self, config, width, seed)
        self.built = True

    def parts(self) -> dict[str, Part]:
        """See `StackedSteps`."""
        parts = super().parts()
        if self.convolution:
            parts["1x1 convolution"] = self.convolution
        else:
            parts["swap of halves"] = SwapHalvesPart()
        return {**parts, "affine layer": self._affine}
