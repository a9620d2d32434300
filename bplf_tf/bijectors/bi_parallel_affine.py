"""The bi-parallel affine layer, the linear module of BPLF."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import tensor_util

from bplf_tf.bijectors.dynamic_linear import LinearParts, LogScaleAndShift


class BiParallelAffine(LinearParts):
    """Scales and shifts both halves of the channels: the first by constants, the second by g1.

    Forward: `x1 = (y1 - m1) / s1`, then `x2 = (y2 - m2(x1)) / s2(x1)`.
    Forward log-det: `-sum log s1 - sum log s2`.
    Inverse: `y1 = s1 * x1 + m1`, `y2 = s2(x1) * x2 + m2(x1)`, image to latent.
    Inverse log-det: `sum log s1 + sum log s2`, over positions and channels.

    Both directions take two parallel steps, however deep g1 is. A condition h enters through what
    is handed in: `(log s1, m1) = g0(h)`, and a `g1` that closes over h.

    Source: the BPLF paper, eq. 3-6 to 3-8.
    """

    def __init__(
        self,
        log_scale: Any,
        shift: Any,
        g1: Callable[[tf.Tensor], LogScaleAndShift],
        name: str = "bi_parallel_affine",
    ) -> None:
        """Creates the bijector.

        Args:
          log_scale: `log s1`, broadcastable to `[..., H, W, C // 2]`: `[C // 2]`, or three
            dimensions and more, as `[..., 1, 1, C // 2]` where it depends on a condition.
          shift: `m1`, likewise.
          g1: function of `x1 [..., H, W, C // 2]` that returns `(log s2, m2)`, each
            `[..., H, W, C - C // 2]` or broadcastable to it from three dimensions or more.
          name: name of the bijector.

        Raises:
          ValueError: if `log_scale` or `shift` is a matrix.
        """
        parameters = dict(locals())
        # Variables stay variables, so that the bijector follows them.
        log_scale = tensor_util.convert_nonref_to_tensor(log_scale, name="log_scale")
        shift = tensor_util.convert_nonref_to_tensor(shift, name="shift")
        for argument, value in (("log_scale", log_scale), ("shift", shift)):
            if value.shape.rank == 2:  # [B, C // 2] would be taken for positions
                raise ValueError(
                    f"{argument} must have the shape [C // 2] or [..., 1, 1, C // 2], "
                    f"got {value.shape}"
                )
        self._g0 = (log_scale, shift)
        self._conditioners = [g1]
        super().__init__(parameters=parameters, name=name, dtype=log_scale.dtype)
