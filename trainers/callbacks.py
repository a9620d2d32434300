"""Callbacks that look at a model in training. Each stands alone and works in anyone's `fit`.

    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.fit(dataset, epochs=5, callbacks=[InverseError(images, labels), NonFiniteGuard()])

Those that add to the logs come before whatever reads them: `NonFiniteGuard`, Keras' `CSVLogger`,
`TensorBoard`. Where the optimizer averages the weights (`use_ema`), they look at the average.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainers.averaging import averaged_weights
from trainers.image_grid import image_grid, save_png
from trainers.nonfinite import NonFiniteError

Logs = dict[str, Any] | None


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


class BitsPerDim(keras.callbacks.Callback):
    """Adds bits/dim of held-out images to the logs of each epoch, of all and of every label.

    `val_bits_per_dim` is that of all, where `fit` was given no validation data and so does not log
    it itself; `val_bits_per_dim_<label>` is that of a label that occurs.

    Args:
      images: uint8 `[N, H, W, C]`.
      labels: their labels, int `[N]`, or `None` for an unconditional model.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray | None) -> None:
        super().__init__()
        self._images = images
        self._labels = labels

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Adds to the logs."""
        if logs is None:
            return
        with averaged_weights(self.model):
            bits = self.model.bits_per_dim(self._images, self._labels)
        logs.setdefault("val_bits_per_dim", float(bits.mean()))
        if self._labels is None:
            return
        for label, name in enumerate(self.model.config.classes):
            chosen = bits[self._labels == label]
            if len(chosen):
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
