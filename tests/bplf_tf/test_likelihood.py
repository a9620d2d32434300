"""Scaling, dequantisation and bits per dimension."""

import numpy as np
import tensorflow as tf

from bplf_tf.likelihood import bits_per_dim, dequantise, quantise

ALL_LEVELS = tf.reshape(tf.range(256), [1, 16, 16, 1])


def test_every_grey_level_survives_any_noise() -> None:
    images = tf.cast(ALL_LEVELS, tf.uint8)
    for noise in (0.0, 0.5, 1 - 2**-16):
        x = dequantise(images, noise, tf.float32)
        assert x.numpy().min() >= -0.5
        assert x.numpy().max() < 0.5
        np.testing.assert_array_equal(quantise(x), images)


def test_uniform_density_costs_eight_bits() -> None:
    # Density 1 on the flow's scale, whose volume is 1.
    assert bits_per_dim(tf.constant(0.0), 100).numpy() == np.float32(8)


def test_paper_scale_gives_the_same_figure() -> None:
    dimensions, log_prob_256 = 784, 1234.0
    # The paper scales by 1/128 (eq. 4-1): each dimension is twice as wide.
    log_prob_128 = log_prob_256 - dimensions * np.log(2)
    paper = -(log_prob_128 / dimensions - np.log(128)) / np.log(2)
    np.testing.assert_allclose(bits_per_dim(log_prob_256, dimensions), paper, rtol=1e-12)


def test_values_outside_are_clipped() -> None:
    x = tf.constant([-3.0, -0.5, 0.4999, 7.0])
    np.testing.assert_array_equal(quantise(x), [0, 0, 255, 255])
