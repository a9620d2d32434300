"""Checkerboard masks, the exchange of halves and the flattened image."""

import numpy as np
import pytest
import tensorflow as tf

from bplf_tf.bijectors import Checkerboard, SwapHalves, flatten
from tests.bplf_tf.bijectors import checks
from tests.bplf_tf.bijectors.checks import random_network

SHAPE = (2, 3, 2)


def checkerboard(parity, additive=False):
    def make(dtype):
        network = random_network(0, 2, 2, dtype)
        g = (lambda x: (None, network(x)[1])) if additive else network
        return Checkerboard(g, parity)

    return make


def test_bijector():
    checks.check_bijector(checks.Case(make=checkerboard(0), latent_shape=SHAPE, image_shape=SHAPE))


@pytest.mark.parametrize(("parity", "additive"), [(1, False), (0, True)])
def test_variants(parity, additive):
    make = checkerboard(parity, additive)
    checks.check_numbers(
        checks.Case(make=make, latent_shape=SHAPE, image_shape=SHAPE, compiled=None)
    )


@pytest.mark.parametrize("parity", [0, 1])
def test_changes_every_second_position_by_the_others(parity):
    x = np.random.default_rng(0).normal(size=(2, *SHAPE))
    bijector = checkerboard(parity)(tf.float64)
    rows, columns = np.indices(SHAPE[:2])
    changes = np.repeat(((rows + columns + parity) % 2 == 1).ravel(), SHAPE[2])
    for direction in (bijector.inverse, bijector.forward):
        y = direction(tf.constant(x)).numpy().reshape(2, -1)
        flat = x.reshape(2, -1)
        np.testing.assert_array_equal(y[:, ~changes], flat[:, ~changes])
        assert np.abs(y - flat)[:, changes].min() > 1e-6
        blocks = checks.jacobian(direction, x)
        checks.assert_conditioning_live(blocks[:, changes][..., ~changes])
        of_changed = blocks[:, changes][..., changes]
        assert not np.any(of_changed * (1 - np.eye(changes.sum())))


def test_swap_halves():
    shape = (2, 3, 4)
    checks.check_bijector(
        checks.Case(make=lambda dtype: SwapHalves(), latent_shape=shape, image_shape=shape)
    )
    x = np.arange(8.0).reshape(1, 1, 1, 8)
    np.testing.assert_array_equal(SwapHalves().inverse(x).numpy().ravel(), [4, 5, 6, 7, 0, 1, 2, 3])
    with pytest.raises(ValueError, match="even number of channels"):
        SwapHalves().inverse(tf.zeros([1, 1, 3]))


def test_flatten_puts_even_pixels_first():
    image = np.arange(2 * 12, dtype=np.float64).reshape(2, 2, 3, 2)
    bijector = flatten((2, 3, 2))
    latent = bijector.inverse(tf.constant(image))
    assert latent.shape == (2, 1, 1, 12)
    np.testing.assert_array_equal(latent[0, 0, 0], [*range(0, 12, 2), *range(1, 12, 2)])
    np.testing.assert_array_equal(bijector.forward(tf.identity(latent)), image)
    assert bijector.inverse_event_shape([2, 3, 2]) == [1, 1, 12]
    assert np.all(bijector.inverse_log_det_jacobian(image, event_ndims=3) == 0)
