"""Callbacks that write a run's files after each epoch, whole or not at all."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from bplf_tf import BPLF
from datasets.files import write_csv, written_aside
from trainers.averaging import averaged_weights

Logs = dict[str, Any] | None


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
      best: likewise, for the model of the epoch with the lowest `val_bits_per_dim`.
      lowest: the figure of what `best` holds, where a run is resumed.
    """

    def __init__(self, path: Path, best: Path | None = None, lowest: float = math.inf) -> None:
        super().__init__()
        self._path = path
        self._best = best
        self._lowest = lowest

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Saves the model."""
        self._save(self._path)
        figure = (logs or {}).get("val_bits_per_dim", math.inf)
        if self._best is not None and figure < self._lowest:
            with written_aside(self._best) as aside:
                shutil.copyfile(self._path, aside)
            self._lowest = figure


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
