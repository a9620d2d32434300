"""Inception networks: the hidden 3x3 or 1x1 convolution replaced by parallel branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps

from bplf_tf.networks.conv import ConvNetwork


class Branch(NamedTuple):
    """Convolutions one after the other: (height, width, channels) each, after a pooling if any."""

    convolutions: tuple[tuple[int, int, int], ...]
    pooling: str | None = None


# Channels are those of a width of 512. A is GoogLeNet's module 4c (Szegedy et al. 2015, table 1),
# which happens to lead from 512 channels to 512; B is the module with asymmetric convolutions of
# Szegedy et al. 2016, figure 6, with n = 3.
BRANCHES: dict[str, tuple[Branch, ...]] = {
    "inception_a": (
        Branch(((1, 1, 128),)),
        Branch(((1, 1, 128), (3, 3, 256))),
        Branch(((1, 1, 24), (5, 5, 64))),
        Branch(((1, 1, 64),), "max"),
    ),
    "inception_b": (
        Branch(((1, 1, 128),)),
        Branch(((1, 1, 128), (1, 3, 128), (3, 1, 192))),
        Branch(((1, 1, 64), (3, 1, 64), (1, 3, 64), (3, 1, 64), (1, 3, 128))),
        Branch(((1, 1, 64),), "average"),
    ),
}
_WIDTH_OF_BRANCHES = 512


class InceptionNetwork(ConvNetwork):
    """K networks of a 3x3 convolution, an Inception module and a 3x3 convolution.

    All convolutions of the module are hidden layers as those of `ConvNetwork`; its poolings are
    3x3 with a stride of 1. Other widths than 512 scale the branches in proportion.
    """

    def _plan(self, kernel_sizes: object) -> list[tuple[int, int, int, int]]:
        self._branches = scaled_branches(str(kernel_sizes), self.width)
        kernels = [(3, 3, self.in_channels, self.width)]
        for branch in self._branches:
            read = self.width
            for height, width, channels in branch.convolutions:
                kernels.append((height, width, read, channels))
                read = channels
        return [*kernels, (3, 3, self.width, self.out_channels)]

    def _hidden(self, x: tf.Tensor, layer: Callable[..., tf.Tensor]) -> tf.Tensor:
        x = layer(0, x)
        i = 1
        outputs = []
        for branch in self._branches:
            output = x if branch.pooling is None else _pooled(x, branch.pooling)
            for _ in branch.convolutions:
                output = layer(i, output)
                i += 1
            outputs.append(output)
        return tf.concat(outputs, axis=-1)


def scaled_branches(name: str, width: int) -> list[Branch]:
    """The branches of a module at another width than 512: their outputs add up to it.

    Raises:
      ValueError: if a branch would be left without a channel.
    """
    branches = BRANCHES[name]
    if width < len(branches):
        raise ValueError(f"{name} needs a width of at least {len(branches)}, got {width}")
    outputs = _shares([branch.convolutions[-1][-1] for branch in branches], width)
    scaled = []
    for branch, output in zip(branches, outputs, strict=True):
        *inner, (height, side, _) = branch.convolutions
        convolutions = [
            (h, w, max(1, round(channels * width / _WIDTH_OF_BRANCHES))) for h, w, channels in inner
        ]
        scaled.append(Branch((*convolutions, (height, side, output)), branch.pooling))
    return scaled


def _shares(parts: list[int], total: int) -> list[int]:
    """Integers of at least 1 in about these proportions that add up to `total`."""
    exact = [part * total / sum(parts) for part in parts]
    shares = [max(1, int(share)) for share in exact]
    while sum(shares) != total:
        step = 1 if sum(shares) < total else -1
        movable = [i for i, share in enumerate(shares) if share + step >= 1]
        nearest = max(movable, key=lambda i: step * (exact[i] - shares[i]))
        shares[nearest] += step
    return shares


def _pooled(x: tf.Tensor, kind: str) -> tf.Tensor:
    pool = tf.nn.max_pool2d if kind == "max" else tf.nn.avg_pool2d
    shape = ps.shape(x)
    flat = tf.reshape(x, ps.concat([[-1], shape[-3:]], axis=0))
    return tf.reshape(pool(flat, ksize=3, strides=1, padding="SAME"), shape)
