"""The second loss of training: labels that a model may not pass over."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from bplf_tf import BPLF, ModelConfig
from bplf_tf.label_contrast import label_contrast, other_labels
from bplf_tf.likelihood import bits_per_dim
from tests.bplf_tf.random_weights import randomise

CLASSES = ("anger", "happy", "sad")


@given(labels=st.integers(2, 7), seed=st.integers(0, 1000))
def test_the_other_label_is_another_one(labels, seed):
    own = np.arange(64) % labels
    keys = [tf.constant(seed), tf.range(64)]
    other = other_labels(tf.one_hot(own, labels), keys).numpy()
    np.testing.assert_array_equal(other.sum(axis=1), 1)
    assert (other.argmax(axis=1) != own).all()


def test_every_other_label_comes_equally_often():
    condition = tf.one_hot(tf.fill([6000], 2), 4)
    counts = other_labels(condition, [tf.range(6000)]).numpy().sum(axis=0)
    assert counts[2] == 0
    np.testing.assert_allclose(counts[[0, 1, 3]], 2000, atol=150)  # four standard deviations


def test_it_is_the_log_probability_of_the_right_one_of_two():
    own, other = np.array([-10.0, -10.0, -10.0]), np.array([-10.0, -12.0, -3.0])
    posterior = np.exp(own) / (np.exp(own) + np.exp(other))
    got = label_contrast(tf.constant(own), tf.constant(other), 5)
    np.testing.assert_allclose(got, -np.log2(posterior) / 5, rtol=1e-12)


def _fitted(weight, epochs, batch_size=32):
    """A model of noise whose mean alone tells the label, and its bits/dim in each epoch."""
    rng = np.random.default_rng(0)
    labels = np.arange(96, dtype=np.int32) % len(CLASSES)
    images = rng.normal(100 + 4 * labels[:, None, None, None], 40, (96, 8, 8, 1))
    images = images.clip(0, 255).astype(np.uint8)
    config = ModelConfig(
        image_shape=(8, 8, 1), classes=CLASSES, levels=1, depth=1, width=8, label_contrast=weight
    )
    keras.utils.set_random_seed(0)
    model = BPLF(config)
    model.compile(optimizer=keras.optimizers.Adam(3e-3))
    history = model.fit(images, labels, batch_size=batch_size, epochs=epochs, verbose=0)
    return model, images, labels, history.history["bits_per_dim"]


@pytest.mark.slow
def test_labels_are_told_apart_sooner_with_it():
    told = []
    for weight in (0.0, 30.0):
        model, images, labels, bits = _fitted(weight, epochs=15)
        assert bits[-1] < bits[0]
        posterior = model.classify(images)
        told.append(float(np.log(posterior[np.arange(len(labels)), labels]).mean()))
    assert told[1] > told[0] + 0.05


def test_what_is_logged_is_the_likelihood_alone():
    """The first step's figure is from before any weight has changed."""
    without, with_it = (_fitted(weight, epochs=1, batch_size=96)[3] for weight in (0.0, 30.0))
    assert without == pytest.approx(with_it, rel=1e-6)


def _contrasting():
    """A model, and images and labels among which the last label does not occur."""
    config = ModelConfig(
        image_shape=(8, 8, 1), classes=CLASSES, levels=1, depth=2, width=4, heavy_tails=False,
        label_contrast=2.0,
    )  # fmt: skip
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 1), np.uint8)
    return BPLF(config), images, np.arange(16, dtype=np.int32) % 2


def test_a_step_goes_down_the_loss_of_likelihood_and_contrast():
    model, images, labels = _contrasting()
    randomise(model)
    x, condition = model.training_input(tf.constant(images), 0), tf.one_hot(labels, len(CLASSES))
    others = model.other_condition(x, condition, 0)
    with tf.GradientTape() as tape:
        own, other = (model.training_log_prob(x, of, 0) for of in (condition, others))
        bits = bits_per_dim(own, 64) + 2 * label_contrast(own, other, 64)
        objective = tf.reduce_mean(bits)
    expected = [
        weight - 0.1 * gradient
        for weight, gradient in zip(
            model.trainable_variables,
            tape.gradient(objective, model.trainable_variables),
            strict=True,
        )
    ]
    model.compile(keras.optimizers.SGD(0.1))
    model._initialized.assign(1)  # the weights stay as they are
    model.fit(images, labels, batch_size=16, shuffle=False, verbose=0)
    for weight, wanted in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(weight, wanted, rtol=1e-3, atol=1e-5, err_msg=weight.path)


def test_an_activation_that_is_infinite_under_the_other_label_alone_is_located():
    model, images, labels = _contrasting()
    model.compile(keras.optimizers.SGD(0.1))
    model.initialize(images, labels)
    (steps,) = model.steps
    (of_label,) = (w for w in steps.trainable_variables if w.path.endswith("g0_condition"))
    values, scales = of_label.numpy(), steps.log_scale_1.numpy()
    scales[1] += 10
    steps.log_scale_1.assign(scales)
    assert model.explain_nonfinite(images, labels) is None
    values[0, 2] = 1e37  # times exp(10): beyond float32
    of_label.assign(values)
    with pytest.raises(tf.errors.InvalidArgumentError, match="non-finite loss or gradient"):
        model.fit(images, labels, batch_size=16, shuffle=False, verbose=0)
    said = model.explain_nonfinite(images, labels)
    assert said.startswith("level 0, step 1, ")
    assert ", under the other label of the contrast; largest activations: " in said


@pytest.mark.parametrize(
    ("factor", "gradient_factor", "expected"),
    [
        (math.nan, 1.0, "the contrast of the labels; largest activations: "),
        (1.0, math.nan, "the prior, gradient of prior/"),
    ],
)
def test_a_contrast_that_is_not_finite_is_located(monkeypatch, factor, gradient_factor, expected):
    @tf.custom_gradient
    def spoiled(contrast):
        return factor * contrast, lambda upstream: gradient_factor * upstream

    model, images, labels = _contrasting()
    model.initialize(images, labels)
    monkeypatch.setattr(
        "bplf_tf.training.label_contrast", lambda *given: spoiled(label_contrast(*given))
    )
    assert model.explain_nonfinite(images, labels).startswith(expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_contrast": -1.0}, "label_contrast must be 0 or more, got -1.0"),
        ({"label_contrast": math.inf}, "label_contrast must be 0 or more, got inf"),
        ({"label_contrast": 1.0, "classes": ()}, "needs two labels or more"),
    ],
)
def test_bad_values_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig(**changes)
