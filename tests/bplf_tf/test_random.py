"""The counter-based generator: its statistics, and on what its numbers depend."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from bplf_tf import random


def _keys(rows: int) -> list[tf.Tensor]:
    return [tf.constant(7), tf.range(rows)]


def test_normal_numbers_are_normal() -> None:
    values = random.normal(_keys(64), 4096).numpy()
    assert values.shape == (64, 4096)
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    assert scipy.stats.kstest(values.ravel(), "norm").statistic < 0.005
    between_rows = np.corrcoef(values) - np.eye(64)
    assert np.abs(between_rows).max() < 0.1  # 5 standard deviations of 1 / sqrt(4096) are 0.08
    neighbours = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.01


def test_uniform_numbers_are_uniform_and_below_one() -> None:
    values = random.uniform(_keys(64), 4096).numpy()
    assert values.min() >= 0
    assert values.max() < 1
    assert scipy.stats.kstest(values.ravel(), "uniform").statistic < 0.005


@pytest.mark.parametrize("draw", [random.normal, random.uniform])
def test_a_row_depends_on_its_keys_alone(draw: object) -> None:
    full = draw(_keys(8), 101).numpy()  # type: ignore[operator]
    row = draw([tf.constant([7]), tf.constant([5])], 101).numpy()  # type: ignore[operator]
    # Vectorised sines and cosines may differ in the last bit.
    np.testing.assert_allclose(full[5], row[0], rtol=0, atol=2e-7)
    assert len(np.unique(full[:, 0])) == 8


def test_graph_and_xla_draw_the_same_bits() -> None:
    eager = random.uniform(_keys(4), 33).numpy()
    for jit in (False, True):
        compiled = tf.function(lambda: random.uniform(_keys(4), 33), jit_compile=jit)
        np.testing.assert_array_equal(compiled().numpy(), eager)


def test_keys_of_images_follow_their_content() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 1)).astype(np.uint8)
    changed = images.copy()
    changed[3, 1, 2] ^= 1
    keys, again = random.content_key(images).numpy(), random.content_key(changed).numpy()
    np.testing.assert_array_equal(keys == again, np.arange(6) != 3)
    np.testing.assert_array_equal(random.content_key(images[::-1]).numpy(), keys[::-1])
