"""Depth as a loop: K steps of equal shape whose parameters are stacked."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import prefer_static as ps
from tensorflow_probability.python.internal import tensor_util

from bplf_tf.bijectors.base import FlowBijector
from bplf_tf.bijectors.constant_memory import inverse_in_constant_memory, unstack

Slices = Any  # a nested structure of tensors


class FlowStack(FlowBijector):
    """K bijectors that differ in their parameters only, run in one `tf.while_loop`.

    Forward: `x = f_1(f_2(... f_K(z)))`, so that step 1 is nearest to the image.
    Forward log-det: the sum of the steps' forward log-dets.
    Inverse: `z = f_K^-1(... f_1^-1(x))`, image to latent.
    Inverse log-det: the sum of the steps' inverse log-dets.

    The graph holds one step whatever K is, so tracing time does not grow with depth.
    """

    def __init__(
        self,
        step: Callable[[Slices], tfp.bijectors.Bijector],
        stacked: Slices,
        unroll: bool = False,
        constant_memory: bool = False,
        name: str = "flow_stack",
    ) -> None:
        """Creates the bijector.

        Args:
          step: makes a step, a bijector `[..., H, W, C] -> [..., H, W, C]`, from its slices.
          stacked: nested structure of tensors `[K, ...]`; slice k holds the parameters of step k.
          unroll: write the K steps out in the graph instead of looping: for interpreters whose
            loops are slow (TFLite).
          constant_memory: let the gradient of `inverse` rebuild the steps' inputs by inversion
            instead of keeping them: memory does not grow with K, for about 1.25 times the time.
            The steps must be made of `FlowBijector`s, and there are no second derivatives.
          name: name of the bijector.

        Raises:
          ValueError: if the leading dimensions of `stacked` are unknown or differ.
        """
        parameters = dict(locals())
        self._make_step = step
        # Variables stay variables, so that the bijector follows them.
        self._stacked = tf.nest.map_structure(tensor_util.convert_nonref_to_tensor, stacked)
        depths = {tensor.shape[0] for tensor in tf.nest.flatten(self._stacked)}
        if len(depths) != 1 or None in depths:
            raise ValueError(
                "all stacked parameters must have the same static leading dimension, got shapes "
                f"{[tensor.shape for tensor in tf.nest.flatten(self._stacked)]}"
            )
        self._depth = depths.pop()
        self._unroll = unroll
        self._constant_memory = constant_memory
        super().__init__(parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    @property
    def depth(self) -> int:
        """Number of steps K."""
        return self._depth

    def step(self, k: int) -> tfp.bijectors.Bijector:
        """Step k, counted from the image, as an ordinary bijector."""
        if not 0 <= k < self._depth:
            raise ValueError(f"step must lie in 0..{self._depth - 1}, got {k}")
        return self._make_step(tf.nest.map_structure(lambda t: t[k], self._stacked))

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if self._constant_memory:
            return inverse_in_constant_memory(self._make_step, self._stacked, y)

        def inverse_step(step: tfp.bijectors.Bijector, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return step.inverse(x), step.inverse_log_det_jacobian(x, event_ndims=3)

        return self._run(inverse_step, y, from_image=True)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def forward_step(step: tfp.bijectors.Bijector, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return step.forward(x), step.forward_log_det_jacobian(x, event_ndims=3)

        return self._run(forward_step, x, from_image=False)

    def _run(self, apply: Any, x: tf.Tensor, from_image: bool) -> tuple[tf.Tensor, tf.Tensor]:
        log_det = tf.zeros(ps.shape(x)[:-3], x.dtype)
        if self._unroll or self._depth == 1 or tf.executing_eagerly():
            # All slices of a tensor by one operation.
            unstacked = [tf.unstack(tensor) for tensor in tf.nest.flatten(self._stacked)]
            for k in range(self._depth) if from_image else reversed(range(self._depth)):
                of_step = [slices[k] for slices in unstacked]
                slices = tf.nest.pack_sequence_as(self._stacked, of_step)
                x, step_log_det = apply(self._make_step(slices), x)
                log_det += step_log_det
            return x, log_det

        arrays = tf.nest.map_structure(unstack, self._stacked)

        def body(i: tf.Tensor, x: tf.Tensor, log_det: tf.Tensor) -> tuple[tf.Tensor, ...]:
            k = i if from_image else self._depth - 1 - i
            step = self._make_step(tf.nest.map_structure(lambda array: array.read(k), arrays))
            value, step_log_det = apply(step, x)
            return i + 1, tf.ensure_shape(value, x.shape), log_det + step_log_det

        _, x, log_det = tf.while_loop(
            lambda i, *_: i < self._depth,
            body,
            (tf.constant(0), x, log_det),
            maximum_iterations=self._depth,
        )
        return x, log_det
