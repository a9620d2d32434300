"""Callbacks that let a run be stopped and gone on with."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

import keras

from trainers.checkpoints import Checkpoints, Progress
from trainers.run_files import MetricsFile

Logs = dict[str, Any] | None


class Interrupted(Exception):
    """A signal asked the run to stop, and it did after saving a checkpoint.

    Attributes:
      signal: its number.
      step: finished steps.
    """

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"{signal.Signals(number).name} after step {step}")
        self.signal = number
        self.step = step


class StopSignal:
    """Remembers the first SIGTERM or Ctrl-C; a second one takes its ordinary course.

    Use it in a `with` statement, in the main thread; elsewhere it listens to nothing.

    Attributes:
      received: number of the first signal, or None.
    """

    _SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}
        self._step: int | None = None

    def raise_from_now_on(self, step: int) -> None:
        """Raises `Interrupted` for a signal that came, and at once for one that comes later.

        For what follows after the last checkpoint, at `step`, where nothing is left to be saved.
        """
        self._step = step
        self._raise_if_received()

    def _raise_if_received(self) -> None:
        if self._step is not None and self.received is not None:
            raise Interrupted(self.received, self._step)

    def __enter__(self) -> StopSignal:
        try:
            for number in self._SIGNALS:
                self._before[number] = signal.signal(number, self._receive)
        except ValueError:  # not the main thread
            pass
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.received = number
        for one, handler in self._before.items():
            # Not to `sigterm_as_ctrl_c`, which would have to wait for the end of a step.
            signal.signal(one, signal.SIG_DFL if one == signal.SIGTERM else handler)
        self._raise_if_received()
        # Not print: a signal may come in the midst of one.
        os.write(2, b"\nstopping: after this step, with a checkpoint; once more to stop at once\n")


class CheckpointWriter(keras.callbacks.Callback):
    """Saves checkpoints by steps, by minutes, after each epoch and when a signal ends the run.

    It comes after `MetricsFile`, whose rows are part of a checkpoint.

    Args:
      checkpoints: where to.
      progress: where the run was when it began or went on.
      metrics: the run's metrics file.
      minutes: time gone by, such as `Stopwatch().minutes`.
      steps_per_epoch: steps from one validation to the next.
      every_steps: a checkpoint after so many steps, or None.
      every_minutes: a checkpoint after so many minutes, or 0.
      signalled: number of a signal that asked the run to stop, or None.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        progress: Progress,
        metrics: MetricsFile,
        minutes: Callable[[], float],
        steps_per_epoch: int,
        every_steps: int | None,
        every_minutes: float,
        signalled: Callable[[], int | None],
    ) -> None:
        super().__init__()
        self._checkpoints = checkpoints
        self._progress = progress
        self._metrics = metrics
        self._minutes = minutes
        self._steps_per_epoch = steps_per_epoch
        self._every_steps = every_steps
        self._every_minutes = every_minutes
        self._signalled = signalled
        self._saved_at = minutes()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Saves where it is time to."""
        step = int(self.model.optimizer.iterations.numpy())
        if step % self._steps_per_epoch == 0 or self.model.stop_training:
            return  # validation follows, and the epoch's own checkpoint after it
        by_steps = self._every_steps is not None and step % self._every_steps == 0
        by_minutes = 0 < self._every_minutes <= self._minutes() - self._saved_at
        if by_steps or by_minutes or self._signalled() is not None:
            self._save(step)
        self._raise_if_stopped(step)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Saves, with the validation figure of these weights."""
        step = int(self.model.optimizer.iterations.numpy())
        self._save(step, (logs or {}).get("val_bits_per_dim"))
        self._raise_if_stopped(step)

    def _save(self, step: int, figure: float | None = None) -> None:
        progress = dataclasses.replace(
            self._progress, step=step, minutes=self._minutes(), rows=self._metrics.rows
        )
        self._checkpoints.save(self.model, progress, figure)
        self._saved_at = self._minutes()

    def _raise_if_stopped(self, step: int) -> None:
        signalled = self._signalled()
        if signalled is not None and not self.model.stop_training:
            raise Interrupted(signalled, step)


class RunningMeans(keras.callbacks.Callback):
    """Gives the first epoch back the running means that its first part had reached.

    Keras resets them as an epoch begins, also where it begins in the middle.

    Args:
      model: with the means of the checkpoint.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self._values = [variable.numpy() for variable in model.metrics_variables]

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Puts them back, once."""
        if self._values:
            for variable, value in zip(self.model.metrics_variables, self._values, strict=True):
                variable.assign(value)
        self._values = []
