"""Weights of K affine layers: bi-parallel, coupling, or with more parts."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from bplf_tf.bijectors import DynamicLinear
from bplf_tf.bijectors.dynamic_linear import Linear
from bplf_tf.config import ModelConfig
from bplf_tf.layers.label_output import LabelOutput
from bplf_tf.layers.linear_head import LinearHead, network_start
from bplf_tf.layers.part import Given, Slices, Start, along_rows
from bplf_tf.networks import make_network


class DynamicLinearWeights:
    """The layers `y_k = s_k * x_k + m_k` of K steps, all of whose weights belong to `owner`.

    g0 is a class-conditional ActNorm of the first part; (log s_k, m_k) of another part is a
    network g_(k-1) of the part before, in the config's `inverse_form` as it leaves the layer.
    """

    def __init__(
        self,
        owner: Any,
        config: ModelConfig,
        width: int,
        seed: int,
    ) -> None:
        """Adds the weights to `owner`, as `log_scale_1`, `shift_1` and on, and as its attributes.

        Args:
          owner: `StackedSteps` that keep and save them.
          config: of the model.
          width: of the networks.
          seed: of the networks' start.
        """
        depth, shape = owner.depth, owner.shape
        self._config = config
        self._row = shape[1]
        self._sizes = config.part_sizes(shape[2])
        self._g0 = None
        self._networks = []
        outputs = 2 if config.coupling == "affine" else 1
        for k, (read, written) in enumerate(zip(self._sizes, self._sizes[1:], strict=False)):
            network = make_network(
                config,
                depth=depth,
                in_channels=read,
                out_channels=outputs * written,
                width=width,
                map_shape=(shape[0], shape[1], config.condition_maps),
                seed=seed + 10 * k,
                name=f"g{k + 1}",
            )
            setattr(owner, "network" if k == 0 else f"network_{k + 1}", network)
            self._networks.append(network)
        labels = config.condition_size("g0")
        if config.g0:
            said_by = "label" if labels else None
            self._g0 = LinearHead(owner, config, depth, self._sizes[0], "_1", said_by)
        self._heads = [
            LinearHead(owner, config, depth, size, f"_{k}", "network")
            for k, size in enumerate(self._sizes[1:], start=2)
        ]
        # Of g0, by 0, and of the networks where the label enters at their output.
        places = {0: labels}
        if config.label_at == "output":
            places |= dict.fromkeys(range(1, len(self._sizes)), config.condition_size("g1"))
        self._labels = {
            k: LabelOutput(owner, depth, size, outputs * self._sizes[k], f"g{k}_condition")
            for k, size in places.items()
            if size
        }

    def stacked(self, given: Given) -> Slices:
        """See `Part`."""
        slices: Slices = {}
        if self._g0:
            said, batch_rank = None, 0
            if 0 in self._labels:
                said = self._labels[0].stacked(given.condition)
                batch_rank = said.shape.rank - 4
            log_scale, shift = self._g0.linear(self._g0.stacked(batch_rank), said)
            # A log-scale of None, where nothing is scaled, is no slice.
            slices["g0"] = [
                along_rows(tensor, self._row) for tensor in (log_scale, shift) if tensor is not None
            ]
        for k, (head, network) in enumerate(zip(self._heads, self._networks, strict=True), start=1):
            constants = {n: along_rows(t, self._row) for n, t in head.stacked().items()}
            slices[f"constants_{k + 1}"] = constants
            slices[f"g{k}"] = network.stacked(
                given.condition, given.network_dtype, given.dropout_keys
            )
            if k in self._labels:
                said = self._labels[k].stacked(given.condition)
                slices[f"label_{k}"] = along_rows(said, self._row)
        return slices

    def bijector(self, slices: Slices) -> DynamicLinear:
        """See `Part`."""
        g0: Linear | None = None
        if self._g0:
            *log_scale, shift = slices["g0"]
            g0 = (log_scale[0] if log_scale else None, shift)
        conditioners = [self._conditioner(k, slices) for k in range(1, len(self._sizes))]
        halves = len(self._sizes) == 2 and self._sizes[0] == self._sizes[1]
        return DynamicLinear(
            g0, conditioners, None if halves else self._sizes, self._config.inverse_form
        )

    def _conditioner(self, k: int, slices: Slices) -> Any:
        def conditioner(read: tf.Tensor) -> Linear:
            output = self._networks[k - 1].apply(slices[f"g{k}"], read)
            if k in self._labels:
                output += slices[f"label_{k}"]
            return self._heads[k - 1].linear(slices[f"constants_{k + 1}"], output)

        return conditioner

    def start(self, slices: Slices, x: tf.Tensor) -> tuple[Start, tf.Tensor]:
        """See `Part`. With an ActNorm before it, or a start of its own, it takes x as it is."""
        parts = self._split(x)
        if self._config.actnorm or self._config.start != "data":
            start: Start = []
            y = self.bijector(slices).inverse(x)
        else:
            start, y = self._standardised(parts)
        read = self._split(y) if self._config.inverse_form else parts
        for k, network in enumerate(self._networks, start=1):
            start += network_start(self._config, network, slices[f"g{k}"], read[k - 1])
        return start, y

    def _standardised(self, parts: list[tf.Tensor]) -> tuple[Start, tf.Tensor]:
        start: Start = []
        outputs = []
        for head, values in zip([self._g0, *self._heads], parts, strict=True):
            of_part, output = head.standardised(values) if head else ([], values)
            start += of_part
            outputs.append(output)
        return start, tf.concat(outputs, axis=-1)

    def _split(self, x: tf.Tensor) -> list[tf.Tensor]:
        return tf.split(x, self._sizes, axis=-1)

    def trained(self) -> list[keras.Variable]:
        """See `Part`."""
        owned = [weight for head in (self._g0, *self._heads) if head for weight in head.trained()]
        owned += [label.table for label in self._labels.values()]
        return owned + [v for network in self._networks for v in network.trainable_variables]

    @property
    def multiplications(self) -> int:
        """See `Part`."""
        return sum(network.multiplications for network in self._networks)
