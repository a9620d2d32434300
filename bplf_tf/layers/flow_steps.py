"""The K steps of one level: their weights, their data-dependent start, their bijector."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors import BiParallelAffine, FlowStack
from bplf_tf.bijectors.bi_parallel_affine import LogScaleAndShift
from bplf_tf.bijectors.channels import join_channels, split_channels
from bplf_tf.layers.invert_1x1_conv import Invert1x1ConvWeights
from bplf_tf.layers.scale import bounded_log_scale
from bplf_tf.networks import ConvNetwork
from bplf_tf.networks.conv import (
    KERNEL_SIZES,
    channel_statistics,
    expand_like,
    per_step,
)

Slices = dict[str, Any]


class FlowSteps(keras.layers.Layer):
    """K steps of equal shape: invertible 1x1 convolution, then the bi-parallel affine layer.

    g0 is a class-conditional ActNorm: `log s1 = log_scale_1 + c * tanh(h @ table / c)` and
    `m1 = shift_1 + h @ table`; g1 is a network of x1 with
    `log s2 = log_scale_2 + c * tanh(raw / c)` and `m2 = shift_2 + its other output`. All weights
    are stacked, `[K, ...]`.
    """

    def __init__(
        self,
        depth: int,
        shape: tuple[int, int, int],
        width: int,
        network: str,
        condition_size: int,
        condition_maps: int,
        log_scale_bound: float,
        kernel_form: str,
        seed: int,
        dropout: float = 0.0,
        network_actnorm: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.depth = depth
        self.log_scale_bound = log_scale_bound
        self.condition_size = condition_size
        height, self.map_width, channels = shape
        first, second = channels // 2, channels - channels // 2
        dtype = self.dtype_policy
        self.convolution = Invert1x1ConvWeights(
            depth, channels, kernel_form, seed, dtype=dtype, name="invert_1x1_conv"
        )
        self.network = ConvNetwork(
            depth,
            first,
            2 * second,
            width,
            KERNEL_SIZES[network],
            condition_size,
            (height, self.map_width, condition_maps),
            seed,
            dropout,
            network_actnorm,
            dtype=dtype,
            name="g1",
        )
        self.log_scale_1 = self.add_weight(shape=(depth, first), name="log_scale_1")
        self.shift_1 = self.add_weight(shape=(depth, first), name="shift_1")
        self.log_scale_2 = self.add_weight(shape=(depth, second), name="log_scale_2")
        self.shift_2 = self.add_weight(shape=(depth, second), name="shift_2")
        for weight in (self.log_scale_1, self.shift_1, self.log_scale_2, self.shift_2):
            weight.assign(tf.zeros_like(weight.value))
        if condition_size:
            self.condition = self.add_weight(
                shape=(depth, condition_size, 1, 1, 2 * first),
                initializer="zeros",
                name="g0_condition",
            )
        self.built = True

    def bijector(
        self,
        condition: tf.Tensor | None,
        network_dtype: tf.DType,
        unroll: bool = False,
        constant_memory: bool = False,
        dropout_keys: Sequence[tf.Tensor] | None = None,
    ) -> FlowStack:
        """The K steps as one bijector.

        Args:
          condition: `[..., E]`, or None for an unconditional model.
          network_dtype: of the arithmetic of g1.
          unroll: see `FlowStack`.
          constant_memory: see `FlowStack`.
          dropout_keys: see `ConvNetwork.stacked`.
        """
        stacked = self.stacked(condition, network_dtype, dropout_keys)
        return FlowStack(self.step, stacked, unroll=unroll, constant_memory=constant_memory)

    def stacked(
        self,
        condition: tf.Tensor | None,
        network_dtype: tf.DType,
        dropout_keys: Sequence[tf.Tensor] | None = None,
    ) -> Slices:
        """The parameters of the K steps, each tensor `[K, ...]`."""
        log_scale_1 = tf.convert_to_tensor(self.log_scale_1.value)
        shift_1 = tf.convert_to_tensor(self.shift_1.value)
        if condition is not None:
            of_condition = per_step(condition, tf.convert_to_tensor(self.condition.value))
            raw, shift = tf.split(of_condition, 2, axis=-1)
            batch_rank = of_condition.shape.rank - 4
            bounded = bounded_log_scale(raw, self.log_scale_bound)
            log_scale_1 = expand_like(log_scale_1, batch_rank) + bounded
            shift_1 = expand_like(shift_1, batch_rank) + shift
        else:
            log_scale_1, shift_1 = expand_like(log_scale_1, 0), expand_like(shift_1, 0)
        return {
            "convolution": self.convolution.stacked(),
            "log_scale_1": self._along_rows(log_scale_1),
            "shift_1": self._along_rows(shift_1),
            "log_scale_2": self._along_rows(expand_like(self.log_scale_2.value, 0)),
            "shift_2": self._along_rows(expand_like(self.shift_2.value, 0)),
            "g1": self.network.stacked(condition, network_dtype, dropout_keys),
        }

    def _along_rows(self, constants: tf.Tensor) -> tf.Tensor:
        """`[K, ..., 1, 1, C] -> [K, ..., 1, W, C]`.

        Broadcasting two to eight numbers to every position takes CPUs several times as long as
        broadcasting a row of the image to every row, and so does the sum in its gradient.
        """
        return constants + tf.zeros([self.map_width, 1], constants.dtype)

    def step(self, slices: Slices) -> tfp.bijectors.Bijector:
        """One step from its slices of `stacked`."""

        def g1(x1: tf.Tensor) -> LogScaleAndShift:
            raw, shift = split_channels(self.network.apply(slices["g1"], x1))
            log_scale = slices["log_scale_2"] + bounded_log_scale(raw, self.log_scale_bound)
            return log_scale, slices["shift_2"] + shift

        affine = BiParallelAffine(slices["log_scale_1"], slices["shift_1"], g1)
        return tfp.bijectors.Chain(
            [self.convolution.bijector(slices["convolution"]), affine], name="flow_step"
        )

    def initialize(self, x: tf.Tensor, condition: tf.Tensor | None) -> tf.Tensor:
        """Data-dependent start: every step's output gets zero mean, unit variance per channel.

        Args:
          x: the level's squeezed input, `[B, h, w, c]`.
          condition: `[B, E]` or None.

        Returns:
          The last step's output, `[B, h, w, c]`.
        """
        stacked = self.stacked(condition, x.dtype)
        collected: list[dict[str, tf.Tensor]] = []
        for k in range(self.depth):
            slices = tf.nest.map_structure(lambda t: t[k], stacked)  # noqa: B023
            x = self.convolution.bijector(slices["convolution"]).inverse(x)
            x1, x2 = split_channels(x)
            start = {f"g1/{n}": v for n, v in self.network.normalised(slices["g1"], x1).items()}
            outputs = []
            # The label's part of g0 and the network's last layer start at zero, so that only
            # these constants stand between x and y.
            for half, values in (("1", x1), ("2", x2)):
                mean, deviation = channel_statistics(values)
                start[f"log_scale_{half}"] = -tf.math.log(deviation)
                start[f"shift_{half}"] = -mean / deviation
                outputs.append((values - mean) / deviation)
            collected.append(start)
            x = join_channels(*outputs)
        for name in collected[0]:
            owner = self.network if name.startswith("g1/") else self
            variable = getattr(owner, name.removeprefix("g1/"))
            variable.assign(tf.stack([start[name] for start in collected]))
        return x
