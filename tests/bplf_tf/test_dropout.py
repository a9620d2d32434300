"""Dropout in g: in training alone, one mask for value and log-det, and the same one again."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from bplf_tf import BPLF, ModelConfig, load_model, random
from tests.bplf_tf.random_weights import randomise

CLASSES = ("anger", "happy", "sad")


def _model(dropout: float = 0.5, **changes: Any) -> BPLF:
    values: dict[str, Any] = {
        "image_shape": (8, 8, 1), "classes": CLASSES, "levels": 2, "depth": 3, "width": 6,
    }  # fmt: skip
    return randomise(BPLF(ModelConfig(**{**values, "dropout": dropout, **changes})))


def _batch(count: int = 8) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 1)).astype(np.uint8)
    return images, (np.arange(count) % len(CLASSES)).astype(np.int32)


def _loss_and_gradients(model: BPLF, step: int) -> tuple[np.ndarray, list[np.ndarray]]:
    images, labels = _batch()
    condition = tf.one_hot(labels, len(CLASSES), dtype=model.config.dtype)
    x = model.training_input(tf.constant(images), 0)

    @tf.function
    def run(step: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            loss = model.training_log_prob(x, condition, step)
        return loss, tape.gradient(loss, model.trainable_variables)

    loss, gradients = run(tf.constant(step))
    return loss.numpy(), [gradient.numpy() for gradient in gradients]


@pytest.mark.slow
def test_it_depends_on_the_seed_and_the_step() -> None:
    model = _model()
    loss, _ = _loss_and_gradients(model, 3)
    np.testing.assert_array_equal(_loss_and_gradients(model, 3)[0], loss)
    assert np.abs(_loss_and_gradients(model, 4)[0] - loss).min() > 1e-3
    other = _model(seed=1)
    other.set_weights(model.get_weights())
    assert np.abs(_loss_and_gradients(other, 3)[0] - loss).max() > 1e-3
    without = _model(dropout=0.0)
    without.set_weights(model.get_weights())
    assert np.abs(_loss_and_gradients(without, 3)[0] - loss).min() > 1e-3


def test_fit_draws_it_anew_at_each_step() -> None:
    model = _model()
    images, labels = _batch()
    model.initialize(images, labels)
    model.compile(keras.optimizers.SGD(0.0))
    options = {"batch_size": 8, "shuffle": False, "verbose": 0}
    first, second = (model.fit(images, labels, **options).history["loss"][0] for _ in range(2))
    assert first != second
    model.optimizer.iterations.assign(0)
    assert model.fit(images, labels, **options).history["loss"][0] == first


def _kept(model: BPLF, level: int, positions: Any, step: int = 0) -> np.ndarray:
    keys = [tf.constant(0), tf.constant(step), tf.constant(positions)]
    return model.steps[level].network.stacked(None, tf.float32, keys)["kept"].numpy()


def test_images_levels_and_steps_of_the_flow_drop_differently() -> None:
    model = _model(dropout=0.25, width=64)
    first = _kept(model, 0, range(100))
    assert first.shape == (3, 100, 1, 1, 64)
    assert first.mean() == pytest.approx(0.75, abs=0.01)
    masks = [first, first[[1, 2, 0]], first[:, ::-1], _kept(model, 1, range(100))]
    for other in [*masks[1:], _kept(model, 0, range(100), step=1)]:
        # Independent ones agree in 0.75 ** 2 + 0.25 ** 2 of all places.
        assert (first == other).mean() == pytest.approx(0.625, abs=0.02)


def test_an_image_drops_the_same_on_any_number_of_devices() -> None:
    model = _model()
    whole = _kept(model, 0, range(8))
    for replica in (0, 1):
        np.testing.assert_array_equal(
            _kept(model, 0, np.arange(4) * 2 + replica), whole[:, replica::2]
        )


def test_the_mean_output_of_a_network_is_that_without_dropout() -> None:
    network = _model().steps[0].network
    x = np.random.default_rng(1).normal(size=(1, 4, 4, 2)).astype(np.float32)

    def output(count: int, keys: list[tf.Tensor] | None) -> np.ndarray:
        stacked = network.stacked(None, tf.float32, keys)
        slices = {name: value[0] for name, value in stacked.items()}
        # The condition's maps are channels of the input, here at zero.
        inputs = tf.concat([tf.repeat(x, count, axis=0), tf.zeros([count, 4, 4, 2])], axis=-1)
        return network.apply(slices, inputs).numpy()

    dropped = output(4000, [tf.constant(0), tf.constant(0), tf.range(4000)])
    error = dropped.std(axis=0) / np.sqrt(4000)
    assert error.min() > 0
    assert np.max(np.abs(dropped.mean(axis=0) - output(1, None)[0]) / error) < 5


def test_value_log_det_and_inverse_share_one_mask() -> None:
    model = _model(dtype="float64", image_shape=(4, 4, 1), pixel_logit=False)
    x = tf.constant(np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4, 4, 1)))
    condition = tf.constant([[0.2, 0.5, 0.3], [0.0, 1.0, 0.0]], tf.float64)
    bijector = model.bijector(condition, dropout_keys=model.dropout_keys(x, 5))
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = bijector.inverse(x)
    jacobian = tf.reshape(tape.batch_jacobian(z, x), [2, 16, 16])
    log_det = bijector.inverse_log_det_jacobian(x, event_ndims=3)
    np.testing.assert_allclose(log_det, tf.linalg.slogdet(jacobian)[1], rtol=1e-9)
    np.testing.assert_allclose(bijector.forward(tf.identity(z)), x, atol=1e-9)
    expected = model.prior.distribution(condition).log_prob(z) + log_det
    np.testing.assert_allclose(model.training_log_prob(x, condition, 5), expected, rtol=1e-9)
    assert np.abs(model.bijector(condition).inverse(tf.identity(x)) - z).max() > 1e-3


def test_constant_memory_has_the_same_gradients() -> None:
    ordinary = _model(dtype="float64")
    constant = _model(dtype="float64", memory="constant")
    constant.set_weights(ordinary.get_weights())
    expected, wanted = _loss_and_gradients(ordinary, 3)
    loss, gradients = _loss_and_gradients(constant, 3)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    for variable, got, want in zip(ordinary.trainable_variables, gradients, wanted, strict=True):
        scale = np.max(np.abs(want))
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-8 * scale, err_msg=variable.path)


def test_nothing_but_training_has_dropout() -> None:
    model, without = _model(), _model(dropout=0.0)
    without.set_weights(model.get_weights())
    images, labels = _batch()
    for call in (
        lambda m: m.bits_per_dim(images, labels),
        lambda m: m.encode(images, labels),
        lambda m: m.sample("happy", n=2, seed=0),
        lambda m: m.transfer(images, "happy", "sad"),
        lambda m: np.asarray(m(images, labels, training=True)),
    ):
        np.testing.assert_array_equal(call(model), call(without))
    scores = []
    for each in (model, without):
        each.compile()
        scores.append(each.evaluate(images, labels, verbose=0, return_dict=True))
    assert scores[0] == scores[1]


@pytest.mark.parametrize(("dropout", "draws"), [(0.0, 1), (0.5, 3)])
def test_without_it_nothing_is_drawn_for_it(
    monkeypatch: pytest.MonkeyPatch, dropout: float, draws: int
) -> None:
    counts = []
    uniform = random.uniform
    monkeypatch.setattr(random, "uniform", lambda k, n: counts.append(n) or uniform(k, n))
    model = _model(dropout)
    x = model.training_input(tf.constant(_batch()[0]), 0)
    condition = tf.one_hot(_batch()[1], len(CLASSES))
    model.training_log_prob(x, condition, 0)
    assert len(counts) == draws  # the noise, and one for each level
    assert "kept" not in model.steps[0].network.stacked(condition, tf.float32)


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"network_dtype": "mixed_bfloat16"}, {"classes": ()}], ids=str)
def test_it_trains_and_is_saved(tmp_path: Path, changes: dict) -> None:
    model = _model(dropout=0.2, **changes)
    images, labels = _batch()
    data = (images,) if changes.get("classes") == () else (images, labels)
    model.compile()
    model.fit(*data, epochs=2, verbose=0)
    assert model.explain_nonfinite(*data, step=1) is None
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.config == model.config
    assert loaded.config.dropout == 0.2
