"""From what a network or a label says to a log-scale and a shift."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from bplf_tf.bijectors.channels import split_channels
from bplf_tf.bijectors.dynamic_linear import Linear
from bplf_tf.config import ModelConfig
from bplf_tf.layers.part import Slices, Start
from bplf_tf.layers.scale import first_log_scale, log_scale_of
from bplf_tf.networks.conv import channel_statistics, expand_like

# DLF's own start: log-scales of -3 + tanh(1) and shifts of 1, where a network speaks.
_DLF_LOG_SCALE = -3.0
_DLF_BIAS = 1.0


class LinearHead:
    """`log s = a + f(raw)` and `m = b + other` of some channels in K steps.

    a and b are constants of each channel, (raw, other) what a network or a label says, and f the
    config's `log_scale_form`; additive couplings have no scales, and nothing is raw. The weights
    belong to `owner`, which keeps and saves them.
    """

    def __init__(
        self,
        owner: keras.layers.Layer,
        config: ModelConfig,
        depth: int,
        channels: int,
        suffix: str,
        said_by: str | None,
    ) -> None:
        """Adds the weights to `owner`, as `log_scale<suffix>` and on, and as its attributes.

        Args:
          owner: of the weights.
          config: of the model.
          depth: number of steps K.
          channels: that are scaled and shifted.
          suffix: of the weights' names.
          said_by: whose output comes in: `"network"`, `"label"`, or None for no output.
        """
        self._config = config
        self._said = said_by is not None
        self._scales = config.coupling == "affine"
        self._weights: dict[str, keras.Variable] = {}
        published = config.start == "dlf"
        bias = _DLF_BIAS if published and said_by == "network" else 0.0
        starts: dict[str, tuple[int, float]] = {"shift": (channels, bias)}
        if self._scales:
            log_scale = _DLF_LOG_SCALE if published else 0.0
            starts = {"log_scale": (channels, log_scale), **starts}
            if self._said and config.log_scale_form == "learned_tanh":
                starts |= {
                    "tanh_factor": (1, config.log_scale_bound),
                    "tanh_offset": (channels, bias),
                }
        for name, (size, start) in starts.items():
            weight = owner.add_weight(
                shape=(depth, size),
                initializer=keras.initializers.Constant(start),
                name=name + suffix,
            )
            self._weights[name] = weight
            setattr(owner, name + suffix, weight)

    @property
    def outputs_per_channel(self) -> int:
        """Numbers that a network or a label has to say for each channel."""
        return 2 if self._scales else 1

    def stacked(self, batch_rank: int = 0) -> Slices:
        """The weights, each `[K, 1 (batch_rank times), 1, 1, channels]`."""
        return {
            name: expand_like(tf.convert_to_tensor(weight.value), batch_rank)
            for name, weight in self._weights.items()
        }

    def linear(self, slices: Slices, output: tf.Tensor | None) -> Linear:
        """Log-scale (None where nothing is scaled) and shift, such that `y = s * x + m`.

        Args:
          slices: as from `stacked`, of one step or of all.
          output: what was said, `[..., outputs_per_channel * channels]`, broadcastable to the
            slices; None for nothing.
        """
        log_scale, shift = slices.get("log_scale"), slices["shift"]
        if log_scale is None:
            return None, shift if output is None else shift + output
        if output is not None:
            raw, said_shift = split_channels(output)
            log_scale += log_scale_of(
                raw,
                self._config.log_scale_form,
                self._config.log_scale_bound,
                slices.get("tanh_factor"),
                slices.get("tanh_offset"),
            )
            shift += said_shift
        if self._config.affine_order == "shift_scale":
            shift *= tf.exp(log_scale)
        return log_scale, shift

    def standardised(self, values: tf.Tensor) -> tuple[Start, tf.Tensor]:
        """Start with which these values `[B, ..., channels]` come out standardised; the outcome.

        Networks and labels say nothing yet, so that only the constants stand between.
        """
        mean, deviation = channel_statistics(values)
        if not self._scales:
            return [(self._weights["shift"], -mean)], values - mean
        said = first_log_scale(self._config.log_scale_form) if self._said else 0.0
        shift = -mean if self._config.affine_order == "shift_scale" else -mean / deviation
        start = [
            (self._weights["log_scale"], -tf.math.log(deviation) - said),
            (self._weights["shift"], shift),
        ]
        return start, (values - mean) / deviation

    def trained(self) -> list[keras.Variable]:
        """Its trainable weights."""
        return list(self._weights.values())


def network_start(config: ModelConfig, network: Any, slices: Slices, read: tf.Tensor) -> Start:
    """Start of a network's hidden layers from what it reads; see `ConvNetwork.normalised`."""
    if config.start != "data":
        return []
    normalised = network.normalised(slices, read)
    return [(getattr(network, name), value) for name, value in normalised.items()]
