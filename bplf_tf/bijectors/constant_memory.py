"""The loop over depth without stored activations: the backward pass inverts step after step.

Reverse-mode differentiation of a loop keeps what every step computed, so that memory grows with
depth. A flow need not keep it: a step's input follows from its output. Here the loop keeps its
last output alone; its gradient walks back, rebuilds each step's input by inversion and
differentiates that step by itself (the reversible networks of Gomez et al. 2017). What inversion
rounds is all that its gradients differ by: 1e-9 of the largest in float64, 1e-4 in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import prefer_static as ps

from bplf_tf.bijectors.base import FlowBijector

MakeStep = Callable[[Any], tfp.bijectors.Bijector]


def inverse_in_constant_memory(
    make_step: MakeStep, stacked: Any, y: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs K steps from image to latent, as `FlowStack.inverse` does, with that gradient.

    Args:
      make_step: makes a step from its slices: a `FlowBijector`, or a chain of them.
      stacked: nested structure of tensors `[K, ...]`.
      y: `[..., H, W, C]`.

    Returns:
      The last step's value `[..., H, W, C]` and the sum of the inverse log-dets `[...]`. They can
      be differentiated once, with respect to `y` and every floating tensor of `stacked`.
    """
    tensors = [tf.convert_to_tensor(tensor) for tensor in tf.nest.flatten(stacked)]

    # What the gradient is wanted of must come in as arguments: of captured tensors that are no
    # variables, tf.custom_gradient gives none.
    @tf.custom_gradient
    def run(y: tf.Tensor, *tensors: tf.Tensor) -> Any:
        slices_at = _Slices(stacked, tensors)
        z, log_det = _forward_loop(make_step, slices_at, y)

        def gradient(for_z: tf.Tensor, for_log_det: tf.Tensor) -> list[tf.Tensor | None]:
            return _backward_loop(make_step, slices_at, z, for_z, for_log_det)

        return (z, log_det), gradient

    return run(y, *tensors)


class _Slices:
    """The slices of step k, read from tensor arrays."""

    def __init__(self, structure: Any, tensors: tuple[tf.Tensor, ...]) -> None:
        self._structure = structure
        self.tensors = tensors
        self.depth = tensors[0].shape[0]
        self.floating = [i for i, tensor in enumerate(tensors) if tensor.dtype.is_floating]
        self._arrays = [unstack(tensor) for tensor in tensors]

    def at(self, k: tf.Tensor) -> list[tf.Tensor]:
        return [array.read(k) for array in self._arrays]

    def pack(self, flat: list[tf.Tensor]) -> Any:
        return tf.nest.pack_sequence_as(self._structure, flat)

    def empty_gradients(self) -> list[tf.TensorArray]:
        arrays = []
        for i in self.floating:
            tensor = self.tensors[i]
            arrays.append(
                tf.TensorArray(tensor.dtype, size=self.depth, element_shape=tensor.shape[1:])
            )
        return arrays


def _forward_loop(
    make_step: MakeStep, slices: _Slices, y: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    def body(k: tf.Tensor, x: tf.Tensor, log_det: tf.Tensor) -> tuple[tf.Tensor, ...]:
        step = make_step(slices.pack(slices.at(k)))
        value = tf.ensure_shape(step.inverse(x), x.shape)
        return k + 1, value, log_det + step.inverse_log_det_jacobian(x, event_ndims=3)

    _, z, log_det = tf.while_loop(
        lambda k, *_: k < slices.depth,
        body,
        (tf.constant(0), y, tf.zeros(ps.shape(y)[:-3], y.dtype)),
        maximum_iterations=slices.depth,
    )
    return z, log_det


def _backward_loop(
    make_step: MakeStep, slices: _Slices, z: tf.Tensor, for_z: tf.Tensor, for_log_det: tf.Tensor
) -> list[tf.Tensor | None]:
    def body(
        k: tf.Tensor, z: tf.Tensor, for_z: tf.Tensor, arrays: list[tf.TensorArray]
    ) -> tuple[Any, ...]:
        flat = slices.at(k)
        floating = [flat[i] for i in slices.floating]
        x, for_x, for_slices = _step_gradient(
            lambda: make_step(slices.pack(flat)), floating, z, for_z, for_log_det
        )
        arrays = [array.write(k, g) for array, g in zip(arrays, for_slices, strict=True)]
        return k - 1, tf.ensure_shape(x, z.shape), tf.ensure_shape(for_x, z.shape), arrays

    _, _, for_y, arrays = tf.while_loop(
        lambda k, *_: k >= 0,
        body,
        (tf.constant(slices.depth - 1), z, for_z, slices.empty_gradients()),
        maximum_iterations=slices.depth,
    )
    for_tensors: list[tf.Tensor | None] = [None] * len(slices.tensors)
    for i, array in zip(slices.floating, arrays, strict=True):
        for_tensors[i] = array.stack()
    return [for_y, *for_tensors]


def _step_gradient(
    make_step: Callable[[], tfp.bijectors.Bijector],
    sources: list[tf.Tensor],
    z: tf.Tensor,
    for_z: tf.Tensor,
    for_log_det: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """A step's input, and the gradients with respect to it and to `sources`, from its output."""
    parts = []
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(sources)
        step = make_step()
        for bijector in reversed(_bijectors(step)):
            leaves, value, log_det = bijector.recompute_inverse(z, tape)
            # A log-det may be one number for the whole batch.
            parts.append((leaves, value, log_det + tf.zeros_like(for_log_det)))
            with tape.stop_recording():
                z = tf.concat(leaves, axis=-1)
    total = [tf.zeros_like(source) for source in sources]
    for leaves, value, log_det in parts:
        gradients = tape.gradient(
            [value, log_det],
            [*leaves, *sources],
            output_gradients=[for_z, for_log_det],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        for_z = tf.concat(gradients[: len(leaves)], axis=-1)
        total = [a + b for a, b in zip(total, gradients[len(leaves) :], strict=True)]
    return z, for_z, total


def _bijectors(step: tfp.bijectors.Bijector) -> list[FlowBijector]:
    if isinstance(step, tfp.bijectors.Composition):
        return [part for bijector in step.bijectors for part in _bijectors(bijector)]
    if not isinstance(step, FlowBijector):
        raise ValueError(
            f"constant memory needs steps made of bplf_tf.bijectors, got {type(step).__name__}"
        )
    return [step]


def unstack(tensor: tf.Tensor) -> tf.TensorArray:
    """`[K, ...]` as a tensor array; tf.gather's gradient would write `[K, ...]` at each step."""
    tensor = tf.convert_to_tensor(tensor)
    array = tf.TensorArray(
        tensor.dtype, size=tensor.shape[0], element_shape=tensor.shape[1:], clear_after_read=False
    )
    return array.unstack(tensor)
