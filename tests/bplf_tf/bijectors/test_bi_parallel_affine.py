"""BiParallelAffine, without and with a condition."""

import numpy as np
import pytest
import tensorflow as tf

from bplf_tf.bijectors import BiParallelAffine
from tests.bplf_tf.bijectors import checks
from tests.bplf_tf.bijectors.checks import random_constants, random_network

# An even and an odd number of channels.
SHAPES = [(2, 3, 2), (3, 2, 3)]


def unconditional(shape, seed=0):
    first, second = shape[-1] // 2, shape[-1] - shape[-1] // 2

    def make(dtype):
        log_scale, shift = random_constants(seed, (first,), dtype)
        return BiParallelAffine(log_scale, shift, random_network(seed, first, second, dtype))

    return make


def conditional(shape, condition, seed=0):
    """g0 and g1 both depend on `condition [..., E]`, one row per event."""
    first, second = shape[-1] // 2, shape[-1] - shape[-1] // 2
    rng = np.random.default_rng(seed)
    tables = [rng.normal(scale=0.5, size=(condition.shape[-1], n)) for n in (2 * first, 2 * second)]

    def make(dtype):
        h = tf.cast(condition, dtype)[..., tf.newaxis, tf.newaxis, :]
        of_g0, of_g1 = (tf.linalg.matvec(tf.constant(t.T, dtype), h) for t in tables)
        log_scale, shift = tf.split(of_g0, 2, axis=-1)
        network = random_network(seed, first, second, dtype)

        def g1(x1):
            extra_log_scale, extra_shift = tf.split(tf.sin(of_g1), 2, axis=-1)
            log_scale, shift = network(x1)
            return log_scale + extra_log_scale, shift + extra_shift

        return BiParallelAffine(log_scale, shift, g1)

    return make


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bijector(shape):
    checks.check_bijector(
        checks.Case(make=unconditional(shape), latent_shape=shape, image_shape=shape)
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_conditional_bijector(shape):
    condition = np.random.default_rng(9).normal(size=(2, 5))
    checks.check_bijector(
        checks.Case(
            make=conditional(shape, condition),
            latent_shape=shape,
            image_shape=shape,
            batch_shapes=((2,), (3, 2)),
            compiled=None,
        )
    )


def test_each_event_has_its_own_condition():
    shape = (2, 3, 4)
    condition = np.random.default_rng(9).normal(size=(3, 5))
    x = tf.constant(np.random.default_rng(1).normal(size=(3, *shape)))
    together = conditional(shape, condition)(tf.float64)
    for i in range(3):
        alone = conditional(shape, condition[i])(tf.float64)
        np.testing.assert_allclose(together.inverse(x)[i], alone.inverse(x[i]), atol=1e-12)
        np.testing.assert_allclose(
            together.inverse_log_det_jacobian(x)[i],
            alone.inverse_log_det_jacobian(x[i]),
            atol=1e-12,
        )


def test_equations():
    shape = (2, 3, 4)
    x = np.random.default_rng(0).normal(size=(2, *shape))
    g1 = random_network(0, 2, 2, tf.float64)
    log_s1, m1 = (t.numpy() for t in random_constants(0, (2,), tf.float64))
    log_s2, m2 = (t.numpy() for t in g1(tf.constant(x[..., :2])))
    y = BiParallelAffine(log_s1, m1, g1).inverse(x)
    np.testing.assert_allclose(y[..., :2], np.exp(log_s1) * x[..., :2] + m1, atol=1e-12)
    np.testing.assert_allclose(y[..., 2:], np.exp(log_s2) * x[..., 2:] + m2, atol=1e-12)


def test_conditioning_is_live():
    shape, events = (2, 2, 4), 2
    x = np.random.default_rng(0).normal(size=(events, *shape))
    condition = np.random.default_rng(1).normal(size=(events, 5))
    first = np.tile([True, True, False, False], 4)
    for direction in ("forward", "inverse"):
        bijector = conditional(shape, condition)(tf.float64)
        of_input = checks.jacobian(getattr(bijector, direction), x)
        # The second half depends on the first; the first on nothing but itself.
        checks.assert_conditioning_live(of_input[:, ~first][..., first])
        np.testing.assert_array_equal(of_input[:, first][..., ~first], 0)
        # Both halves depend on the condition, as do the log-dets.
        h = tf.constant(condition)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(h)
            bijector = conditional(shape, h)(tf.float64)
            y = tf.reshape(getattr(bijector, direction)(x), [events, -1])
            log_det = getattr(bijector, f"{direction}_log_det_jacobian")(x)[:, tf.newaxis]
        of_condition = tape.batch_jacobian(y, h).numpy()
        checks.assert_conditioning_live(
            of_condition[:, first],
            of_condition[:, ~first],
            tape.batch_jacobian(log_det, h).numpy(),
        )


def test_g1_runs_once_for_value_and_log_det():
    network = checks.Counted(random_network(0, 1, 1, tf.float64))
    log_scale, shift = random_constants(0, (1,), tf.float64)
    bijector = BiParallelAffine(log_scale, shift, network)
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 2, 3, 2)))
    for i, direction in enumerate(("forward", "inverse"), start=1):
        value = getattr(bijector, direction)(x)
        getattr(bijector, f"{direction}_log_det_jacobian")(x)
        # The way back is known too.
        back = {"forward": "inverse", "inverse": "forward"}[direction]
        getattr(bijector, f"{back}_log_det_jacobian")(value)
        assert network.calls == i


@pytest.mark.parametrize("shared", ["scalar", "one channel", "per channel"])
def test_shared_scales_count_once_per_number(shared):
    """Log-scales that broadcast, in g0 and in g1, still give the right log-det."""
    shape = (2, 3, 4)
    size = {"scalar": (), "one channel": (1,), "per channel": (2,)}[shared]

    def make(dtype):
        log_scale, shift = random_constants(0, size, dtype)
        of_g1 = random_constants(1, (1, 1, *size[-1:]) if size else (1, 1, 1), dtype)
        return BiParallelAffine(log_scale, shift, lambda x1: (of_g1[0], of_g1[1] + tf.sin(x1)))

    case = checks.Case(make=make, latent_shape=shape, image_shape=shape)
    checks.check_log_dets(case)
    checks.check_batch_shapes(case)


def test_follows_its_variables():
    log_scale, shift = (tf.Variable(t) for t in random_constants(0, (1,), tf.float64))
    bijector = BiParallelAffine(log_scale, shift, random_network(0, 1, 1, tf.float64))
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 2, 3, 2)))
    assert {v.ref() for v in bijector.trainable_variables} == {log_scale.ref(), shift.ref()}
    for function in (bijector.forward, bijector.inverse):
        checks.assert_every_variable_matters(
            lambda function=function: tf.reduce_sum(tf.sin(function(tf.identity(x)))),
            [log_scale, shift],
        )
    before = bijector.inverse(tf.identity(x))
    shift.assign_add([1.0])
    np.testing.assert_allclose(
        bijector.inverse(tf.identity(x))[..., :1] - before[..., :1], 1.0, atol=1e-12
    )


def test_wrong_shapes():
    network = random_network(0, 1, 1, tf.float32)
    with pytest.raises(ValueError, match="at least 2 channels"):
        BiParallelAffine(tf.zeros([1]), tf.zeros([1]), network).inverse(tf.zeros([1, 2, 2, 1]))
    for arguments in [(tf.zeros([3, 1]), tf.zeros([1])), (tf.zeros([1]), tf.zeros([3, 1]))]:
        with pytest.raises(ValueError, match=r"must have the shape .* got \(3, 1\)"):
            BiParallelAffine(*arguments, network)
