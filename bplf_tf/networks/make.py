"""The network that a configuration names."""

from __future__ import annotations

from typing import Any

from bplf_tf.config import ModelConfig
from bplf_tf.networks.conv import KERNEL_SIZES, ConvNetwork
from bplf_tf.networks.inception import BRANCHES, InceptionNetwork
from bplf_tf.networks.residual import ResidualNetwork


def make_network(config: ModelConfig, **arguments: Any) -> ConvNetwork:
    """K networks of the kind `config.network`.

    Args:
      config: of the model, which settles all that is the same for its networks.
      **arguments: of `ConvNetwork`: what differs from network to network.
    """
    kind = ConvNetwork
    if config.network in BRANCHES:
        kind = InceptionNetwork
    elif config.network == "residual":
        kind = ResidualNetwork
    return kind(
        kernel_sizes=KERNEL_SIZES.get(config.network, config.network),
        condition_size=config.condition_size("g1") if config.label_at == "input" else 0,
        dropout=config.dropout,
        actnorm=config.network_actnorm,
        dtype=config.dtype,
        **arguments,
    )
