"""Haar: coefficients of a block, shapes, errors."""

import numpy as np
import pytest
import tensorflow as tf

from bplf_tf.bijectors import Haar, Squeeze
from tests.bplf_tf.bijectors import checks


@pytest.mark.parametrize("channels", [4, 12])
def test_bijector(channels):
    checks.check_bijector(
        checks.Case(
            make=lambda dtype: Haar(),
            latent_shape=(channels,),
            image_shape=(channels,),
            dynamic_latent_shape=(channels,),
            dynamic_image_shape=(channels,),
        )
    )


def test_a_block_becomes_its_mean_and_differences():
    (a, b), (c, d) = block = np.array([[0.5, 2.0], [3.0, -1.5]])
    images = np.stack([block, 10 * block], axis=-1)[np.newaxis]
    coefficients = Haar().inverse(Squeeze().inverse(tf.constant(images))).numpy()
    expected = [a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d]
    np.testing.assert_allclose(coefficients[0, 0, 0, 0::2], np.array(expected) / 2)
    np.testing.assert_allclose(coefficients[0, 0, 0, 1::2], 5 * np.array(expected))


def test_wrong_channels():
    with pytest.raises(ValueError, match=r"multiple of 4 channels, got shape \(1, 2, 2, 6\)"):
        Haar().inverse(tf.zeros([1, 2, 2, 6]))
