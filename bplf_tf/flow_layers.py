"""The layers of a `BPLF` model, which own all of its weights."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow_probability as tfp

from bplf_tf.bijectors import Haar, Squeeze, flatten
from bplf_tf.config import ModelConfig
from bplf_tf.layers import (
    CheckerboardSteps,
    DiagonalScaleLayer,
    FlowSteps,
    HeavyTailsLayer,
    PCALayer,
    PixelAffineLayer,
    PixelLogitLayer,
    SplitPriorLayer,
)
from bplf_tf.priors import ClassConditionalGaussian


class FlowLayers(keras.Model):
    """Makes every layer that a configuration asks for, level by level from the image on.

    The names of the attributes and the order in which layers are made are those of saved files.
    """

    def __init__(self, config: ModelConfig, **kwargs: Any) -> None:
        super().__init__(dtype=config.dtype, **kwargs)
        self.config = config
        self._condition_size = len(config.classes)
        self.checkerboards: list[CheckerboardSteps] = []
        self.steps: list[FlowSteps] = []
        self.diagonal_scales: list[DiagonalScaleLayer] = []
        self.split_priors: list[SplitPriorLayer] = []
        height, width, channels = config.image_shape
        self.pixel_logit = (
            PixelLogitLayer(channels, dtype=config.dtype, name="pixel_logit")
            if config.pixel_logit
            else None
        )
        self.pixel_affine = (
            PixelAffineLayer(
                config.image_shape, self._condition_size, dtype=config.dtype, name="pixel_affine"
            )
            if config.pixel_affine
            else None
        )
        self.pca: PCALayer | None = None
        self.pca_priors: list[SplitPriorLayer] = []
        if config.svd_protocol == "pca":
            self.pca = PCALayer(config.image_shape, dtype=config.dtype, name="pca")
            height, width, channels = config.flow_shape
            # Half of the four pictures leave, and half of what stays: the first one goes on.
            for i, pictures in enumerate((4, 2)):
                prior = self._split_prior(f"pca_prior_{i}", (height, width, pictures * channels))
                self.pca_priors.append(prior)
        for level in range(config.levels):
            if config.checkerboard:
                self.checkerboards.append(self._checkerboard(level, (height, width, channels)))
            height, width, channels = self.squeeze().inverse_event_shape([height, width, channels])
            self.steps.append(self._flow_steps(level, (height, width, channels)))
            if config.diagonal_scale:
                self.diagonal_scales.append(
                    DiagonalScaleLayer(
                        (height, width, channels),
                        dtype=config.dtype,
                        name=f"diagonal_scale_{level}",
                    )
                )
            if level < config.levels - 1:
                shape = (height, width, channels)
                self.split_priors.append(self._split_prior(f"split_prior_{level}", shape))
                channels //= 2
        self.tails = (
            HeavyTailsLayer(channels, dtype=config.dtype, name="tails")
            if config.heavy_tails
            else None
        )
        self.prior = ClassConditionalGaussian(
            dimensions=config.dimensions,
            conditional_dimensions=height * width * channels,
            condition_size=config.condition_size("top_prior"),
            log_scale_bound=config.log_scale_bound,
            learned=config.top_prior == "learned",
            dtype=config.dtype,
            name="prior",
        )
        self._initialized = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="initialized"
        )
        self._svd_threshold = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="svd_threshold"
        )
        self._bits_tracker = keras.metrics.Mean(name="bits_per_dim")
        self._truncated_bits_tracker = keras.metrics.Mean(name="bits_per_dim_truncated")
        self._functions: dict[str, Any] = {}
        self._unroll = False
        self.built = True

    def _checkerboard(self, level: int, shape: tuple[int, int, int]) -> CheckerboardSteps:
        return CheckerboardSteps(
            self.config,
            depth=self.config.checkerboard_depths[level],
            shape=shape,
            width=self.config.widths[level],
            seed=self.config.seed + 100 * level + 50,
            name=f"checkerboard_{level}",
        )

    def _flow_steps(self, level: int, shape: tuple[int, int, int]) -> FlowSteps:
        return FlowSteps(
            self.config,
            depth=self.config.depths[level] - self.config.checkerboard_depths[level],
            shape=shape,
            width=self.config.widths[level],
            seed=self.config.seed + 100 * level,
            name=f"level_{level}",
        )

    def _split_prior(self, name: str, shape: tuple[int, int, int]) -> SplitPriorLayer:
        return SplitPriorLayer(
            shape=shape,
            condition_size=self.config.condition_size("split_prior"),
            log_scale_bound=self.config.log_scale_bound,
            heavy_tails=self.config.heavy_tails,
            learned=self.config.split_prior == "learned",
            dtype=self.config.dtype,
            name=name,
        )

    def squeeze(self) -> tfp.bijectors.Bijector:
        """What every level begins with: `[..., H / 2, W / 2, 4 * C]` (forward) to images."""
        if self.config.squeeze == "flatten":
            return flatten(self.config.flow_shape)
        haar = self.config.squeeze == "haar"
        return tfp.bijectors.Chain([Squeeze(), Haar()], name="squeeze") if haar else Squeeze()
