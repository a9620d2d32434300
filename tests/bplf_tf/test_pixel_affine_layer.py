"""`pixel_affine=True`: a flow whose first layer scales and shifts each pixel by its label."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from bplf_tf import BPLF, ModelConfig, load_model
from bplf_tf.catalogue import cost
from bplf_tf.layers import PixelAffineLayer
from bplf_tf.pixel_ridge import MIN_SLOPE
from tests.bplf_tf import flow_checks
from tests.bplf_tf.flow_checks import CLASSES
from tests.bplf_tf.random_weights import randomise


def _config(**changes):
    values = {"image_shape": (4, 4, 1), "classes": CLASSES, "levels": 1, "depth": 2, "width": 4}
    return ModelConfig(pixel_affine=True, **{**values, "dtype": "float64", **changes})


@pytest.mark.parametrize(
    "changes",
    [{}, {"pixel_logit": False, "levels": 2}, {"classes": ()}, {"svd_protocol": "bijector"}],
    ids=str,
)
def test_density_and_inversion(changes):
    flow_checks.check_density(_config(**changes))


def test_gradients_in_constant_memory():
    flow_checks.check_constant_memory(_config())


def test_at_the_start_every_number_is_that_without_it():
    config = _config(image_shape=(8, 8, 1), dtype="float32")
    models = [BPLF(config), BPLF(dataclasses.replace(config, pixel_affine=False))]
    images, labels = flow_checks.images(config, 16), flow_checks.labels(config, 16)
    for model in models:
        model.initialize(images, labels)
    layer = models[0].pixel_affine
    assert (
        len(models[0].weights)
        == len(models[1].weights) + len(layer.weights)
        == 2 + len(models[1].weights)
    )
    for of in (
        lambda model: model.log_prob(images, labels),
        lambda model: model.encode(images, labels),
        lambda model: model.sample("sad", n=3, seed=1),
        lambda model: model.transfer(images, labels, "sad", strength=1.5),
    ):
        np.testing.assert_array_equal(of(models[0]), of(models[1]))


def test_saving_keeps_it_and_it_counts(tmp_path):
    config = _config(image_shape=(8, 8, 3), dtype="float32")
    model = BPLF(config)
    images, labels = flow_checks.images(config, 16), flow_checks.labels(config, 16)
    model.initialize(images, labels)
    randomise(model, scale=0.05)
    assert model.explain_nonfinite(images, labels) is None
    assert cost(config)[0] == model.count_params()
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.config == config
    for one in (loaded, model.for_export()):
        np.testing.assert_array_equal(
            one.pixel_affine.raw_slope.numpy(), model.pixel_affine.raw_slope.numpy()
        )
    np.testing.assert_array_equal(loaded.log_prob(images, labels), model.log_prob(images, labels))
    np.testing.assert_array_equal(model.decode(model.encode(images, labels), labels), images)


def test_where_nothing_else_sees_the_label_it_alone_edits():
    """`transfer` is then `A_mixture . A_source^-1`, as that of a pixel model is."""
    config = _config(pixel_logit=False, label_into=(), dtype="float32")
    model = BPLF(config)
    images = flow_checks.images(config, 6)
    model.initialize(images, flow_checks.labels(config, 6))
    randomise(model, scale=0.1)
    x = (images + 0.5) / 256 - 0.5

    def map_of(condition):
        change = np.tensordot(condition, _bent(model.pixel_affine.raw_slope.numpy()), axes=1)
        return 1 + change, np.tensordot(condition, model.pixel_affine.shift.numpy(), axes=1)

    slope, shift = map_of([0.0, 1.0, 0.0])
    target_slope, target_shift = map_of([0.0, 0.3, 0.7])
    expected = 256 * (target_slope * (x - shift) / slope + target_shift + 0.5) - 0.5
    edited = model.transfer(images, "happy", "sad", strength=0.7)
    assert (edited != images).mean() > 0.5
    assert np.abs(edited - np.clip(expected, 0, 255)).max() <= 0.5 + 1e-2


def test_slopes_are_never_too_small():
    layer = PixelAffineLayer((2, 2, 1), 2, dtype="float32")
    layer.raw_slope.assign(np.stack([np.full((2, 2, 1), -50.0), np.full((2, 2, 1), 3.0)]))
    slopes = [
        layer.bijector(tf.constant(condition)).slope.numpy()
        for condition in ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [2.0, -1.0])
    ]
    np.testing.assert_allclose(slopes[0], MIN_SLOPE, rtol=1e-5)
    np.testing.assert_allclose(slopes[1], 4.0, rtol=1e-6)
    np.testing.assert_allclose(slopes[2], (4 + MIN_SLOPE) / 2, rtol=1e-6)
    np.testing.assert_allclose(slopes[3], MIN_SLOPE, rtol=1e-6)  # beyond the labels


def _bent(raw):
    room = 1 - MIN_SLOPE
    return room * np.where(raw > 0, raw / room, np.expm1(np.minimum(raw, 0) / room))
