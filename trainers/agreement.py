"""The clock and the signals of a run, on which all of its processes agree."""

from __future__ import annotations

from typing import Any

import keras

from trainers.pace import Stopwatch
from trainers.resuming import StopSignal
from trainers.strategies import Team

Logs = dict[str, Any] | None


class Agreement(keras.callbacks.Callback):
    """What time it is and whether to stop, the same in every process of a team.

    Processes that train together must take the same steps, write checkpoints after the same ones
    and end at the same one, or they wait for each other for ever. With several processes the
    chief's clock counts, and a signal to any of them; both are exchanged after each step and each
    epoch. It comes before the callbacks that ask it.

    Args:
      team: of this process.
      watch: this process's clock.
      stop: this process's signals.
    """

    def __init__(self, team: Team, watch: Stopwatch, stop: StopSignal) -> None:
        super().__init__()
        self._team = team
        self._watch = watch
        self._stop = stop
        self._agreed = (0.0, 0)
        self.exchange()

    def minutes(self) -> float:
        """Minutes of training."""
        return self._agreed[0] if self._team.several_processes else self._watch.minutes()

    def signal(self) -> int | None:
        """Number of a signal that asked the run to stop, or None."""
        return (self._agreed[1] or None) if self._team.several_processes else self._stop.received

    def exchange(self) -> None:
        """Asks all processes."""
        if not self._team.several_processes:
            return
        minutes = self._watch.minutes() if self._team.chief else 0.0
        received = self._stop.received
        total, signals, signalled = self._team.sum(
            [minutes, float(received or 0), float(received is not None)]
        )
        self._agreed = (total, round(signals / signalled) if signalled else 0)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Asks all processes."""
        self.exchange()

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Asks all processes."""
        self.exchange()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Asks all processes."""
        self.exchange()
