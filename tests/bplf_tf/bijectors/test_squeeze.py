"""Squeeze: layout, shapes, errors."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bplf_tf.bijectors import Squeeze
from tests.bplf_tf.bijectors import checks


@pytest.mark.parametrize(
    ("factor", "image_shape"), [(2, (4, 4, 2)), (2, (2, 6, 1)), (3, (6, 3, 1))], ids=str
)
def test_bijector(factor, image_shape):
    height, width, channels = image_shape
    checks.check_bijector(
        checks.Case(
            make=lambda dtype: Squeeze(factor),
            latent_shape=(height // factor, width // factor, channels * factor**2),
            image_shape=image_shape,
        )
    )


@settings(max_examples=15)
@given(
    factor=st.integers(2, 3),
    height=st.integers(1, 3),
    width=st.integers(1, 3),
    channels=st.integers(1, 3),
)
def test_a_block_becomes_the_channels_of_one_position(factor, height, width, channels):
    shape = (2, height * factor, width * factor, channels)
    image = np.arange(np.prod(shape)).reshape(shape)
    latent = Squeeze(factor).inverse(tf.constant(image)).numpy()
    assert latent.shape == (2, height, width, channels * factor**2)
    for row in range(factor):
        for column in range(factor):
            first = (row * factor + column) * channels
            np.testing.assert_array_equal(
                latent[..., first : first + channels], image[:, row::factor, column::factor]
            )
    np.testing.assert_array_equal(Squeeze(factor).forward(tf.constant(latent)), image)


def test_log_det_is_zero_and_broadcasts():
    x = tf.ones([2, 3, 4, 4, 1])
    np.testing.assert_array_equal(Squeeze().inverse_log_det_jacobian(x), 0)


@pytest.mark.parametrize("factor", [1, 0, 2.0, "2"])
def test_wrong_factor(factor):
    with pytest.raises(ValueError, match="factor must be an integer of at least 2"):
        Squeeze(factor)


def test_wrong_shapes():
    with pytest.raises(ValueError, match=r"divisible by 2, got .*5"):
        Squeeze().inverse(tf.zeros([1, 4, 5, 1]))
    with pytest.raises(ValueError, match="channels divisible by 4, got 6"):
        Squeeze().forward(tf.zeros([1, 2, 2, 6]))
    with pytest.raises(ValueError, match="divisible by 2"):
        Squeeze().inverse_event_shape([4, 5, 1])
