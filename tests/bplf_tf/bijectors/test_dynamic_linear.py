"""DynamicLinear with two and more parts, in both forms, and ActNorm."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from bplf_tf.bijectors import ActNorm, BiParallelAffine, DynamicLinear, FlowStack
from tests.bplf_tf.bijectors import checks
from tests.bplf_tf.bijectors.checks import random_constants, random_network

SHAPE = (2, 3, 6)


def make(sizes, reads_output=False, g0="affine", additive=False):
    def in_dtype(dtype):
        log_scale, shift = random_constants(0, (sizes[0],), dtype)
        first = {"affine": (log_scale, shift), "shift": (None, shift), "none": None}[g0]

        def conditioner(k):
            network = random_network(k, sizes[k], sizes[k + 1], dtype)
            return lambda read: (None, network(read)[1]) if additive else network(read)

        conditioners = [conditioner(k) for k in range(len(sizes) - 1)]
        return DynamicLinear(first, conditioners, sizes, reads_output)

    return in_dtype


def case(build, **changes):
    return checks.Case(make=build, latent_shape=SHAPE, image_shape=SHAPE, **changes)


@pytest.mark.parametrize("reads_output", [False, True])
def test_bijector(reads_output):
    checks.check_bijector(case(make((1, 2, 3), reads_output)))


@pytest.mark.parametrize(
    "arguments",
    [
        {"sizes": (2, 2, 2)},
        {"sizes": (1,) * 6, "reads_output": True},
        {"sizes": (3, 3), "g0": "none"},
        {"sizes": (3, 3), "g0": "none", "additive": True},
        {"sizes": (3, 3), "g0": "shift", "additive": True, "reads_output": True},
    ],
    ids=str,
)
def test_special_cases(arguments):
    variant = case(make(**arguments), compiled=None)
    checks.check_numbers(variant)
    checks.check_one_computation(variant)


@settings(max_examples=12)
@given(
    sizes=st.lists(st.integers(1, 3), min_size=2, max_size=5),
    reads_output=st.booleans(),
    g0=st.sampled_from(["affine", "shift", "none"]),
    height=st.integers(1, 3),
)
def test_any_parts_invert(sizes, reads_output, g0, height):
    bijector = make(tuple(sizes), reads_output, g0)(tf.float64)
    y = tf.constant(np.random.default_rng(0).normal(size=(2, height, 2, sum(sizes))))
    x = tf.identity(bijector.inverse(y))
    assert x.shape == y.shape
    np.testing.assert_allclose(bijector.forward(x), y, atol=1e-9)
    np.testing.assert_allclose(
        bijector.forward_log_det_jacobian(tf.identity(x), 3),
        -bijector.inverse_log_det_jacobian(tf.identity(y), 3),
        atol=1e-9,
    )


def test_act_norm():
    def in_dtype(dtype):
        return ActNorm(*random_constants(3, (SHAPE[-1],), dtype))

    checks.check_bijector(case(in_dtype))


def test_a_part_is_conditioned_by_the_one_before_alone():
    x = np.random.default_rng(0).normal(size=(2, *SHAPE))
    jacobian = checks.jacobian(make((2, 2, 2))(tf.float64).inverse, x).reshape(2, 6, 6, 6, 6)
    parts = [slice(0, 2), slice(2, 4), slice(4, 6)]
    for k, of in enumerate(parts):
        for j, by in enumerate(parts):
            block = jacobian[:, :, of][..., by]
            if j in (k, k - 1):
                assert np.abs(block).max() > 1e-3, (k, j)
            else:
                assert not np.any(block), (k, j)


def test_two_parts_are_the_bi_parallel_layer():
    log_scale, shift = random_constants(0, (3,), tf.float64)
    network = random_network(1, 3, 3, tf.float64)
    x = tf.constant(np.random.default_rng(0).normal(size=(2, *SHAPE)))
    one = BiParallelAffine(log_scale, shift, network)
    other = DynamicLinear((log_scale, shift), [network])
    np.testing.assert_array_equal(one.inverse(x), other.inverse(tf.identity(x)))


@pytest.mark.parametrize("reads_output", [False, True])
def test_gradients_in_constant_memory(reads_output):
    sizes = (1, 2, 3)
    rng = np.random.default_rng(0)
    stacked = {
        "log_scale": rng.uniform(0.1, 0.5, size=(3, sizes[0])),
        "shift": rng.normal(size=(3, sizes[0])),
        "weights": [
            0.3 * rng.normal(size=(3, sizes[k], 2 * sizes[k + 1])) for k in range(len(sizes) - 1)
        ],
    }
    x = tf.constant(rng.normal(size=(2, *SHAPE)))

    def step(slices):
        def conditioner(weights):
            def g(read):
                raw, shift = tf.split(tf.sin(tf.tensordot(read, weights, 1)), 2, axis=-1)
                return raw, shift

            return g

        conditioners = [conditioner(weights) for weights in slices["weights"]]
        g0 = (slices["log_scale"], slices["shift"])
        return DynamicLinear(g0, conditioners, sizes, reads_output)

    def gradients(constant_memory):
        tensors = tf.nest.map_structure(tf.constant, stacked)
        with tf.GradientTape() as tape:
            tape.watch([x, tensors])
            stack = FlowStack(step, tensors, constant_memory=constant_memory)
            z = stack.inverse(x)
            log_det = stack.inverse_log_det_jacobian(x, event_ndims=3)
            total = tf.reduce_sum(log_det) - tf.reduce_sum(z**3)
        return tape.gradient(total, [x, tensors])

    expected, actual = gradients(False), gradients(True)
    for reference, gradient in zip(tf.nest.flatten(expected), tf.nest.flatten(actual), strict=True):
        assert np.abs(reference).max() > 1e-3
        np.testing.assert_allclose(gradient, reference, rtol=1e-9, atol=1e-9)


def test_wrong_arguments():
    network = random_network(1, 3, 3, tf.float64)
    with pytest.raises(ValueError, match="3 parts need 2 conditioners, got 1"):
        DynamicLinear(None, [network], (2, 2, 2))
    with pytest.raises(ValueError, match="parts of 3, 3 channels need 6, got shape"):
        DynamicLinear(None, [network], (3, 3)).inverse(tf.zeros([2, 3, 5], tf.float64))
