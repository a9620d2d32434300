"""A copy for export gives what the model gives, whatever its form of 1x1 convolutions."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from bplf_tf import BPLF, ModelConfig, load_model
from bplf_tf.plain import plain_operations
from tests.bplf_tf.random_weights import randomise

SHAPE = (8, 8, 3)


@pytest.mark.parametrize("kernel_form", ["lu", "dense"])
@pytest.mark.parametrize("unroll", [False, True])
def test_gives_the_same(kernel_form, unroll):
    config = ModelConfig(
        image_shape=SHAPE, levels=2, depth=3, width=8, kernel_form=kernel_form, classes=("a", "b")
    )
    model = randomise(BPLF(config))
    before = [weight.numpy().copy() for weight in model.weights]
    copy = model.for_export(unroll=unroll)
    images = np.random.default_rng(0).integers(0, 256, [4, *SHAPE], np.uint8)
    with plain_operations() if unroll else contextlib.nullcontext():
        latents = copy.encode(images, "a")
        np.testing.assert_allclose(latents, model.encode(images, "a"), atol=1e-4)
        np.testing.assert_array_equal(copy.decode(latents, "a"), images)
        np.testing.assert_array_equal(copy.sample("b", 3, 0.7, 1), model.sample("b", 3, 0.7, 1))
        np.testing.assert_allclose(
            copy.log_prob(images, "b"), model.log_prob(images, "b"), rtol=1e-5
        )
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


@pytest.mark.parametrize("kernel_form", ["lu", "dense"])
def test_a_copy_is_saved_and_loaded_as_the_model(kernel_form, tmp_path):
    config = ModelConfig(image_shape=(8, 8, 1), levels=1, depth=2, width=4, kernel_form=kernel_form)
    model = randomise(BPLF(config))
    model.for_export(unroll=True).save(tmp_path / "model.keras")
    restored = load_model(tmp_path / "model.keras")
    assert restored.config == config
    assert len(restored.weights) == len(model.weights)
    for found, expected in zip(restored.weights, model.weights, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    np.testing.assert_array_equal(
        restored.sample("happy", 2, seed=1), model.sample("happy", 2, seed=1)
    )


def operations(model, unroll):
    copy = model.for_export(unroll=unroll) if unroll is not None else model
    condition = tf.one_hot([0], 7)
    function = tf.function(lambda latents: copy.to_image(latents, condition), autograph=False)
    graph = function.get_concrete_function(tf.TensorSpec([1, 64])).graph.as_graph_def()
    nodes = [*graph.node, *(node for one in graph.library.function for node in one.node_def)]
    return {node.op for node in nodes}


def test_inverses_are_weights_and_loops_are_gone():
    model = BPLF(ModelConfig(image_shape=(8, 8, 1), levels=1, depth=3, width=4))
    assert operations(model, None) >= {"MatrixTriangularSolve", "StatelessWhile"}
    assert "MatrixTriangularSolve" not in operations(model, False)
    assert "StatelessWhile" in operations(model, False)
    assert not {"MatrixTriangularSolve", "StatelessWhile", "While"} & operations(model, True)
