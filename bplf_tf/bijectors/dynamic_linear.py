"""Linear layers on parts of the channels, each part scaled and shifted by what precedes it."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps
from tensorflow_probability.python.internal import tensor_util

from bplf_tf.bijectors.base import FlowBijector
from bplf_tf.bijectors.channels import join_channels, split_channels

LogScaleAndShift = tuple[tf.Tensor, tf.Tensor]
# A log-scale of None scales nothing.
Linear = tuple[tf.Tensor | None, tf.Tensor]
Conditioner = Callable[[tf.Tensor], Linear]


class LinearParts(FlowBijector):
    """What `DynamicLinear` and its special cases share: a loop over the parts of the channels.

    A subclass sets, before it calls this class' `__init__`, the attributes of the same names.

    Attributes:
      _g0: `(log s_1, m_1)` of the first part, constant over space, or None to leave it unchanged.
      _conditioners: of the other parts, each a function of the part before.
      _sizes: channels of each part; None halves them.
      _reads_output: whether conditioners read the part before as it leaves the layer.
    """

    _g0: tuple[Any, Any] | None
    _conditioners: Sequence[Conditioner]
    _sizes: Sequence[int] | None = None
    _reads_output: bool = False

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x_parts = self._split(y)
        y_parts: list[tf.Tensor] = []
        log_dets: list[tf.Tensor] = []
        for k, x in enumerate(x_parts):
            log_scale, shift = self._linear(k, y_parts if self._reads_output else x_parts)
            y_parts.append(_scaled_and_shifted(x, log_scale, shift))
            log_dets.append(_log_det(x, log_scale))
        return self._join(y_parts), _total(log_dets, y)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        y_parts = self._split(x)
        x_parts: list[tf.Tensor] = []
        log_dets: list[tf.Tensor] = []
        for k, y in enumerate(y_parts):
            log_scale, shift = self._linear(k, y_parts if self._reads_output else x_parts)
            x_parts.append(_solved(y, log_scale, shift))
            log_dets.append(_log_det(y, log_scale))
        return self._join(x_parts), -_total(log_dets, x)

    def recompute_inverse(
        self, x: tf.Tensor, tape: tf.GradientTape
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """See `FlowBijector`; runs each network once, for the inversion and the gradient."""
        x_parts: list[tf.Tensor] = []
        y_parts: list[tf.Tensor] = []
        log_dets: list[tf.Tensor] = []
        for k, y in enumerate(self._split(x)):
            log_scale, shift = self._linear(k, y_parts if self._reads_output else x_parts)
            with tape.stop_recording():
                solved = tf.stop_gradient(_solved(y, log_scale, shift))
            tape.watch(solved)
            x_parts.append(solved)
            y_parts.append(_scaled_and_shifted(solved, log_scale, shift))
            log_dets.append(_log_det(solved, log_scale))
        return x_parts, self._join(y_parts), _total(log_dets, x)

    def _linear(self, k: int, read: list[tf.Tensor]) -> tuple[Any, Any]:
        """Log-scale and shift of part k; None for none."""
        if k:
            return self._conditioners[k - 1](read[k - 1])
        if self._g0 is None:
            return None, None
        log_scale, shift = self._g0
        return None if log_scale is None else _at_least_3d(log_scale), _at_least_3d(shift)

    def _split(self, x: tf.Tensor) -> list[tf.Tensor]:
        if self._sizes is None:
            return list(split_channels(x))
        if x.shape[-1] != sum(self._sizes):
            raise ValueError(
                f"parts of {', '.join(map(str, self._sizes))} channels need {sum(self._sizes)}, "
                f"got shape {x.shape}"
            )
        return tf.split(x, self._sizes, axis=-1) if len(self._sizes) > 1 else [x]

    def _join(self, parts: list[tf.Tensor]) -> tf.Tensor:
        if len(parts) == 2:
            return join_channels(*parts)
        return tf.concat(parts, axis=-1) if len(parts) > 1 else parts[0]


class DynamicLinear(LinearParts):
    """Scales and shifts n parts of the channels, each but the first by a network of the one before.

    Forward: `x_k = (y_k - m_k) / s_k`, part after part; `(log s_k, m_k) = g_(k-1)(x_(k-1))`.
    Forward log-det: `-sum_k sum log s_k`.
    Inverse: `y_k = s_k * x_k + m_k`, all parts at once, image to latent.
    Inverse log-det: `sum_k sum log s_k`, over positions and channels.

    With `reads_output`, `(log s_k, m_k) = g_(k-1)(y_(k-1))`: DLF's inverse dynamic linear
    transformation. Then `forward` takes all parts at once, and `inverse` part after part. With two
    parts and no g0 it is the coupling of RealNVP and Glow, and without scales that of NICE.

    Source: DLF, Dynamic Linear Flow (Liao et al. 2019).
    """

    def __init__(
        self,
        g0: tuple[Any, Any] | None,
        conditioners: Sequence[Conditioner],
        sizes: Sequence[int] | None = None,
        reads_output: bool = False,
        name: str = "dynamic_linear",
    ) -> None:
        """Creates the bijector.

        Args:
          g0: `(log s_1, m_1)`, as `BiParallelAffine` takes them, the first of which may be None to
            scale nothing; or None to leave the first part unchanged.
          conditioners: n - 1 functions of a part `[..., H, W, C_k]` that return `(log s, m)` of
            the next one, each `[..., H, W, C_(k+1)]` or broadcastable to it from three dimensions
            or more; a log-scale of None scales nothing.
          sizes: channels C_k of each part; None is for two halves.
          reads_output: whether conditioners read what the layer makes of a part.
          name: name of the bijector.

        Raises:
          ValueError: if the numbers of conditioners and of parts do not fit together.
        """
        parameters = dict(locals())
        parts = 2 if sizes is None else len(sizes)
        if len(conditioners) != parts - 1:
            raise ValueError(
                f"{parts} parts need {parts - 1} conditioners, got {len(conditioners)}"
            )
        # Variables stay variables, so that the bijector follows them.
        self._g0 = None if g0 is None else tuple(map(tensor_util.convert_nonref_to_tensor, g0))
        self._conditioners = list(conditioners)
        self._sizes = None if sizes is None else list(sizes)
        self._reads_output = reads_output
        super().__init__(parameters=parameters, name=name)


class ActNorm(LinearParts):
    """Scales and shifts every channel by constants.

    Forward: `x = (y - shift) / scale`.
    Forward log-det: `-H * W * sum log scale`.
    Inverse: `y = scale * x + shift`, image to latent.
    Inverse log-det: `H * W * sum log scale`.

    Source: Glow (Kingma and Dhariwal 2018), section 3.1.
    """

    def __init__(self, log_scale: Any, shift: Any, name: str = "act_norm") -> None:
        """Creates the bijector.

        Args:
          log_scale: `[C]`, or broadcastable to `[..., H, W, C]` from three dimensions or more.
          shift: likewise.
          name: name of the bijector.
        """
        parameters = dict(locals())
        self._g0 = (
            tensor_util.convert_nonref_to_tensor(log_scale, name="log_scale"),
            tensor_util.convert_nonref_to_tensor(shift, name="shift"),
        )
        self._conditioners = []
        super().__init__(parameters=parameters, name=name)

    def _split(self, x: tf.Tensor) -> list[tf.Tensor]:
        return [x]


def _scaled_and_shifted(
    x: tf.Tensor, log_scale: tf.Tensor | None, shift: tf.Tensor | None
) -> tf.Tensor:
    scaled = x if log_scale is None else tf.exp(log_scale) * x
    return scaled if shift is None else scaled + shift


def _solved(y: tf.Tensor, log_scale: tf.Tensor | None, shift: tf.Tensor | None) -> tf.Tensor:
    shifted = y if shift is None else y - shift
    return shifted if log_scale is None else shifted * tf.exp(-log_scale)


def _log_det(x: tf.Tensor, log_scale: tf.Tensor | None) -> tf.Tensor | None:
    return None if log_scale is None else sum_over_event(log_scale, x)


def _total(log_dets: list[tf.Tensor | None], x: tf.Tensor) -> tf.Tensor:
    there = [log_det for log_det in log_dets if log_det is not None]
    return sum(there[1:], there[0]) if there else tf.zeros(ps.shape(x)[:-3], x.dtype)


def sum_over_event(log_scale: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """`[...]`: the sum over the last three dimensions of `log_scale` broadcast to x's."""
    total = tf.reduce_sum(log_scale, axis=[-3, -2, -1])
    # A number that several positions or channels share stands once for each of them.
    shared = ps.reduce_prod(ps.shape(x)[-3:]) // ps.reduce_prod(ps.shape(log_scale)[-3:])
    return tf.cast(shared, total.dtype) * total


def _at_least_3d(x: Any) -> tf.Tensor:
    x = tf.convert_to_tensor(x)
    return tf.reshape(x, [1, 1, -1]) if x.shape.rank < 3 else x
