import csv
import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

from bplf_tf import BPLF
from trainers import callbacks
from trainers.averaging import averaged_weights
from trainers.nonfinite import NonFiniteError

RNG = np.random.default_rng(1)
IMAGES = RNG.integers(0, 256, (20, 8, 8, 1), np.uint8)
LABELS = np.arange(20, dtype=np.int32) % 2


def attached(callback, model):
    callback.set_model(model)
    return callback


def averaged(model):
    with averaged_weights(model):
        return model.get_weights()


def test_sample_grid_draws_the_average(averaging_model, tmp_path, monkeypatch):
    model = averaging_model
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


def test_inverse_error_is_that_of_the_average(averaging_model):
    model = averaging_model
    logs = {}
    attached(callbacks.InverseError(IMAGES, LABELS), model).on_epoch_end(0, logs)
    with averaged_weights(model):
        assert logs["inverse_error"] == model.inverse_error(IMAGES, LABELS)
    assert 0 < logs["inverse_error"] < 1e-4


def test_bits_per_dim_are_those_of_the_average(averaging_model):
    logs = {}
    callback = callbacks.BitsPerDim(IMAGES, np.zeros(20, int))  # no image of the second class
    attached(callback, averaging_model).on_epoch_end(0, logs)
    with averaged_weights(averaging_model):
        bits = averaging_model.bits_per_dim(IMAGES, 0)
    mean = pytest.approx(float(bits.mean()), rel=1e-6)
    assert logs == {"val_bits_per_dim": mean, "val_bits_per_dim_cat": mean}


def test_bits_per_dim_that_fit_has_validated_stay(averaging_model):
    logs = {"val_bits_per_dim": 3.5}
    callback = callbacks.BitsPerDim(IMAGES, LABELS)
    attached(callback, averaging_model).on_epoch_end(0, logs)
    assert logs["val_bits_per_dim"] == 3.5
    assert set(logs) == {"val_bits_per_dim", "val_bits_per_dim_cat", "val_bits_per_dim_dog"}


@pytest.mark.parametrize("conditional", [True, False])
def test_each_works_in_a_fit_that_knows_nothing_of_this_package(
    averaging_model, conditional, tmp_path
):
    config = averaging_model.config
    model = BPLF(config if conditional else dataclasses.replace(config, classes=()))
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    labels = LABELS if conditional else None
    log = tmp_path / "log.csv"
    every = [
        callbacks.InverseError(IMAGES, labels),
        callbacks.BitsPerDim(IMAGES, labels),
        callbacks.NonFiniteGuard(),
        callbacks.LogScaleHistograms(tmp_path / "histograms"),
        callbacks.SampleGrid(
            lambda epoch: tmp_path / f"{epoch}.png", IMAGES, LABELS, samples_per_label=2,
            tensorboard=tmp_path / "pictures",
        ),
        keras.callbacks.CSVLogger(str(log)),
    ]  # fmt: skip
    fitted = model.fit(IMAGES, labels, batch_size=10, epochs=2, verbose=0, callbacks=every)
    assert fitted.history["inverse_error"][-1] == model.inverse_error(IMAGES, labels)
    bits = model.bits_per_dim(IMAGES, labels)
    last = fitted.history["val_bits_per_dim"][-1]
    assert last == pytest.approx(float(bits.mean()), rel=1e-6)
    if conditional:
        for label, name in enumerate(config.classes):
            last = fitted.history[f"val_bits_per_dim_{name}"][-1]
            assert last == pytest.approx(float(bits[label == LABELS].mean()), rel=1e-6)
    with log.open() as opened:
        assert [float(row["inverse_error"]) for row in csv.DictReader(opened)] == pytest.approx(
            fitted.history["inverse_error"]
        )
    for epoch in (1, 2):
        with Image.open(tmp_path / f"{epoch}.png") as picture:
            assert len(picture.getcolors(2**24)) > 10
    for folder in ("histograms", "pictures"):
        assert next((tmp_path / folder).glob("events*")).stat().st_size > 100


def test_non_finite_guard():
    guard = callbacks.NonFiniteGuard()
    guard.on_epoch_end(0, {"a": 1.0})
    with pytest.raises(NonFiniteError, match="non-finite val_bits_per_dim after epoch 3"):
        guard.on_epoch_end(2, {"a": 1.0, "val_bits_per_dim": float("nan")})
