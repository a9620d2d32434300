"""Keras callbacks of a training run. Each stands alone and works in anyone's `fit`.

Order in the list matters in three places: those that add to the logs come before `MetricsFile` and
`ProgressBar`, `NonFiniteGuard` before `ModelFile`, and `ProgressBar` last.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bplf_tf import BPLF
from datasets.files import write_csv, written_aside
from trainers.averaging import averaged_weights
from trainers.image_grid import image_grid, save_png
from trainers.schedule import Schedule

Logs = dict[str, Any] | None


class NonFiniteError(ArithmeticError):
    """A figure of the run is NaN or infinite."""


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


class InverseError(keras.callbacks.Callback):
    """Adds `inverse_error` to the logs of each epoch: how exactly the flow inverts on real images.

    Args:
      images: uint8 `[N, H, W, C]`; 64 are enough to follow it.
      labels: their labels, or `None` for an unconditional model.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray | None) -> None:
        super().__init__()
        self._images = images
        self._labels = labels

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Adds to the logs."""
        with averaged_weights(self.model):
            error = self.model.inverse_error(self._images, self._labels)
        if logs is not None:
            logs["inverse_error"] = error


class BitsPerLabel(keras.callbacks.Callback):
    """Adds `val_bits_per_dim_<label>` to the logs of each epoch, for every label that occurs.

    Args:
      images: uint8 `[N, H, W, C]`.
      labels: their labels, int `[N]`.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        super().__init__()
        self._images = images
        self._labels = labels

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Adds to the logs."""
        with averaged_weights(self.model):
            bits = self.model.bits_per_dim(self._images, self._labels)
        for label, name in enumerate(self.model.config.classes):
            chosen = bits[self._labels == label]
            if logs is not None and len(chosen):
                logs[f"val_bits_per_dim_{name}"] = float(chosen.mean())


class LogScaleHistograms(keras.callbacks.Callback):
    """Writes histograms of every level's log-scales for TensorBoard after each epoch.

    Of the steps' constants, what the networks add to them left out; one that runs away shows here
    before the loss does.

    Args:
      folder: to write to.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._writer: Any = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Writes them."""
        self._writer = self._writer or tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default(step=epoch + 1):
            for steps in (*self.model.checkerboards, *self.model.steps):
                for weight in steps.trainable_variables:
                    if weight.name.startswith("log_scale"):
                        tf.summary.histogram(weight.path, weight.numpy())
        self._writer.flush()


class NonFiniteGuard(keras.callbacks.Callback):
    """Raises `NonFiniteError` where an epoch's logs hold NaN or infinity.

    The training step checks its own loss; this finds what only validation brings to light, before
    the callbacks after it write a model that is of no use.
    """

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Checks the logs."""
        wrong = [name for name, value in (logs or {}).items() if not math.isfinite(value)]
        if wrong:
            raise NonFiniteError(f"non-finite {', '.join(wrong)} after epoch {epoch + 1}")


class MetricsFile(keras.callbacks.Callback):
    """Writes one row per epoch to a csv; the file is whole at any time.

    Args:
      path: of the csv.
      rows: those of the epochs before, where a run is resumed.
    """

    _FIRST = ("epoch", "step", "minutes", "bits_per_dim", "val_bits_per_dim")

    def __init__(self, path: Path, rows: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__()
        self._path = path
        self.rows = list(rows)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Writes the row."""
        values = {name: v for name, v in (logs or {}).items() if name not in ("loss", "val_loss")}
        # An epoch that the run's end had cut short may have been gone on with.
        self.rows = [row for row in self.rows if row["epoch"] <= epoch]
        self.rows.append({"epoch": epoch + 1, **values})
        names = {name: None for row in self.rows for name in row}
        columns = [name for name in self._FIRST if name in names]
        columns += [name for name in names if name not in columns]
        write_csv(self._path, columns, self.rows)


class _SavesModels(keras.callbacks.Callback):
    """Saves the model with the averaged weights, without the optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self._copy: BPLF | None = None

    def _save(self, path: Path) -> None:
        # A copy that was never compiled: Keras would save the optimizer too, three times the
        # weights' size, with a class that the loading side would have to know.
        if self._copy is None:
            self._copy = BPLF(self.model.config)
        with averaged_weights(self.model):
            self._copy.set_weights(self.model.get_weights())
        with written_aside(path) as aside:
            self._copy.save(aside)


class ModelFile(_SavesModels):
    """Saves the model with the averaged weights after each epoch, without the optimizer.

    Args:
      path: ending in `.keras`; it holds the last whole model at any time.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Saves the model."""
        self._save(self._path)


class Snapshots(_SavesModels):
    """Keeps the model as it is after 8, 16, 32 steps and on, with the averaged weights.

    Args:
      path: from the number of steps to the path of the file, ending in `.keras`.
    """

    FIRST = 8

    def __init__(self, path: Callable[[int], Path]) -> None:
        super().__init__()
        self._path = path

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Saves the model where its time has come."""
        step = int(self.model.optimizer.iterations.numpy())
        if step >= self.FIRST and step & (step - 1) == 0:  # a power of two
            path = self._path(step)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._save(path)


class SampleGrid(keras.callbacks.Callback):
    """Draws samples of every label after each epoch, beside images of the data.

    Every epoch and every label uses the same seed: pictures of different epochs show the training,
    and the faces of one column differ only by the label.

    Args:
      path: from the epoch's number, counted from 1, to the path of its PNG.
      images: images to show, uint8 `[N, H, W, C]`.
      labels: their labels, int `[N]`.
      samples_per_label: columns of samples; an unconditional model draws as many rows as columns.
      temperature: of the samples.
      seed: of the samples.
      tensorboard: folder to write the pictures to for TensorBoard, too.
    """

    _SHOWN = 4

    def __init__(
        self,
        path: Callable[[int], Path],
        images: np.ndarray,
        labels: np.ndarray,
        samples_per_label: int = 8,
        temperature: float = 0.7,
        seed: int = 0,
        tensorboard: Path | None = None,
    ) -> None:
        super().__init__()
        self._path = path
        self._tensorboard = tensorboard
        self._writer: Any = None
        self._images = images
        self._labels = labels
        self._n = samples_per_label
        self._temperature = temperature
        self._seed = seed

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Draws the picture."""
        with averaged_weights(self.model):
            rows = self._labelled_rows() if self.model.config.classes else self._plain_rows()
        headings = (f"samples, temperature {self._temperature:g}", "from the data")
        picture = image_grid(rows, headings)
        save_png(picture, self._path(epoch + 1))
        if self._tensorboard is not None:
            self._writer = self._writer or tf.summary.create_file_writer(str(self._tensorboard))
            with self._writer.as_default(step=epoch + 1):
                tf.summary.image("samples", np.asarray(picture)[np.newaxis])
            self._writer.flush()

    def _labelled_rows(self) -> list[tuple[str, list[np.ndarray]]]:
        rows = []
        for label, name in enumerate(self.model.config.classes):
            shown = self._images[self._labels == label][: self._SHOWN]
            rows.append((name, [self._sample(label, self._n), shown]))
        return rows

    def _plain_rows(self) -> list[tuple[str, list[np.ndarray]]]:
        samples = self._sample(None, self._n * self._n)
        return [
            (
                "",
                [
                    samples[row * self._n : (row + 1) * self._n],
                    self._images[row * self._SHOWN : (row + 1) * self._SHOWN],
                ],
            )
            for row in range(self._n)
        ]

    def _sample(self, label: int | None, n: int) -> np.ndarray:
        return self.model.sample(label, n=n, temperature=self._temperature, seed=self._seed)


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
