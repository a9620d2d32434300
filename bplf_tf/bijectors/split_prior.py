"""Split prior: half of the channels leave, standardised by what stays."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors.base import FlowBijector
from bplf_tf.bijectors.channels import join_channels, split_channels
from bplf_tf.bijectors.dynamic_linear import LogScaleAndShift, sum_over_event


class SplitPrior(FlowBijector):
    """Standardises the second half of the channels given the first.

    A Gaussian `p(leave | keep) = N(mean(keep), scale(keep))` written as a bijector, so that all
    that leaves is standard normal and one base distribution serves the whole flow.

    Forward: `leave = mean(keep) + scale(keep) * tails(z)`, `keep` unchanged.
    Forward log-det: `sum log scale` and the tails' log-det.
    Inverse: `z = tails^-1((leave - mean(keep)) / scale(keep))`, image to latent.
    Inverse log-det: `-sum log scale` and the tails' inverse log-det.

    Source: the multi-scale split of RealNVP (Dinh et al. 2017) with the learned prior of Glow
    (Kingma and Dhariwal 2018).
    """

    def __init__(
        self,
        prior: Callable[[tf.Tensor], LogScaleAndShift],
        tails: tfp.bijectors.Bijector | None = None,
        name: str = "split_prior",
    ) -> None:
        """Creates the bijector.

        Args:
          prior: function of `keep [..., H, W, C // 2]` that returns `(log scale, mean)` of the
            leaving half, each `[..., H, W, C - C // 2]`. A condition enters by a closure.
          tails: bijector of the leaving half, `[..., H, W, C - C // 2]`, that gives it tails other
            than a Gaussian's; None for the Gaussian.
          name: name of the bijector.
        """
        parameters = dict(locals())
        self._prior = prior
        self._tails = tfp.bijectors.Identity() if tails is None else tails
        super().__init__(parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        keep, z = split_channels(x)
        log_scale, mean = self._prior(keep)
        standardised = self._tails.forward(z)
        leave = mean + tf.exp(log_scale) * standardised
        log_det = sum_over_event(log_scale, z)
        log_det += self._tails.forward_log_det_jacobian(z, event_ndims=3)
        return join_channels(keep, leave), log_det

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        keep, leave = split_channels(y)
        log_scale, mean = self._prior(keep)
        standardised = (leave - mean) * tf.exp(-log_scale)
        z = self._tails.inverse(standardised)
        log_det = self._tails.inverse_log_det_jacobian(standardised, event_ndims=3)
        log_det -= sum_over_event(log_scale, z)
        return join_channels(keep, z), log_det
