"""`PixelAffine`, alone, by label, and in front of a flow."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf import BPLF, ModelConfig
from bplf_tf.bijectors import PixelAffine
from bplf_tf.pixel_ridge import MIN_SLOPE
from tests.bplf_tf.bijectors import checks
from tests.bplf_tf.random_weights import randomise

tfb, tfd = tfp.bijectors, tfp.distributions

SHAPE = (3, 2, 2)
CONDITIONS = np.array([[1.0, 0.0, 0.0], [0.2, 0.5, 0.3]])


def tables(dtype, shape=SHAPE):
    """Of three labels; the first is neutral."""
    rng = np.random.default_rng(0)
    slopes = np.concatenate([np.ones([1, *shape]), rng.uniform(0.1, 1.5, (2, *shape))])
    shifts = np.concatenate([np.zeros([1, *shape]), rng.normal(size=(2, *shape))])
    return tf.constant(slopes, dtype), tf.constant(shifts, dtype)


def of_one_label(dtype):
    slopes, shifts = tables(dtype)
    return PixelAffine(slopes[1], shifts[1])


def of_conditions(dtype):
    return PixelAffine.of_condition(tf.constant(CONDITIONS, dtype), *tables(dtype))


def one_number_per_channel(dtype):
    slopes, shifts = tables(dtype, (1, 1, 2))
    return PixelAffine(slopes[2], shifts[2])


def test_bijector_of_one_label():
    case = checks.Case(
        make=of_one_label,
        latent_shape=SHAPE,
        image_shape=SHAPE,
        dynamic_latent_shape=SHAPE,
        dynamic_image_shape=SHAPE,
    )
    checks.check_bijector(case)


@pytest.mark.parametrize(
    ("make", "batch_shapes"), [(of_conditions, [(2,), (3, 2)]), (one_number_per_channel, [(2,)])]
)
def test_log_dets_and_inversion(make, batch_shapes):
    case = checks.Case(make=make, latent_shape=SHAPE, image_shape=SHAPE, batch_shapes=batch_shapes)
    checks.check_numbers(case)
    checks.check_float32(case)


def test_the_condition_mixes_linearly_and_neutral_is_the_identity():
    slopes, shifts = tables(tf.float64)
    x = tf.constant(np.random.default_rng(1).normal(size=(1, *SHAPE)))
    neutral, mixed = (PixelAffine.of_condition(c, slopes, shifts) for c in CONDITIONS)
    np.testing.assert_array_equal(neutral.forward(x), x)
    by_hand = sum(
        share * PixelAffine(slope, shift).forward(tf.identity(x)).numpy()
        for share, slope, shift in zip(CONDITIONS[1], slopes, shifts, strict=True)
    )
    np.testing.assert_allclose(mixed.forward(tf.identity(x)), by_hand, rtol=1e-12)


def test_from_one_label_to_another_and_back():
    slopes, shifts = tables(tf.float64)
    first, second = (PixelAffine(slopes[i], shifts[i]) for i in (1, 2))
    edit = tfb.Chain([second, tfb.Invert(first)])
    x = tf.constant(np.random.default_rng(2).normal(size=(2, *SHAPE)))
    expected = slopes[2] * (x - shifts[1]) / slopes[1] + shifts[2]
    np.testing.assert_allclose(edit.forward(x), expected, rtol=1e-12)
    back = tfb.Chain([first, tfb.Invert(second)])
    np.testing.assert_allclose(back.forward(tf.identity(edit.forward(x))), x, atol=1e-12)


def test_nearest_to_the_image_in_a_flow_it_adds_its_log_det_and_learns():
    config = ModelConfig(
        image_shape=(4, 4, 1), classes=("a", "b", "c"), levels=1, depth=1, width=4, dtype="float64"
    )
    model = randomise(BPLF(config))
    slopes, shifts = (tf.Variable(table) for table in tables(tf.float64, (4, 4, 1)))
    condition = tf.constant(CONDITIONS)

    def distribution():
        bijector = PixelAffine.of_condition(condition, slopes, shifts)
        chain = tfb.Chain([bijector, model.bijector(condition)])
        return tfd.TransformedDistribution(model.prior.distribution(condition), chain)

    x = tf.constant(np.random.default_rng(3).uniform(-0.4, 0.4, (2, 4, 4, 1)))
    alone = PixelAffine.of_condition(condition, slopes, shifts)
    expected = model.distribution(CONDITIONS).log_prob(alone.inverse(x))
    expected += alone.inverse_log_det_jacobian(x, 3)
    np.testing.assert_allclose(distribution().log_prob(tf.identity(x)), expected, rtol=1e-10)
    checks.assert_every_variable_matters(
        lambda: tf.reduce_sum(distribution().log_prob(tf.identity(x))), [slopes, shifts]
    )


def test_slopes_that_are_too_small_are_refused():
    slopes, shifts = tables(tf.float64)
    with pytest.raises(ValueError, match=f"at least {MIN_SLOPE}, the smallest is -1"):
        PixelAffine(-slopes[0], shifts[0])
    with pytest.raises(ValueError, match="the smallest is nan"):
        PixelAffine(slopes[0] * np.nan, shifts[0])
    beyond = (1 - MIN_SLOPE) / (1 - float(tf.reduce_min(slopes[1]))) + 0.01
    with pytest.raises(ValueError, match="slopes must be at least"):
        PixelAffine.of_condition([1 - beyond, beyond, 0.0], slopes, shifts)
    PixelAffine.of_condition([1.02 - beyond, beyond - 0.02, 0.0], slopes, shifts)


def test_matrices_are_refused():
    with pytest.raises(ValueError, match=r"slope must have the shape \[H, W, C\].*got \(2, 2\)"):
        PixelAffine(np.ones([2, 2]), np.zeros([2, 2, 1]))
