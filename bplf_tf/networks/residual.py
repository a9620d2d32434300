"""Residual networks g, as those of RealNVP."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from bplf_tf.networks.conv import ConvNetwork

# RealNVP's number for all data sets but CIFAR-10, where it has twice as many.
BLOCKS = 4


class ResidualNetwork(ConvNetwork):
    """K networks of a 3x3 convolution, residual blocks and a 3x3 convolution.

    A block adds to what it gets what two 3x3 convolutions make of it, a ReLU before each (He et
    al. 2016, arXiv 1603.05027). All of them are hidden layers as those of `ConvNetwork`.

    Source: RealNVP (Dinh et al. 2017), section 4.1, whose networks have batch or weight
    normalisation and a second way around all blocks besides.
    """

    def _plan(self, kernel_sizes: object) -> list[tuple[int, int, int, int]]:
        del kernel_sizes
        inner = (3, 3, self.width, self.width)
        return [
            (3, 3, self.in_channels, self.width),
            *[inner] * (2 * BLOCKS),
            (3, 3, self.width, self.out_channels),
        ]

    def _hidden(self, x: tf.Tensor, layer: Callable[..., tf.Tensor]) -> tf.Tensor:
        x = layer(0, x, rectified=False)
        for i in range(1, self.hidden_layers, 2):
            x += layer(i + 1, layer(i, tf.nn.relu(x)), rectified=False)
        return tf.nn.relu(x)
