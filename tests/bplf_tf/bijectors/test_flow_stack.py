"""FlowStack: the loop is the chain of its steps, eagerly, in graphs and under XLA."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors import BiParallelAffine, FlowStack, Invert1x1Conv
from tests.bplf_tf.bijectors import checks
from tests.bplf_tf.bijectors.checks import apply_network

tfb = tfp.bijectors

SHAPE = (2, 3, 4)


def parameters(depth, channels=4, condition=None, seed=0):
    """Random parameters of `depth` steps, heads included, as float64 arrays `[depth, ...]`."""
    rng = np.random.default_rng(seed)
    first, second = channels // 2, channels - channels // 2
    batch = () if condition is None else condition.shape[:-1]
    singleton = () if condition is None else (1, 1)
    kernel = np.roll(np.eye(channels), 1, axis=0) + 0.3 * rng.normal(
        size=(depth, channels, channels)
    )
    stacked = {
        "kernel": kernel,
        "log_scale": rng.uniform(0.1, 0.5, size=(depth, *singleton, first)),
        "shift": rng.normal(size=(depth, *singleton, first)),
        "hidden": rng.normal(scale=0.4, size=(depth, 3, 3, first, 3)),
        "head": rng.normal(scale=0.3, size=(depth, 3, 3, 3, 2 * second)),
        "bias": rng.normal(scale=0.5, size=(depth, *singleton, 2 * second)),
    }
    if condition is None:
        return stacked
    for name, size in (("log_scale", first), ("shift", first), ("bias", 2 * second)):
        table = rng.normal(scale=0.5, size=(depth, condition.shape[-1], size))
        of_condition = np.einsum("...e,keo->k...o", condition, table)
        stacked[name] = stacked[name].reshape(
            depth, *[1] * len(batch), 1, 1, size
        ) + of_condition.reshape(depth, *batch, 1, 1, size)
    return stacked


def make_step(slices):
    def g1(x1):
        raw = apply_network(x1, slices["hidden"], slices["head"], slices["bias"])
        log_scale, shift = tf.split(raw, 2, axis=-1)
        return tf.tanh(log_scale), shift

    affine = BiParallelAffine(slices["log_scale"], slices["shift"], g1)
    return tfb.Chain([Invert1x1Conv(slices["kernel"]), affine])


def make(depth, unroll=False, condition=None, channels=4):
    stacked = parameters(depth, channels, condition)

    def in_dtype(dtype):
        tensors = tf.nest.map_structure(lambda v: tf.constant(v, dtype), stacked)
        return FlowStack(make_step, tensors, unroll=unroll)

    return in_dtype


def case(build, **changes):
    return checks.Case(make=build, latent_shape=SHAPE, image_shape=SHAPE, **changes)


def test_bijector():
    # For gradients under XLA see test_every_parameter_of_every_step_matters.
    checks.check_bijector(case(make(3), compiled_gradients=None))


# Depth 1 takes another path than the loop; unrolled stacks share that path.
@pytest.mark.parametrize(("depth", "unroll"), [(1, False), (2, True)])
def test_without_a_loop(depth, unroll):
    stack = case(make(depth, unroll), compiled=None)
    checks.check_numbers(stack)
    checks.check_execution_modes(stack)
    checks.check_one_computation(stack)


def test_conditional_bijector():
    condition = np.random.default_rng(9).normal(size=(2, 5))
    stack = case(make(2, condition=condition), batch_shapes=((2,), (3, 2)), compiled=None)
    checks.check_numbers(stack)
    checks.check_execution_modes(stack)
    checks.check_dynamic_shapes(stack)
    checks.check_batch_shapes(stack)
    checks.check_distribution(stack)


def test_odd_number_of_channels():
    shape = (2, 2, 3)
    stack = checks.Case(make=make(2, channels=3), latent_shape=shape, image_shape=shape)
    checks.check_numbers(stack)
    checks.check_dynamic_shapes(stack)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_is_the_chain_of_its_steps(direction):
    """Step 0 is nearest to the image; loop, unrolled form and a chain of the steps agree."""
    stack = make(3)(tf.float64)
    assert stack.depth == 3
    chain = tfb.Chain([stack.step(k) for k in range(3)])
    x = tf.constant(np.random.default_rng(0).normal(size=(2, *SHAPE)))

    def run(bijector):
        def both(x):
            log_det = getattr(bijector, f"{direction}_log_det_jacobian")
            return getattr(bijector, direction)(x), log_det(x, 3)

        return tf.function(both, autograph=False)(x)

    expected = run(chain)
    for bijector in (stack, make(3, unroll=True)(tf.float64)):
        for actual, wanted in zip(run(bijector), expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=1e-10, atol=1e-10)


def test_graph_does_not_grow_with_depth():
    def operations(depth, unroll=False):
        stack = make(depth, unroll)(tf.float64)
        function = tf.function(lambda x: (stack.inverse(x), stack.inverse_log_det_jacobian(x)))
        graph = function.get_concrete_function(tf.TensorSpec([2, *SHAPE], tf.float64)).graph
        bodies = graph.as_graph_def().library.function
        return len(graph.get_operations()) + sum(len(body.node_def) for body in bodies)

    assert operations(8) == operations(2)
    assert operations(8, unroll=True) > operations(2, unroll=True)


@pytest.mark.parametrize("mode", ["eager", "graph", "XLA"])
def test_every_parameter_of_every_step_matters(mode):
    variables = {name: tf.Variable(v, name=name) for name, v in parameters(3).items()}
    x = tf.constant(np.random.default_rng(0).normal(size=(2, *SHAPE)))
    stack = FlowStack(make_step, variables)
    assert len(stack.trainable_variables) == len(variables)

    def gradients(x):
        with tf.GradientTape() as tape:
            z = stack.inverse(x)
            log_det = stack.inverse_log_det_jacobian(x, 3)
            loss = tf.reduce_sum(tf.square(z)) - tf.reduce_sum(log_det)
        return tape.gradient(loss, variables)

    expected = gradients(tf.identity(x))
    if mode != "eager":
        gradients = tf.function(gradients, autograph=False, jit_compile=mode == "XLA")
    for name, gradient in gradients(x).items():
        gradient = tf.convert_to_tensor(gradient).numpy()
        assert np.all(np.abs(gradient).reshape(3, -1).max(axis=-1) > 1e-6), name
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-8, atol=1e-8, err_msg=name)


def test_follows_its_variables():
    variables = {name: tf.Variable(v, name=name) for name, v in parameters(2).items()}
    x = tf.constant(np.random.default_rng(0).normal(size=(2, *SHAPE)))
    stack = FlowStack(make_step, variables)
    inverse = tf.function(stack.inverse, autograph=False)
    for seed in (1, 2):
        changed = parameters(2, seed=seed)
        for name, variable in variables.items():
            variable.assign(changed[name])
        expected = FlowStack(make_step, changed).inverse(x)
        np.testing.assert_allclose(inverse(x), expected, atol=1e-12)
        np.testing.assert_allclose(stack.inverse(tf.identity(x)), expected, atol=1e-12)


def test_conditioning_is_live():
    condition = np.random.default_rng(9).normal(size=(2, 5))
    x = np.random.default_rng(0).normal(size=(2, *SHAPE))
    stack = make(2, condition=condition)(tf.float64)
    for direction in (stack.forward, stack.inverse):
        # Two steps with a mixing of channels between: everything depends on something far away.
        blocks = checks.jacobian(direction, x)
        first = np.tile([True, True, False, False], 6)
        checks.assert_conditioning_live(
            blocks[:, first][..., ~first], blocks[:, ~first][..., first]
        )


def test_wrong_arguments():
    with pytest.raises(ValueError, match="same static leading dimension"):
        FlowStack(make_step, {"a": tf.zeros([2, 3]), "b": tf.zeros([3, 3])})
    with pytest.raises(ValueError, match=r"step must lie in 0\.\.1, got 2"):
        make(2)(tf.float32).step(2)
