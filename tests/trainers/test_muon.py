"""Muon: orthogonal updates of stacked kernels, Adam's updates of all other weights."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from bplf_tf import BPLF
from trainers.averaging import make_optimizer
from trainers.settings import FitSettings

SETTINGS = FitSettings(
    run_dir="unused", epochs=1, learning_rate=0.1, clip_norm=0, optimizer="muon", muon_rate=0.3
)


@pytest.fixture(scope="module")
def updates():
    """Per weight of a model: how two steps moved it, by Muon and by Adam."""
    moved = {}
    for name in ("muon", "adam"):
        model = BPLF.from_preset("bplf_3x3_1x1", "tiny", image_shape=(8, 8, 1), seed=3)
        optimizer = make_optimizer(dataclasses.replace(SETTINGS, optimizer=name))
        optimizer.build(model.trainable_variables)
        before = [variable.numpy() for variable in model.trainable_variables]
        for step in range(2):
            rng = np.random.default_rng(step)
            gradients = [
                tf.constant(rng.normal(size=v.shape), v.dtype) for v in model.trainable_variables
            ]
            optimizer.apply(gradients, model.trainable_variables)
        moved[name] = [
            (variable.path, variable.numpy() - old)
            for variable, old in zip(model.trainable_variables, before, strict=True)
        ]
    return moved


def test_kernels_of_the_networks_alone_are_not_adams(updates):
    differ = [
        path
        for (path, update), (_, adams) in zip(updates["muon"], updates["adam"], strict=True)
        if not np.allclose(update, adams, rtol=1e-3, atol=1e-6)
    ]
    assert sorted(differ) == sorted([f"g1/kernel_{i}" for i in range(3)] * 2)


def test_every_slice_of_a_kernel_moves_by_an_orthogonal_matrix(updates):
    (update, *_) = [update for path, update in updates["muon"] if path == "g1/kernel_0"]
    depth, *_, columns = update.shape
    assert depth > 1
    first = 0.1 * 0.3 * np.sqrt(max(np.prod(update.shape[1:-1]), columns))
    values = np.linalg.svd(update.reshape(depth, -1, columns), compute_uv=False)
    # Two steps, of which neither is exactly orthogonal: Newton-Schulz ends in 0.7 to 1.2.
    assert values.max() < 2 * 1.25 * first
    assert values.mean() > first
    # Root mean square of one step: the learning rate times `muon_rate`.
    assert 0.5 < np.sqrt(np.mean(update**2)) / (0.1 * 0.3) < 2


def test_one_step_is_nearly_orthogonal_whatever_the_gradient():
    variable = keras.Variable(np.zeros((3, 2, 1, 6, 4), np.float32), name="kernel_0")
    variable._path = "model/g1/kernel_0"
    optimizer = make_optimizer(SETTINGS)
    optimizer.build([variable])
    # Slices of very different sizes, one of them almost of rank one.
    rng = np.random.default_rng(0)
    gradient = rng.normal(size=variable.shape) * np.array([1e-4, 1, 1e4]).reshape(3, 1, 1, 1, 1)
    optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
    values = np.linalg.svd(variable.numpy().reshape(3, 12, 4), compute_uv=False)
    unit = 0.1 * 0.3 * np.sqrt(12)
    assert values.min() > 0.6 * unit
    assert values.max() < 1.3 * unit


def test_the_optimizer_survives_its_configuration():
    optimizer = make_optimizer(SETTINGS)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert again.rms_rate == 0.3
    assert again.weight_decay is None
    assert again.adam_weight_decay is None


def test_weight_decay_is_that_of_the_kernels_alone():
    model = BPLF.from_preset("bplf_3x3_1x1", "tiny", image_shape=(8, 8, 1), seed=3)
    optimizer = make_optimizer(dataclasses.replace(SETTINGS, weight_decay=0.5))
    optimizer.build(model.trainable_variables)
    before = [variable.numpy() for variable in model.trainable_variables]
    zeros = [tf.zeros(variable.shape, variable.dtype) for variable in model.trainable_variables]
    optimizer.apply(zeros, model.trainable_variables)
    for variable, old in zip(model.trainable_variables, before, strict=True):
        decay = 0.5 * 0.1 if variable.path.startswith("g1/kernel_") else 0.0
        np.testing.assert_allclose(variable.numpy(), old * (1 - decay), rtol=1e-6)
