import dataclasses

import keras
import numpy as np
import pytest

from trainers.averaging import AverageInValidation, averaged_weights, make_optimizer
from trainers.settings import FitSettings

SETTINGS = FitSettings(run_dir="unused", epochs=1, learning_rate=0.05, ema_momentum=0.6)
X = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
Y = 3 * X + 1


class Weights(keras.callbacks.Callback):
    """Keeps the raw weights after every step."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append([w.numpy().copy() for w in self.model.trainable_variables])


def new_model(settings=SETTINGS):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=make_optimizer(settings), loss="mse")
    return model


def fit(model, callbacks, **kwargs):
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0, callbacks=callbacks, **kwargs)


def values(model):
    return [w.numpy().copy() for w in model.trainable_variables]


def expected_average(steps, limit):
    average = steps[0]
    for t, weights in enumerate(steps[1:], 1):
        m = min(limit, (1 + t) / (10 + t))
        average = [m * a + (1 - m) * w for a, w in zip(average, weights, strict=True)]
    return average


@pytest.mark.parametrize("optimizer", ["adam", "adamax", "muon"])
@pytest.mark.parametrize("limit", [0.3, 0.6, 0.999])
def test_the_average_follows_its_formula_and_is_what_fit_leaves(optimizer, limit):
    model = new_model(dataclasses.replace(SETTINGS, optimizer=optimizer, ema_momentum=limit))
    weights = Weights()
    fit(model, [weights], epochs=5)
    assert len(weights.steps) == 20
    wanted = expected_average(weights.steps, limit)
    for got, want, raw in zip(values(model), wanted, weights.steps[-1], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)
        assert not np.allclose(got, raw, rtol=1e-4)


def test_swapping_is_exact_in_both_directions():
    model = new_model()
    fit(model, [], epochs=2)
    model.trainable_variables[0].assign([[0.1]])  # fit left the average: set them apart again
    raw = values(model)
    averages = [a.numpy() for a in model.optimizer._model_variables_moving_average]
    assert raw[0] != averages[0]
    with averaged_weights(model):
        for got, want in zip(values(model), averages, strict=True):
            np.testing.assert_array_equal(got, want)
    for got, want in zip(values(model), raw, strict=True):
        np.testing.assert_array_equal(got, want)
    for got, want in zip(model.optimizer._model_variables_moving_average, averages, strict=True):
        np.testing.assert_array_equal(got.numpy(), want)


def test_raw_weights_come_back_after_an_error():
    model = new_model()
    fit(model, [], epochs=1)
    model.trainable_variables[0].assign([[0.1]])

    def fail():
        with averaged_weights(model):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert model.trainable_variables[0].numpy() == np.float32(0.1)


def test_validation_sees_the_average_and_training_goes_on_from_the_raw_weights():
    validated, plain, weights = new_model(), new_model(), Weights()
    reference = Weights()
    fit(validated, [AverageInValidation(), weights], epochs=4, validation_data=(X, Y))
    fit(plain, [reference], epochs=4)
    for got, want in zip(weights.steps, reference.steps, strict=True):
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)
    for epoch in range(4):
        kernel, bias = expected_average(weights.steps[: 4 * (epoch + 1)], SETTINGS.ema_momentum)
        loss = np.mean((X @ kernel + bias - Y) ** 2)
        raw_kernel, raw_bias = weights.steps[4 * (epoch + 1) - 1]
        raw_loss = np.mean((X @ raw_kernel + raw_bias - Y) ** 2)
        got = validated.history.history["val_loss"][epoch]
        assert got == pytest.approx(loss, rel=1e-4)
        assert got != pytest.approx(raw_loss, rel=1e-3)


def test_stopping_early_leaves_the_average():
    # Keras' own callback leaves the raw weights here, because it waits for the planned last epoch.
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = int(self.model.optimizer.iterations.numpy()) == 6

    model, weights = new_model(), Weights()
    callbacks = [AverageInValidation(), weights, Stop()]
    fit(model, callbacks, epochs=50, validation_data=(X, Y))
    assert len(weights.steps) == 6
    wanted = expected_average(weights.steps, SETTINGS.ema_momentum)
    for got, want in zip(values(model), wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_without_an_average_nothing_is_swapped():
    model = new_model(dataclasses.replace(SETTINGS, ema_momentum=0.0))
    weights = Weights()
    fit(model, [AverageInValidation(), weights], epochs=2, validation_data=(X, Y))
    for got, want in zip(values(model), weights.steps[-1], strict=True):
        np.testing.assert_array_equal(got, want)


def test_before_the_first_step_the_weights_stay():
    model = new_model()
    before = values(model)
    with averaged_weights(model):
        for got, want in zip(values(model), before, strict=True):
            np.testing.assert_array_equal(got, want)


def test_the_optimizer_has_the_settings():
    optimizer = make_optimizer(
        dataclasses.replace(
            SETTINGS, optimizer="adamax", clip_norm=2.0, weight_decay=0.1, beta_1=0.8, beta_2=0.99
        )
    )
    assert isinstance(optimizer, keras.optimizers.Adamax)
    assert optimizer.global_clipnorm == 2.0
    assert optimizer.weight_decay == 0.1
    assert (optimizer.beta_1, optimizer.beta_2) == (0.8, 0.99)
    assert make_optimizer(dataclasses.replace(SETTINGS, clip_norm=0.0)).global_clipnorm is None
    again = type(optimizer).from_config(optimizer.get_config())
    assert again.ema_momentum == SETTINGS.ema_momentum
