"""The K couplings with checkerboard masks at the image side of a level."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from bplf_tf.bijectors import Checkerboard
from bplf_tf.bijectors.checkerboard import changed
from bplf_tf.bijectors.dynamic_linear import Linear
from bplf_tf.config import ModelConfig
from bplf_tf.layers.label_output import LabelOutput
from bplf_tf.layers.linear_head import LinearHead, network_start
from bplf_tf.layers.part import Given, Part, Slices, Start, along_rows
from bplf_tf.layers.stacked_steps import StackedSteps
from bplf_tf.networks import make_network


class CheckerboardSteps(StackedSteps):
    """K steps: ActNorm, if any, then a coupling whose mask alternates from step to step."""

    def __init__(
        self,
        config: ModelConfig,
        depth: int,
        shape: tuple[int, int, int],
        width: int,
        seed: int,
        **kwargs: Any,
    ) -> None:
        """Creates the weights; see `FlowSteps`, but `shape` is that before the squeeze."""
        super().__init__(config, depth, shape, **kwargs)
        outputs = shape[2] * (2 if config.coupling == "affine" else 1)
        self.network = make_network(
            config,
            depth=depth,
            in_channels=shape[2],
            out_channels=outputs,
            width=width,
            map_shape=(shape[0], shape[1], config.condition_maps),
            seed=seed,
            name="g",
        )
        head = LinearHead(self, config, depth, shape[2], "", "network")
        labels = config.condition_size("g1") if config.label_at == "output" else 0
        label = LabelOutput(self, depth, labels, outputs, "g_condition") if labels else None
        self._coupling = _Coupling(config, self.network, head, label, depth, shape[1])
        self.built = True

    def parts(self) -> dict[str, Part]:
        """See `StackedSteps`."""
        return {**super().parts(), "checkerboard layer": self._coupling}


class _Coupling:
    """The masked coupling as a `Part`; the weights belong to others."""

    def __init__(
        self,
        config: ModelConfig,
        network: Any,
        head: LinearHead,
        label: LabelOutput | None,
        depth: int,
        row: int,
    ) -> None:
        self._config = config
        self._network = network
        self._head = head
        self._label = label
        self._depth = depth
        self._row = row

    def stacked(self, given: Given) -> Slices:
        slices: Slices = {
            "parity": tf.range(self._depth) % 2,
            "constants": {n: along_rows(t, self._row) for n, t in self._head.stacked().items()},
            "g": self._network.stacked(given.condition, given.network_dtype, given.dropout_keys),
        }
        if self._label:
            slices["label"] = along_rows(self._label.stacked(given.condition), self._row)
        return slices

    def bijector(self, slices: Slices) -> Checkerboard:
        def g(kept: tf.Tensor) -> Linear:
            output = self._network.apply(slices["g"], kept)
            if self._label:
                output += slices["label"]
            return self._head.linear(slices["constants"], output)

        return Checkerboard(g, slices["parity"])

    def start(self, slices: Slices, x: tf.Tensor) -> tuple[Start, tf.Tensor]:
        changes = changed(x.shape[1], x.shape[2], slices["parity"])
        kept = tf.where(changes[..., tf.newaxis], tf.zeros_like(x), x)
        start = network_start(self._config, self._network, slices["g"], kept)
        if self._config.actnorm or self._config.start != "data":
            return start, self.bijector(slices).inverse(x)
        of_head, values = self._head.standardised(tf.boolean_mask(x, changes, axis=1))
        # Back to their places, which are the same in every image.
        first_batch = tf.transpose(x, [1, 2, 0, 3])
        places = tf.where(changes)
        y = tf.tensor_scatter_nd_update(first_batch, places, tf.transpose(values, [1, 0, 2]))
        return start + of_head, tf.transpose(y, [2, 0, 1, 3])

    def trained(self) -> list[keras.Variable]:
        labels = [self._label.table] if self._label else []
        return [*self._head.trained(), *labels, *self._network.trainable_variables]

    @property
    def multiplications(self) -> int:
        return self._network.multiplications
