"""How far a run is and how fast it goes: callbacks that steer it by its schedule and show both."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import keras

from trainers.schedule import Schedule

Logs = dict[str, Any] | None


class Stopwatch:
    """Wall-clock minutes since `start`; 0 before it."""

    def __init__(self) -> None:
        self._started: float | None = None

    def start(self, minutes: float = 0.0) -> None:
        """Starts to count from `minutes`, or starts anew."""
        self._started = time.monotonic() - 60.0 * minutes

    def minutes(self) -> float:
        """Minutes since the start."""
        return 0.0 if self._started is None else (time.monotonic() - self._started) / 60.0


class ScheduledRun(keras.callbacks.Callback):
    """Sets the learning rate before each step and stops the run when its schedule is through.

    Adds `step`, `minutes` and `learning_rate` to the logs of each epoch.

    Args:
      schedule: learning rate and end as functions of steps and minutes.
      minutes: time gone by, such as `Stopwatch().minutes`.

    Attributes:
      step: number of the step that began last, from 0.
      last_step_minutes: when the last step ended.
    """

    def __init__(self, schedule: Schedule, minutes: Callable[[], float]) -> None:
        super().__init__()
        self._schedule = schedule
        self._minutes = minutes
        self.step = 0
        self.last_step_minutes = 0.0

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Sets the learning rate."""
        self.step = int(self.model.optimizer.iterations.numpy())
        self._rate = self._schedule.learning_rate(self.step, self._minutes())
        self.model.optimizer.learning_rate.assign(self._rate)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Stops the run where it is through."""
        self.last_step_minutes = self._minutes()
        self._stop_if_finished(self.last_step_minutes)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Adds to the logs, and stops the run if its time ran out during validation."""
        self._stop_if_finished(self._minutes())
        if logs is not None:
            logs["step"] = int(self.model.optimizer.iterations.numpy())
            logs["minutes"] = self.last_step_minutes
            logs["learning_rate"] = self._rate

    def _stop_if_finished(self, minutes: float) -> None:
        if self._schedule.finished(int(self.model.optimizer.iterations.numpy()), minutes):
            self.model.stop_training = True


class AnnealedRank(keras.callbacks.Callback):
    """Sets how far the annealing of the rank is before each step, for a model with `annealing`.

    Args:
      annealed: share that is done after so many steps and minutes.
      minutes: time gone by.
    """

    def __init__(
        self, annealed: Callable[[int, float], float], minutes: Callable[[], float]
    ) -> None:
        super().__init__()
        self._annealed = annealed
        self._minutes = minutes

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Sets the share."""
        step = int(self.model.optimizer.iterations.numpy())
        self.model.annealing.share.assign(self._annealed(step, self._minutes()))


class ImagesPerSecond(keras.callbacks.Callback):
    """Adds `images_per_second` to the logs: the speed of training since the epoch began.

    The first two steps after the start do not count: in them the graph is traced.

    Args:
      batch_size: images per step.
      images: images in the data set, whose pass ends with a short batch, or `None` where every
        batch is full.
    """

    def __init__(self, batch_size: int, images: int | None = None) -> None:
        super().__init__()
        self._batch_size = batch_size
        self._images = images or batch_size
        self._steps_to_skip = 2

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Starts to count anew."""
        self._count = 0
        self._started = time.monotonic()
        self._rate: float | None = None

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Counts the step's images."""
        now = time.monotonic()
        if self._steps_to_skip:
            self._steps_to_skip -= 1
            self._started = now
            return
        self._count += self._size_of_step(int(self.model.optimizer.iterations.numpy()) - 1)
        self._rate = self._count / max(now - self._started, 1e-9)
        if logs is not None:
            logs["images_per_second"] = self._rate

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Adds the epoch's rate; validation and pictures are not part of it."""
        if logs is not None and self._rate is not None:
            logs["images_per_second"] = self._rate

    def _size_of_step(self, step: int) -> int:
        steps_per_pass = -(-self._images // self._batch_size)
        last = step % steps_per_pass == steps_per_pass - 1
        return self._images - (steps_per_pass - 1) * self._batch_size if last else self._batch_size


class ProgressBar(keras.callbacks.ProgbarLogger):
    """Keras' progress bar for a run that may end by the clock and in the middle of an epoch.

    Where the output is not a terminal it prints one line per epoch.

    Args:
      schedule: tells how far the run is.
      minutes: time gone by.
    """

    _HIDDEN = ("loss", "val_loss", "step", "minutes")  # the loss is bits_per_dim

    def __init__(self, schedule: Schedule, minutes: Callable[[], float]) -> None:
        super().__init__()
        self._schedule = schedule
        self._minutes = minutes

    def set_params(self, params: dict[str, Any]) -> None:
        """Chooses between the bar and single lines; says nothing of the number of epochs."""
        verbose = 1 if sys.stdout.isatty() else 2
        super().set_params({**params, "verbose": verbose, "epochs": 1})

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Prints how far the run is."""
        minutes = self._minutes()
        share = self._schedule.progress(int(self.model.optimizer.iterations.numpy()), minutes)
        print(f"Epoch {epoch + 1}: {100 * share:.0f} % done, {minutes:.1f} minutes", flush=True)
        super().on_epoch_begin(epoch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Moves the bar."""
        super().on_train_batch_end(batch, self._shown(logs))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Ends the bar at the step that was really the epoch's last."""
        self.target = self.seen
        if self.progbar is not None:
            self.progbar.target = self.seen
        super().on_epoch_end(epoch, self._shown(logs))

    def _shown(self, logs: Logs) -> dict[str, Any]:
        return {name: value for name, value in (logs or {}).items() if name not in self._HIDDEN}
