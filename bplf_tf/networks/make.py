"""The network that a configuration names."""

from __future__ import annotations

from typing import Any

from bplf_tf.config import ModelConfig
from bplf_tf.networks.conv import KERNEL_SIZES, ConvNetwork
from bplf_tf.networks.inception import BRANCHES, InceptionNetwork


def make_network(config: ModelConfig, **arguments: Any) -> ConvNetwork:
    """K networks of the kind `config.network`.

    Args:
      config: of the model, which settles all that is the same for its networks.
      **arguments: of `ConvNetwork`: what differs from network to network.
    """
    inception = config.network in BRANCHES
    kind = InceptionNetwork if inception else ConvNetwork
    return kind(
        kernel_sizes=config.network if inception else KERNEL_SIZES[config.network],
        condition_size=config.condition_size("g1"),
        dropout=config.dropout,
        actnorm=config.network_actnorm,
        dtype=config.dtype,
        **arguments,
    )
