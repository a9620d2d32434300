"""The convolutional networks g of the paper: 3x3,3x3,3x3 and 3x3,1x1,3x3."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps

from bplf_tf import random
from bplf_tf.networks.convolution import add_bias, convolve
from bplf_tf.plain import plain

Slices = dict[str, tf.Tensor]

KERNEL_SIZES = {
    "3x3_3x3_3x3": (3, 3, 3),
    "3x3_1x1_3x3": (3, 1, 3),
    "dense": (1, 1, 1, 1, 1, 1),
}

# Inputs are about standard normal, and held within this. Unbounded, a network's output grows with
# whatever lies beyond what training showed, and does so again in every step: one picture with a
# checkerboard behind the face then spoils the mean likelihood of thousands.
INPUT_BOUND = 5.0

# Standard deviations below it count as constant channels: a quarter of a grey level.
SMALLEST_DEVIATION = 1e-3


class ConvNetwork(keras.layers.Layer):
    """K convolutional networks of equal shape, with their weights stacked.

    The input is bounded first, `5 * tanh(x / 5)`. Hidden layer i of step k computes
    `relu(exp(gain_i) * conv(x, kernel_i) + bias_i)`. The condition enters as further channels of
    the input, maps over the image that depend on it linearly, `h @ condition_maps`: what a label
    says, it says of places, such as the mouth. The last layer is `exp(3 * gain) * conv(x, kernel)`
    with a kernel that starts at zero and no bias: whoever uses the network adds what suits it.
    Gains are folded into the kernels. Without `actnorm`, hidden layers have no gains.

    In training, `dropout` drops channels of the last hidden layer, each with all of its positions:
    neighbouring positions say much the same, so that single ones would not be missed (Tompson et
    al. 2015, SpatialDropout).

    Source: the coupling network of Glow (Kingma and Dhariwal 2018) with the paper's kernel sizes.
    """

    def __init__(
        self,
        depth: int,
        in_channels: int,
        out_channels: int,
        width: int,
        kernel_sizes: Any,
        condition_size: int,
        map_shape: tuple[int, int, int],
        seed: int,
        dropout: float = 0.0,
        actnorm: bool = True,
        **kwargs: Any,
    ) -> None:
        """Creates the weights.

        Args:
          depth: number of networks K.
          in_channels: channels of the input.
          out_channels: channels of the output.
          width: channels of every hidden layer.
          kernel_sizes: side of each convolution's kernel, from input to output; a subclass may
            take another description of its layers.
          condition_size: size E of the condition, 0 for none.
          map_shape: (H, W, P): size of the input, and number of maps by which the condition enters.
          seed: of the weights' start.
          dropout: probability in [0, 1) with which a channel of the last hidden layer is dropped
            where keys are given to draw it from.
          actnorm: whether hidden layers have gains and a normalised start.
          **kwargs: of `keras.layers.Layer`, such as `dtype` and `name`.
        """
        super().__init__(**kwargs)
        self.depth = depth
        self.width = width
        self.dropout = dropout
        self.actnorm = actnorm
        self._seed = seed
        self.condition_size = condition_size
        self.in_channels = in_channels + (map_shape[-1] if condition_size else 0)
        self.out_channels = out_channels
        kernels = self._plan(kernel_sizes)
        self.hidden_layers = len(kernels) - 1
        for i, (height, side, read, written) in enumerate(kernels):
            last = i == self.hidden_layers
            fan_in = height * side * read
            shape = (depth, height, side, read, written)
            # He's start, by the fan-in of one slice.
            start = keras.initializers.RandomNormal(stddev=math.sqrt(2 / fan_in), seed=seed + i)
            self._add(f"kernel_{i}", shape, "zeros" if last else start)
            if last or actnorm:
                self._add(
                    f"gain_{i}",
                    (depth, written),
                    keras.initializers.Constant(_last_gain(width)) if last else "zeros",
                )
            if not last:
                self._add(f"bias_{i}", (depth, written))
        if condition_size:
            self._add("condition_maps", (depth, condition_size, *map_shape))
        self.built = True

    def _plan(self, kernel_sizes: Any) -> list[tuple[int, int, int, int]]:
        """Shapes of the kernels, (height, width, c_in, c_out), the last layer's last."""
        channels = [self.in_channels, *[self.width] * (len(kernel_sizes) - 1), self.out_channels]
        return [(side, side, channels[i], channels[i + 1]) for i, side in enumerate(kernel_sizes)]

    def _hidden(self, x: tf.Tensor, layer: Callable[..., tf.Tensor]) -> tf.Tensor:
        """All but the last layer; `layer(i, x, rectified=True)` computes the i-th of them."""
        for i in range(self.hidden_layers):
            x = layer(i, x)
        return x

    @property
    def multiplications(self) -> int:
        """Of one network at one position."""
        last = self.hidden_layers
        kernels = [getattr(self, f"kernel_{i}") for i in range(last + 1)]
        return sum(math.prod(kernel.shape[1:]) for kernel in kernels)

    def _add(self, name: str, shape: tuple[int, ...], initializer: Any = "zeros") -> None:
        setattr(self, name, self.add_weight(shape=shape, initializer=initializer, name=name))

    def stacked(
        self,
        condition: tf.Tensor | None,
        dtype: tf.DType,
        dropout_keys: Sequence[tf.Tensor] | None = None,
    ) -> Slices:
        """What the K networks need, each tensor `[K, ...]`, gains folded in.

        Args:
          condition: `[..., E]`, or None; an unconditional network does not look at it.
          dtype: of the convolutions' arithmetic.
          dropout_keys: int32 tensors, `[B]` or `[]`, on which it depends what is dropped of the
            b-th image; None drops nothing.

        Returns:
          `kernel_i [K, h, w, c_in, c_out]` and, but for the last layer, `bias_i [K, c_out]`;
          where there is a condition, `maps [K, ..., H, W, P]`; where there are keys,
          `kept [K, B, 1, 1, width]`, bool.
        """
        slices = {}
        for i in range(self.hidden_layers + 1):
            kernel = self._value(f"kernel_{i}")
            if i == self.hidden_layers or self.actnorm:
                strength = 3.0 if i == self.hidden_layers else 1.0
                gain = tf.exp(strength * self._value(f"gain_{i}"))
                kernel *= gain[:, tf.newaxis, tf.newaxis, tf.newaxis]
            slices[f"kernel_{i}"] = tf.cast(kernel, dtype)
        for i in range(self.hidden_layers):
            slices[f"bias_{i}"] = tf.cast(self._value(f"bias_{i}"), dtype)
        if condition is not None and self.condition_size:
            slices["maps"] = tf.cast(per_step(condition, self._value("condition_maps")), dtype)
        if dropout_keys is not None:
            slices["kept"] = self._kept(dropout_keys)
        return slices

    def _kept(self, keys: Sequence[tf.Tensor]) -> tf.Tensor:
        # As slices, like weights: whoever computes a step again, such as the backward pass in
        # constant memory, drops the same. Levels differ by their seeds.
        keys = [*keys, tf.constant(self._seed, tf.int64)]
        kept = random.uniform(keys, self.depth * self.width) >= self.dropout
        kept = tf.reshape(kept, [-1, self.depth, 1, 1, self.width])
        return tf.transpose(kept, [1, 0, 2, 3, 4])

    def _value(self, name: str) -> tf.Tensor:
        return tf.convert_to_tensor(getattr(self, name).value)

    def apply(self, slices: Slices, x: tf.Tensor) -> tf.Tensor:
        """One network: `[..., H, W, in_channels] -> [..., H, W, out_channels]`, dtype of `x`."""

        def layer(i: int, x: tf.Tensor, rectified: bool = True) -> tf.Tensor:
            hidden = add_bias(convolve(x, slices[f"kernel_{i}"]), slices[f"bias_{i}"])
            return tf.nn.relu(hidden) if rectified else hidden

        hidden = _with_maps(tf.cast(bounded(x), slices["kernel_0"].dtype), slices)
        hidden = self._hidden(hidden, layer)
        if "kept" in slices:
            hidden *= tf.cast(slices["kept"], hidden.dtype) * (1 / (1 - self.dropout))
        return tf.cast(convolve(hidden, slices[f"kernel_{self.hidden_layers}"]), x.dtype)

    def normalised(self, slices: Slices, x: tf.Tensor) -> dict[str, tf.Tensor]:
        """Gains and biases of one step with which hidden layers have zero mean, unit variance.

        Args:
          slices: of the step, as from `stacked` in the weights' own dtype, with gains and biases
            at zero.
          x: a batch of inputs `[B, H, W, in_channels]`.

        Returns:
          Values of `gain_i` and `bias_i`, `[c_out]`, for every hidden layer; none without ActNorm.
        """
        if not self.actnorm:
            return {}
        start: dict[str, tf.Tensor] = {}

        def layer(i: int, x: tf.Tensor, rectified: bool = True) -> tf.Tensor:
            hidden = add_bias(convolve(x, slices[f"kernel_{i}"]), slices[f"bias_{i}"])
            mean, deviation = channel_statistics(hidden)
            start[f"gain_{i}"] = -tf.math.log(deviation)
            start[f"bias_{i}"] = -mean / deviation
            hidden = (hidden - mean) / deviation
            return tf.nn.relu(hidden) if rectified else hidden

        self._hidden(_with_maps(bounded(x), slices), layer)
        return start


