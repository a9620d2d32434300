import csv

import keras
import numpy as np
import pytest

from bplf_tf import BPLF, ModelConfig, load_model
from trainers import callbacks
from trainers.averaging import averaged_weights, make_optimizer
from trainers.schedule import Schedule
from trainers.settings import FitSettings

CONFIG = ModelConfig(image_shape=(8, 8, 1), classes=("cat", "dog"), levels=1, depth=1, width=4)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 8, 8, 1), np.uint8)
LABELS = np.arange(20, dtype=np.int32) % 2


@pytest.fixture(scope="module")
def model():
    """A model after two steps whose raw weights and average are far apart."""
    model = BPLF(CONFIG)
    settings = FitSettings(run_dir="unused", epochs=1, learning_rate=0.1, ema_momentum=0.5)
    model.compile(optimizer=make_optimizer(settings))
    model.fit(IMAGES, LABELS, batch_size=10, verbose=0)
    for variable in model.trainable_variables:
        variable.assign(variable + RNG.normal(size=variable.shape, scale=0.1))
    return model


def attached(callback, model):
    callback.set_model(model)
    return callback


def averaged(model):
    with averaged_weights(model):
        return model.get_weights()


def test_model_file_holds_the_average_and_no_optimizer(model, tmp_path):
    path = tmp_path / "model.keras"
    raw = model.get_weights()
    attached(callbacks.ModelFile(path), model).on_epoch_end(0, {})
    loaded = load_model(path)
    assert getattr(loaded, "optimizer", None) is None
    assert loaded.initialized
    for got, want in zip(loaded.get_weights(), averaged(model), strict=True):
        np.testing.assert_array_equal(got, want)
    for got, want in zip(model.get_weights(), raw, strict=True):
        np.testing.assert_array_equal(got, want)
    assert list(tmp_path.iterdir()) == [path]


def test_snapshots_hold_the_average_after_powers_of_two(model, tmp_path, monkeypatch):
    wanted = averaged(model)
    keep = attached(callbacks.Snapshots(lambda step: tmp_path / "models" / f"{step}.keras"), model)
    iterations = model.optimizer.iterations
    before = iterations.numpy()
    for step in (7, 8, 9, 12, 16):
        iterations.assign(step)
        keep.on_train_batch_end(step)
    iterations.assign(before)
    assert sorted(path.name for path in tmp_path.rglob("*.keras")) == ["16.keras", "8.keras"]
    loaded = load_model(tmp_path / "models" / "16.keras")
    for got, want in zip(loaded.get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(got, want)


def test_sample_grid_draws_the_average(model, tmp_path, monkeypatch):
    seen = []
    wanted = averaged(model)
    draw = model.sample

    def sample(label, **kwargs):
        seen.append((label, kwargs))
        for got, want in zip(model.get_weights(), wanted, strict=True):
            np.testing.assert_array_equal(got, want)
        return draw(label, **kwargs)

    monkeypatch.setattr(model, "sample", sample)
    grid = callbacks.SampleGrid(
        lambda epoch: tmp_path / f"{epoch}.png", IMAGES, LABELS, 3, temperature=0.5, seed=9
    )
    attached(grid, model).on_epoch_end(4, {})
    assert seen == [(label, {"n": 3, "temperature": 0.5, "seed": 9}) for label in (0, 1)]
    assert [file.name for file in tmp_path.iterdir()] == ["5.png"]


def test_inverse_error_is_that_of_the_average(model):
    logs = {}
    attached(callbacks.InverseError(IMAGES, LABELS), model).on_epoch_end(0, logs)
    with averaged_weights(model):
        assert logs["inverse_error"] == model.inverse_error(IMAGES, LABELS)
    assert 0 < logs["inverse_error"] < 1e-4


def test_non_finite_guard():
    guard = callbacks.NonFiniteGuard()
    guard.on_epoch_end(0, {"a": 1.0})
    with pytest.raises(callbacks.NonFiniteError, match="non-finite val_bits_per_dim after epoch 3"):
        guard.on_epoch_end(2, {"a": 1.0, "val_bits_per_dim": float("nan")})


def test_metrics_file_keeps_every_column_of_every_row(tmp_path):
    path = tmp_path / "metrics.csv"
    file = callbacks.MetricsFile(path)
    file.on_epoch_end(0, {"loss": 5.0, "bits_per_dim": 5.0, "val_loss": 6.0, "step": 4})
    file.on_epoch_end(1, {"bits_per_dim": 4.0, "step": 8, "images_per_second": 100.0})
    with path.open() as opened:
        rows = list(csv.DictReader(opened))
    assert [list(row) for row in rows] == [
        ["epoch", "step", "bits_per_dim", "images_per_second"]
    ] * 2
    assert rows[0] == {"epoch": "1", "step": "4", "bits_per_dim": "5.0", "images_per_second": ""}
    assert rows[1]["images_per_second"] == "100.0"


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
    run = callbacks.ScheduledRun(schedule, minutes)
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

    run = callbacks.ScheduledRun(Schedule(peak=1.0, max_minutes=5.0), lambda: clock[0])
    x = np.zeros((10, 1), np.float32)
    model = dense_model()
    fit = {"batch_size": 4, "epochs": 1000, "verbose": 0, "validation_data": (x, x)}
    model.fit(x, x, callbacks=[run, Slow()], **fit)
    assert int(model.optimizer.iterations) == 3
    assert run.last_step_minutes == 0.0


def test_images_per_second_counts_the_short_batch(monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: float(next(now)))
    rate = callbacks.ImagesPerSecond(batch_size=4, images=10)
    _, recorder = fit_dense(Schedule(peak=1.0, total_steps=9), lambda: 0.0, [rate])
    # One look at the clock a step. First epoch: the third step, 2 images. Then 4, 4, 2.
    assert [logs["images_per_second"] for logs in recorder.epochs] == pytest.approx(
        [2.0, 10 / 3, 10 / 3]
    )


def test_progress_bar_shows_what_the_other_callbacks_add(capsys):
    schedule = Schedule(peak=1.0, total_steps=7)
    rate = callbacks.ImagesPerSecond(batch_size=4, images=10)
    bar = callbacks.ProgressBar(schedule, lambda: 0.0)
    x = np.zeros((10, 1), np.float32)
    run = callbacks.ScheduledRun(schedule, lambda: 0.0)
    dense_model().fit(x, x, batch_size=4, epochs=1000, callbacks=[run, rate, bar])
    shown = capsys.readouterr().out
    assert "Epoch 1: 0 % done" in shown
    assert "Epoch 3: 86 % done" in shown
    assert "1/1 - " in shown  # the last epoch had one step, and says so
    assert shown.count("images_per_second") == 3
    assert "loss" not in shown
