import keras
import numpy as np
import pytest

from trainers import pace
from trainers.schedule import Schedule


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rates, self.epochs = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate.numpy()))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(dict(logs))


def dense_model():
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    return model


def fit_dense(schedule, minutes, extra=()):
    recorder = Recorder()
    run = pace.ScheduledRun(schedule, minutes)
    x = np.zeros((10, 1), np.float32)
    dense_model().fit(x, x, batch_size=4, epochs=1000, verbose=0, callbacks=[run, *extra, recorder])
    return run, recorder


def test_a_run_follows_its_schedule_and_stops_in_the_middle_of_an_epoch():
    schedule = Schedule(peak=1.0, warmup_steps=2, total_steps=7)
    _, recorder = fit_dense(schedule, lambda: 0.0)
    assert recorder.rates == pytest.approx([schedule.learning_rate(i, 0.0) for i in range(7)])
    assert [logs["step"] for logs in recorder.epochs] == [3, 6, 7]
    assert recorder.epochs[-1]["learning_rate"] == pytest.approx(recorder.rates[-1])


def test_a_run_ends_by_the_clock():
    clock = iter(np.arange(0.0, 100.0, 0.5))
    run, recorder = fit_dense(Schedule(peak=1.0, max_minutes=4.5), lambda: float(next(clock)))
    # Two looks at the clock a step and one an epoch: the fifth step goes from 4.5 to 5.0.
    assert len(recorder.rates) == 5
    assert run.last_step_minutes == 5.0


def test_a_run_whose_time_ends_in_validation_makes_no_further_step():
    clock = [0.0]

    class Slow(keras.callbacks.Callback):
        def on_test_end(self, logs=None):
            clock[0] = 60.0

    run = pace.ScheduledRun(Schedule(peak=1.0, max_minutes=5.0), lambda: clock[0])
    x = np.zeros((10, 1), np.float32)
    model = dense_model()
    fit = {"batch_size": 4, "epochs": 1000, "verbose": 0, "validation_data": (x, x)}
    model.fit(x, x, callbacks=[run, Slow()], **fit)
    assert int(model.optimizer.iterations) == 3
    assert run.last_step_minutes == 0.0


def test_images_per_second_counts_the_short_batch(monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(pace.time, "monotonic", lambda: float(next(now)))
    rate = pace.ImagesPerSecond(batch_size=4, images=10)
    _, recorder = fit_dense(Schedule(peak=1.0, total_steps=9), lambda: 0.0, [rate])
    # One look at the clock a step. First epoch: the third step, 2 images. Then 4, 4, 2.
    assert [logs["images_per_second"] for logs in recorder.epochs] == pytest.approx(
        [2.0, 10 / 3, 10 / 3]
    )


def test_progress_bar_shows_what_the_other_callbacks_add(capsys):
    schedule = Schedule(peak=1.0, total_steps=7)
    rate = pace.ImagesPerSecond(batch_size=4, images=10)
    bar = pace.ProgressBar(schedule, lambda: 0.0)
    x = np.zeros((10, 1), np.float32)
    run = pace.ScheduledRun(schedule, lambda: 0.0)
    dense_model().fit(x, x, batch_size=4, epochs=1000, callbacks=[run, rate, bar])
    shown = capsys.readouterr().out
    assert "Epoch 1: 0 % done" in shown
    assert "Epoch 3: 86 % done" in shown
    assert "1/1 - " in shown  # the last epoch had one step, and says so
    assert shown.count("images_per_second") == 3
    assert "loss" not in shown
