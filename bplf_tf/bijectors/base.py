"""The base class of every bijector here: value and log-det come from one computation."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import cache_util


class FlowBijector(tfp.bijectors.Bijector):
    """A bijector on images `[..., H, W, C]` whose subclasses give value and log-det together.

    A subclass writes `_forward_and_log_det(x)` and `_inverse_and_log_det(y)`, each returning the
    value and the log-det of that very direction, of shape `[...]` or broadcastable to it. TFP asks
    for value and log-det in separate calls, which would run an expensive conditioner twice; its
    attribute cache hands the log-det that came with the value to the second call (the remedy that
    `tfp.bijectors.FFJORD` uses).
    """

    _cache = cache_util.BijectorCacheWithGreedyAttrs(
        forward_name="_augmented_forward", inverse_name="_augmented_inverse"
    )

    def __init__(
        self,
        parameters: dict[str, Any],
        name: str,
        dtype: Any = None,
        forward_min_event_ndims: Any = 3,
        inverse_min_event_ndims: Any = None,
        **kwargs: Any,
    ) -> None:
        if inverse_min_event_ndims is None:
            inverse_min_event_ndims = forward_min_event_ndims
        super().__init__(
            forward_min_event_ndims=forward_min_event_ndims,
            inverse_min_event_ndims=inverse_min_event_ndims,
            dtype=dtype,
            parameters=parameters,
            name=name,
            **kwargs,
        )

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        raise ValueError(f"{type(self).__name__} has no forward direction")

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        raise ValueError(f"{type(self).__name__} has no inverse direction")

    def recompute_inverse(
        self, x: tf.Tensor, tape: tf.GradientTape
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """The input that `inverse` took, from its output `x`, and `inverse` of it again.

        For a backward pass that does not keep activations. Overridden where a part of the work
        would be done twice, once to invert and once to differentiate.

        Args:
          x: what `inverse` returned, `[..., H, W, C]`.
          tape: recording; watches what comes back as the input.

        Returns:
          The input as tensors to be joined along the channels, all watched and depending on
          nothing; the value and the inverse log-det computed from them.
        """
        with tape.stop_recording():
            y = tf.stop_gradient(self._forward_and_log_det(x)[0])
        tape.watch(y)
        value, log_det = self._inverse_and_log_det(y)
        return [y], value, log_det

    def _augmented_forward(self, x: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        y, log_det = self._forward_and_log_det(x)
        return y, {"fldj": log_det, "ildj": -log_det}

    def _augmented_inverse(self, y: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        x, log_det = self._inverse_and_log_det(y)
        return x, {"ildj": log_det, "fldj": -log_det}

    def _forward(self, x: tf.Tensor) -> tf.Tensor:
        return self._augmented_forward(x)[0]

    def _inverse(self, y: tf.Tensor) -> tf.Tensor:
        return self._augmented_inverse(y)[0]

    def _forward_log_det_jacobian(self, x: tf.Tensor) -> tf.Tensor:
        if "fldj" not in self._cache.forward_attributes(x):
            self._cache.forward(x)  # keeps the value too, for the call that usually follows
        return self._cache.forward_attributes(x)["fldj"]

    def _inverse_log_det_jacobian(self, y: tf.Tensor) -> tf.Tensor:
        if "ildj" not in self._cache.inverse_attributes(y):
            self._cache.inverse(y)  # keeps the value too, for the call that usually follows
        return self._cache.inverse_attributes(y)["ildj"]
