"""An affine map of each pixel by itself, such as turns a neutral face into an expressive one."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import tensor_util

from bplf_tf.bijectors.base import FlowBijector
from bplf_tf.bijectors.dynamic_linear import sum_over_event
from bplf_tf.pixel_ridge import MIN_SLOPE


class PixelAffine(FlowBijector):
    """Scales and shifts each pixel by numbers of its own: an ActNorm per position.

    Forward: `y = a * x + b`, a neutral face x to an expressive one.
    Forward log-det: `sum log a`, over positions and channels.
    Inverse: `x = (y - b) / a`.
    Inverse log-det: `-sum log a`.

    With the slopes and shifts of a label it belongs nearest to the image in a flow, which then sees
    faces with their expressions' means and contrasts taken away. `A_target . A_source^-1`, a
    `tfb.Chain` of one and the `tfb.Invert` of another, edits. Nothing is clipped.

    Source: the pixel model of Akram and Khan, Pixel-based Facial Expression Synthesis, ICPR 2020,
    read as a bijector.
    """

    def __init__(self, slope: Any, shift: Any, name: str = "pixel_affine") -> None:
        """Creates the bijector.

        Args:
          slope: a, broadcastable to `[..., H, W, C]` from three dimensions or more; `MIN_SLOPE` or
            more, which is checked where the values are known: not of variables, nor in a graph.
          shift: b, likewise.
          name: name of the bijector.

        Raises:
          ValueError: for fewer dimensions, or for slopes that are too small or not finite.
        """
        parameters = dict(locals())
        self._slope = tensor_util.convert_nonref_to_tensor(slope, name="slope")
        self._shift = tensor_util.convert_nonref_to_tensor(
            shift, name="shift", dtype=self._slope.dtype
        )
        for argument, value in (("slope", self._slope), ("shift", self._shift)):
            if value.shape.rank is not None and value.shape.rank < 3:
                raise ValueError(
                    f"{argument} must have the shape [H, W, C] or [..., H, W, C], got {value.shape}"
                )
        known = tf.get_static_value(self._slope)
        # A little less is rounding: 0.05 is not a float32.
        if known is not None and known.size and not known.min() >= MIN_SLOPE * (1 - 1e-6):
            raise ValueError(f"slopes must be at least {MIN_SLOPE}, the smallest is {known.min()}")
        super().__init__(parameters=parameters, name=name, dtype=self._slope.dtype)

    @classmethod
    def of_condition(
        cls, condition: Any, slopes: Any, shifts: Any, name: str = "pixel_affine"
    ) -> PixelAffine:
        """The bijector of a label, or of a mixture of labels.

        Slopes and shifts are mixed linearly, as a condition on the way from a label to another
        mixes an expression's intensity: between labels they stay positive.

        Args:
          condition: `[..., E]`, one-hot or a mixture.
          slopes: `[E, H, W, C]`, of each label.
          shifts: `[E, H, W, C]`.
          name: name of the bijector.

        Raises:
          ValueError: see the constructor; a mixture that goes beyond the labels can do it.
        """
        slopes = tf.convert_to_tensor(slopes)
        condition = tf.cast(condition, slopes.dtype)
        return cls(
            tf.tensordot(condition, slopes, axes=1),
            tf.tensordot(condition, tf.cast(shifts, slopes.dtype), axes=1),
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    @property
    def slope(self) -> Any:
        """The factors a."""
        return self._slope

    @property
    def shift(self) -> Any:
        """The summands b."""
        return self._shift

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        slope = tf.convert_to_tensor(self._slope)
        return slope * x + self._shift, sum_over_event(tf.math.log(slope), x)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        slope = tf.convert_to_tensor(self._slope)
        return (y - self._shift) / slope, -sum_over_event(tf.math.log(slope), y)
