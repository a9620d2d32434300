"""Weights of K invertible 1x1 convolutions."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bplf_tf.bijectors import (
    Invert1x1Conv,
    kernel_log_abs_det,
    lu_inverse,
    lu_kernel,
    lu_log_abs_det,
)
from bplf_tf.layers.part import Given, Slices, Start


class Invert1x1ConvWeights(keras.layers.Layer):
    """Stacked kernels `[K, C, C]` that start as random rotations.

    `form="lu"` learns the factors of `bplf_tf.bijectors.lu_kernel`; `form="dense"` the matrix.
    """

    def __init__(self, depth: int, channels: int, form: str, seed: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.form = form
        self.channels = channels
        self.folded: dict[str, keras.Variable] = {}
        rotations = _rotations(depth, channels, seed)
        if form == "dense":
            self.kernel = self._add("kernel", rotations)
        else:
            lu, sign, permutation = _lu_factors(rotations)
            self.lu = self._add("lu", lu)
            self.sign = self._add("sign", sign, trainable=False)
            self.permutation = self._add("permutation", permutation, trainable=False, dtype="int32")
        self.built = True

    def _add(self, name: str, value: np.ndarray, **kwargs: Any) -> keras.Variable:
        def start(shape: Any, dtype: Any = None) -> np.ndarray:
            return value.astype(dtype)

        return self.add_weight(shape=value.shape, initializer=start, name=name, **kwargs)

    def fold(self) -> None:
        """Keeps W, its inverse and its log-det as weights, as they are now.

        For export: a graph then reads what it would compute anew in every call.
        """
        slices = self._slices()
        steps = [
            self.bijector({name: values[k] for name, values in slices.items()})
            for k in range(len(slices["kernel"]))
        ]
        inverse = np.stack([step.inverse_kernel.numpy() for step in steps])
        values = {
            "kernel": slices["kernel"].numpy(),
            "inverse_kernel": inverse,
            "log_abs_det": slices["log_abs_det"].numpy(),
        }
        self.folded = {
            name: self._add(f"folded_{name}", value, trainable=False)
            for name, value in values.items()
        }

    def save_own_variables(self, store: Any) -> None:
        """What a file holds: what `fold` added follows from it, and no new layer has it."""
        folded = {id(weight) for weight in self.folded.values()}
        learned = [weight for weight in self.weights if id(weight) not in folded]
        for i, weight in enumerate(learned):
            store[str(i)] = weight

    def stacked(self, given: Given) -> Slices:
        """`kernel [K, C, C]`, `log_abs_det [K]`, and what `bijector` needs to invert."""
        del given
        return self._slices()

    def _slices(self) -> Slices:
        if self.folded:
            return {n: tf.convert_to_tensor(weight.value) for n, weight in self.folded.items()}
        if self.form == "dense":
            kernel = tf.convert_to_tensor(self.kernel.value)
            return {"kernel": kernel, "log_abs_det": kernel_log_abs_det(kernel)}
        factors = {
            "lu": tf.convert_to_tensor(self.lu.value),
            "sign": tf.convert_to_tensor(self.sign.value),
            "permutation": tf.convert_to_tensor(self.permutation.value),
        }
        log_abs_det = lu_log_abs_det(factors["lu"])
        return {"kernel": lu_kernel(**factors), "log_abs_det": log_abs_det, **factors}

    def bijector(self, slices: Slices) -> Invert1x1Conv:
        """One convolution from its slices of `stacked`; inverts W only when it has to."""
        factors = {name: slices[name] for name in ("lu", "sign", "permutation") if name in slices}
        inverse = (lambda: lu_inverse(**factors)) if factors else slices.get("inverse_kernel")
        return Invert1x1Conv(
            slices["kernel"],
            inverse_kernel=inverse,
            log_abs_det=slices["log_abs_det"],
        )

    def start(self, slices: Slices, x: tf.Tensor) -> tuple[Start, tf.Tensor]:
        """See `Part`; does not depend on data."""
        return [], self.bijector(slices).inverse(x)

    def trained(self) -> list[keras.Variable]:
        """See `Part`."""
        return self.trainable_variables

    @property
    def multiplications(self) -> int:
        """See `Part`."""
        return self.channels**2


def _rotations(depth: int, channels: int, seed: int) -> np.ndarray:
    """Random orthogonal matrices `[K, C, C]`, float64."""
    normal = np.random.default_rng(seed).standard_normal([depth, channels, channels])
    q, r = np.linalg.qr(normal)
    return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, np.newaxis]


def _lu_factors(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Arguments of `lu_kernel` that give `matrices [K, C, C]`."""
    packed, pivots = (tensor.numpy() for tensor in tf.linalg.lu(matrices))
    diagonal = np.diagonal(packed, axis1=1, axis2=2)
    log_diagonal = np.log(np.abs(diagonal))[..., np.newaxis] * np.eye(diagonal.shape[-1])
    off_diagonal = packed * (1 - np.eye(diagonal.shape[-1]))
    return off_diagonal + log_diagonal, np.sign(diagonal), np.argsort(pivots, axis=-1)
