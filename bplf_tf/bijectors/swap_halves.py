"""Exchange of the halves of the channels."""

from typing import Any

import tensorflow as tf

from bplf_tf.bijectors.base import FlowBijector
from bplf_tf.bijectors.channels import join_channels, split_channels


class SwapHalves(FlowBijector):
    """Exchanges the two halves of the channels, so that couplings take turns.

    Forward: `[x1, x2] -> [x2, x1]`.
    Forward log-det: 0.
    Inverse: the same.
    Inverse log-det: 0.

    Source: NICE (Dinh et al. 2015), section 3.2.
    """

    def __init__(self, name: str = "swap_halves") -> None:
        """Creates the bijector."""
        super().__init__(parameters={"name": name}, name=name, is_constant_jacobian=True)

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if x.shape[-1] is None or x.shape[-1] % 2:
            raise ValueError(f"SwapHalves needs an even number of channels, got shape {x.shape}")
        first, second = split_channels(x)
        return join_channels(second, first), tf.zeros([], x.dtype)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._forward_and_log_det(y)
