"""When `CheckpointWriter` writes, and the command that goes on with a run."""

import shlex
import signal

import keras
import numpy as np
import pytest

from datasets import flags
from tests.trainers.test_pace import dense_model
from trainers import fit
from trainers.checkpoints import Progress
from trainers.resuming import CheckpointWriter, Interrupted
from trainers.run_files import MetricsFile
from trainers.settings import FitSettings


class MinutePerStep(keras.callbacks.Callback):
    """A clock by which each step takes a minute; it gives every epoch a figure."""

    minutes = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self.minutes += 1.0

    def on_epoch_end(self, epoch, logs=None):
        logs["val_bits_per_dim"] = 4.0 - epoch


class Recorded:
    def __init__(self):
        self.saved = []

    def save(self, model, progress, figure=None):
        self.saved.append((progress.step, progress.minutes, figure))

    @property
    def steps(self):
        return [step for step, _, _ in self.saved]


def train(every_steps=None, every_minutes=0.0, signal_in_step=None):
    """Three epochs of three steps; what was saved."""
    clock, checkpoints = MinutePerStep(), Recorded()
    writer = CheckpointWriter(
        checkpoints,
        Progress(),
        MetricsFile("unused.csv"),
        lambda: clock.minutes,
        3,
        every_steps,
        every_minutes,
        lambda: signal.SIGTERM if clock.minutes == signal_in_step else None,
    )
    x = np.zeros((10, 1), np.float32)
    fitting = {"batch_size": 4, "epochs": 3, "verbose": 0, "callbacks": [clock, writer]}
    try:
        dense_model().fit(x, x, **fitting)
    except Interrupted as stopped:
        return checkpoints, stopped
    return checkpoints, None


def test_each_epoch_is_saved_with_its_figure():
    checkpoints, _ = train()
    assert checkpoints.saved == [(3, 3.0, 4.0), (6, 6.0, 3.0), (9, 9.0, 2.0)]


def test_by_steps():
    checkpoints, _ = train(every_steps=2)
    assert checkpoints.steps == [2, 3, 4, 6, 8, 9]
    assert checkpoints.saved[0] == (2, 2.0, None)


def test_by_minutes_since_the_last_one():
    assert train(every_minutes=2.0)[0].steps == [2, 3, 5, 6, 8, 9]
    assert train(every_minutes=2.5)[0].steps == [3, 6, 9]


@pytest.mark.parametrize("step", [4, 6])
def test_a_signal_is_saved_at_once(step):
    checkpoints, stopped = train(signal_in_step=step)
    assert checkpoints.steps == sorted({3, step})
    assert (stopped.signal, stopped.step) == (signal.SIGTERM, step)


@pytest.mark.parametrize(
    "given", [[], ["--resume"], ["--overwrite"], ["--overwrite=true"], ["--flagfile={folder}/f"]]
)
def test_the_command_that_goes_on_is_accepted(given, tmp_path, monkeypatch):
    (tmp_path / "f").write_text("--overwrite\n")
    given = [argument.format(folder=tmp_path) for argument in given]
    arguments = ["--run_dir=runs/my faces", "--epochs=2", *given]
    monkeypatch.setattr("sys.argv", ["trainers/fit.py", *arguments])
    command = fit._resume_command(flags.parse(FitSettings, arguments))
    assert command.count("--resume") == 1
    _, dash_m, module, *again = shlex.split(command)
    assert (dash_m, module) == ("-m", "trainers.fit")
    settings = flags.parse(FitSettings, again)
    settings.check()
    assert settings.resume
    assert settings.run_dir == "runs/my faces"