def _last_gain(width: int) -> float:
    """Start of the last layer's gain, such that `exp(3 * gain)` is 14 / width, at most 1.

    The last kernel starts at zero, and one step of Adam moves all of its entries by the learning
    rate: the output moves by a multiple of it that grows with the width, and the steps of a flow
    multiply what each of them does. Without this factor, training at a learning rate of 1e-3
    without a warm-up blows up in its first steps.
    """
    return min(0.0, math.log(14 / width) / 3)


def channel_statistics(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and floored standard deviation per channel, over all other axes, each `[C]`."""
    mean, variance = tf.nn.moments(x, axes=list(range(x.shape.rank - 1)))
    return mean, tf.maximum(tf.sqrt(variance), SMALLEST_DEVIATION)


def per_step(condition: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    """`h @ table_k` for every step: `[..., E], [K, E, H, W, C] -> [K, ..., H, W, C]`."""
    product = tf.tensordot(condition, table, axes=[[-1], [1]])  # [..., K, H, W, C]
    steps = product.shape.rank - 4
    return tf.transpose(product, [steps, *range(steps), *range(steps + 1, steps + 4)])


def _with_maps(x: tf.Tensor, slices: Slices) -> tf.Tensor:
    """Appends the condition's maps, where there are any, to the channels of `[..., H, W, C]`."""
    if "maps" not in slices:
        return x
    maps = slices["maps"]
    if plain():
        return tf.concat([x, maps], axis=-1)
    shape = ps.concat([ps.shape(x)[:-1], [maps.shape[-1]]], axis=0)
    return tf.concat([x, tf.broadcast_to(maps, shape)], axis=-1)


def bounded(x: tf.Tensor) -> tf.Tensor:
    """`INPUT_BOUND * tanh(x / INPUT_BOUND)`: the identity near 0."""
    return INPUT_BOUND * tf.tanh(x * (1 / INPUT_BOUND))


def expand_like(x: tf.Tensor, batch_rank: int) -> tf.Tensor:
    """`[K, C] -> [K, 1 (batch_rank times), 1, 1, C]`."""
    for _ in range(batch_rank + 2):
        x = x[:, tf.newaxis]
    return x
