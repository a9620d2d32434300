"""Moving average of the weights (EMA): in the optimizer, and in the model's place."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from trainers.settings import FitSettings


class _WarmAverage:
    """Gives a Keras optimizer a momentum that grows from 0.1 to `ema_momentum`.

    Keras averages with one momentum from the first step on, so that a run of a few thousand steps
    ends with an average in which its very first weights still count. Here the momentum of step t
    (from 0) is `min(ema_momentum, (1 + t) / (10 + t))`: a window of the last ninth of the run,
    until `ema_momentum` sets a limit to it. This overrides Keras' own update, so the average is
    made inside the compiled step and is saved and restored with the optimizer's variables.
    """

    keep_weights = False
    ema_momentum: float
    iterations: Any
    _model_variables_moving_average: list[Any]

    def _update_model_variables_moving_average(self, trainable_variables: list[Any]) -> None:
        steps = ops.cast(self.iterations, "float32")
        momentum = ops.minimum(self.ema_momentum, (1.0 + steps) / (10.0 + steps))
        # Before the first step the average holds zeros: it starts as the first weights.
        momentum = ops.where(ops.equal(self.iterations, 0), 0.0, momentum)
        for variable, average in zip(
            trainable_variables, self._model_variables_moving_average, strict=True
        ):
            share = ops.cast(1.0 - momentum, variable.dtype)
            average.assign(average + share * (variable - average))

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Puts the averages in the weights' place as `fit` ends, but where `keep_weights` is set.

        A run that is gone on with in the middle of an epoch calls `fit` twice, and must train on
        from the weights.
        """
        if not self.keep_weights:
            super().finalize_variable_values(var_list)  # type: ignore[misc]


@keras.saving.register_keras_serializable(package="bplf_tf_trainers")
class Adam(_WarmAverage, keras.optimizers.Adam):
    """`keras.optimizers.Adam` whose average of the weights has a momentum that warms up."""


@keras.saving.register_keras_serializable(package="bplf_tf_trainers")
class Adamax(_WarmAverage, keras.optimizers.Adamax):
    """`keras.optimizers.Adamax` whose average of the weights has a momentum that warms up."""


@keras.saving.register_keras_serializable(package="bplf_tf_trainers")
class SGD(_WarmAverage, keras.optimizers.SGD):
    """`keras.optimizers.SGD` without momentum, likewise."""


@keras.saving.register_keras_serializable(package="bplf_tf_trainers")
class Muon(_WarmAverage, keras.optimizers.Muon):
    """`keras.optimizers.Muon` for kernels that are stacked over depth, likewise.

    Keras' own takes matrices alone, and leaves all else to Adam. Here each slice of a stacked
    kernel `[K, h, w, c_in, c_out]` of the networks g is a matrix `[h * w * c_in, c_out]`, of which
    the update is made orthogonal; all other weights are left to Adam.

    Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; scale of
    the update after Liu et al. 2025, arXiv 2502.16982.
    """

    def _should_use_adamw(self, variable: Any) -> bool:
        return not (len(variable.shape) == 5 and re.search(r"/kernel_\d+$", variable.path))

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        self.assign(m, self.momentum * m + gradient)
        depth, *rows, columns = variable.shape
        matrices = [depth, math.prod(rows), columns]
        update = ops.reshape(gradient + self.momentum * m, matrices)
        update = self.zeropower_via_newtonschulz5(update, self.ns_steps)
        # An orthogonal matrix of m x n has a root mean square of 1 / sqrt(max(m, n)).
        scale = self.rms_rate * math.sqrt(max(matrices[1:]))
        self.assign_sub(variable, ops.reshape(lr * scale * update, variable.shape))


def make_optimizer(settings: FitSettings) -> keras.optimizers.Optimizer:
    """The optimizer of a run, with global-norm clipping and the average of the weights."""
    make = {"adam": Adam, "adamax": Adamax, "sgd": SGD, "muon": Muon}[settings.optimizer]
    own: dict[str, Any] = {}
    if settings.optimizer == "muon":
        own = {
            "adam_beta_1": settings.beta_1,
            "adam_beta_2": settings.beta_2,
            "epsilon": settings.epsilon,
            "adam_weight_decay": None,
            "rms_rate": settings.muon_rate,
        }
    elif settings.optimizer != "sgd":
        own = {
            "beta_1": settings.beta_1,
            "beta_2": settings.beta_2,
            "epsilon": settings.epsilon,
        }
    return make(
        learning_rate=settings.learning_rate,
        **own,
        weight_decay=settings.weight_decay or None,
        global_clipnorm=settings.clip_norm or None,
        use_ema=settings.ema_momentum > 0,
        ema_momentum=settings.ema_momentum,
    )


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Puts the averaged weights into the model for the length of the block.

    Does nothing where the optimizer keeps no average or has made no step. The weights that come
    back are the same to the last bit; `keras.callbacks.SwapEMAWeights` swaps by adding and
    subtracting, which rounds them, and when a run stops early it leaves the raw weights in the
    model and takes them for the average.
    """
    optimizer = model.optimizer
    if not getattr(optimizer, "use_ema", False) or int(optimizer.iterations.numpy()) == 0:
        yield
        return
    variables = model.trainable_variables
    raw = [ops.convert_to_numpy(variable) for variable in variables]
    averages = optimizer._model_variables_moving_average
    for variable, average in zip(variables, averages, strict=True):
        variable.assign(average)
    try:
        yield
    finally:
        for variable, value in zip(variables, raw, strict=True):
            variable.assign(value)


class AverageInValidation(keras.callbacks.Callback):
    """Validates the averaged weights during `fit`; training goes on from the raw ones."""

    def __init__(self) -> None:
        super().__init__()
        self._swap = contextlib.ExitStack()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Puts the averaged weights in."""
        self._swap.enter_context(averaged_weights(self.model))

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Puts the raw weights back."""
        self._swap.close()
