"""What every bijector has to stand: log-dets against autodiff, inversion, TFP's whole interface.

Parameters are random, heads included: at a zero-initialised head a coupling is the identity, where
a wrong sign goes unseen. Inputs of both directions are random too, not only what the bijector made,
and values pass through `tf.identity`, since TFP's cache would return the very tensor that went in.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfb, tfd = tfp.bijectors, tfp.distributions

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]

# Operations that a second run of a bijector would repeat.
HEAVY = {
    "BatchMatMulV2",
    "Conv2D",
    "Einsum",
    "LogMatrixDeterminant",
    "MatMul",
    "MatrixInverse",
    "MatrixTriangularSolve",
    "SelfAdjointEigV2",
    "StatelessWhile",
    "Svd",
    "While",
}


def draw_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape)


@dataclasses.dataclass(frozen=True)
class Case:
    """A bijector under test.

    Attributes:
      make: the bijector in a dtype; equal parameters at every call.
      latent_shape: event shape of what `forward` takes.
      image_shape: event shape of what `inverse` takes.
      batch_shapes: leading shapes that its inputs may have.
      dynamic_latent_shape: event shape that `tf.function` is told; None where it may be unknown.
      dynamic_image_shape: likewise.
      draw: random latents, `(rng, shape) -> float64`.
      draw_image: random images, where they are drawn in another way.
      inversion: largest error of an inversion in float64.
      float32: relative tolerance of float32 against float64.
      compiled: relative tolerance of XLA against eager execution, both in float64; None leaves
        XLA out, for cases that differ from another one in nothing that it sees.
      compiled_gradients: the same of gradients; None leaves them out under XLA.
    """

    make: Callable[[tf.DType], tfb.Bijector]
    latent_shape: tuple[int, ...]
    image_shape: tuple[int, ...]
    batch_shapes: Sequence[tuple[int, ...]] = ((), (2,), (2, 3))
    dynamic_latent_shape: tuple[int | None, ...] | None = None
    dynamic_image_shape: tuple[int | None, ...] | None = None
    draw: Draw = draw_normal
    draw_image: Draw | None = None
    inversion: float = 1e-9
    float32: float = 1e-4
    compiled: float | None = 1e-9
    compiled_gradients: float | None = 1e-9

    def latent(self, batch: tuple[int, ...], seed: int = 1) -> np.ndarray:
        return self.draw(np.random.default_rng(seed), batch + self.latent_shape)

    def image(self, batch: tuple[int, ...], seed: int = 2) -> np.ndarray:
        draw = self.draw_image or self.draw
        return draw(np.random.default_rng(seed), batch + self.image_shape)

    @property
    def some_batch(self) -> tuple[int, ...]:
        """A batch shape with one dimension where there is one."""
        return next((b for b in self.batch_shapes if len(b) == 1), self.batch_shapes[0])


def check_bijector(case: Case) -> None:
    """Everything below, for one bijector."""
    check_numbers(case)
    check_float32(case)
    check_execution_modes(case)
    check_dynamic_shapes(case)
    check_batch_shapes(case)
    check_event_shapes(case)
    check_one_computation(case)
    check_compositions(case)
    check_distribution(case)
    check_copy(case)


# --- numbers ---


def jacobian(function: Callable[[tf.Tensor], tf.Tensor], x: np.ndarray) -> np.ndarray:
    """Autodiff Jacobians `[B, n, n]` of `function` at `x [B, ...]`, float64."""
    x = tf.constant(x, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    size = int(np.prod(x.shape[1:]))
    return tape.batch_jacobian(y, x).numpy().reshape(len(x), -1, size)


def finite_difference_jacobian(
    function: Callable[[tf.Tensor], tf.Tensor], x: np.ndarray, step: float = 1e-6
) -> np.ndarray:
    """Central differences `[n, n]` at one event `x`, an oracle that shares no gradient code."""
    steps = step * np.eye(x.size).reshape(x.size, *x.shape)
    difference = function(tf.constant(x + steps)) - function(tf.constant(x - steps))
    return difference.numpy().reshape(x.size, -1).T / (2 * step)


def check_numbers(case: Case) -> None:
    """Log-dets and inversion, for variants of a bijector that stood everything else."""
    check_log_dets(case)
    check_inversion(case)


def check_log_dets(case: Case) -> None:
    """Both log-dets are those of the autodiff Jacobian, in float64."""
    bijector = case.make(tf.float64)
    for function, log_det, x, event_ndims in [
        (
            bijector.forward,
            bijector.forward_log_det_jacobian,
            case.latent(case.some_batch),
            len(case.latent_shape),
        ),
        (
            bijector.inverse,
            bijector.inverse_log_det_jacobian,
            case.image(case.some_batch),
            len(case.image_shape),
        ),
    ]:
        batched = x if case.some_batch else x[np.newaxis]
        sign, expected = np.linalg.slogdet(jacobian(function, batched))
        assert np.all(sign != 0), "singular Jacobian"
        actual = np.broadcast_to(log_det(tf.constant(batched), event_ndims), expected.shape)
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


def check_inversion(case: Case) -> None:
    """Random input comes back, whichever side it starts from, and the log-dets cancel."""
    bijector = case.make(tf.float64)
    x = tf.constant(case.latent(case.some_batch))
    y = tf.identity(bijector.forward(x))
    np.testing.assert_allclose(bijector.inverse(y), x, rtol=0, atol=case.inversion)
    np.testing.assert_allclose(
        bijector.forward_log_det_jacobian(tf.identity(x), len(case.latent_shape)),
        -bijector.inverse_log_det_jacobian(tf.identity(y), len(case.image_shape)),
        rtol=1e-9,
        atol=1e-8,
    )
    y = tf.constant(case.image(case.some_batch))
    x = tf.identity(bijector.inverse(y))
    np.testing.assert_allclose(bijector.forward(x), y, rtol=0, atol=case.inversion)


def check_float32(case: Case) -> None:
    """float32 in, float32 out, near float64."""
    for function in (run_forward, run_inverse):
        make_input = case.latent if function is run_forward else case.image
        x = make_input(case.some_batch)
        low = function(case.make(tf.float32), case)(tf.constant(x, tf.float32))
        high = function(case.make(tf.float64), case)(tf.constant(x, tf.float64))
        for key in ("value", "log_det"):
            assert low[key].dtype == tf.float32, key
            assert high[key].dtype == tf.float64, key
            scale = 1 + np.abs(high[key]).max()
            np.testing.assert_allclose(low[key], high[key], rtol=0, atol=case.float32 * scale)


def run_forward(bijector: tfb.Bijector, case: Case) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    return lambda x: {
        "value": bijector.forward(x),
        "log_det": bijector.forward_log_det_jacobian(x, len(case.latent_shape)),
    }


def run_inverse(bijector: tfb.Bijector, case: Case) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    return lambda y: {
        "value": bijector.inverse(y),
        "log_det": bijector.inverse_log_det_jacobian(y, len(case.image_shape)),
    }


# --- eager execution, graphs, XLA ---


def check_execution_modes(case: Case) -> None:
    """Values, log-dets and gradients agree between eager execution, tf.function and XLA."""
    bijector = case.make(tf.float64)
    for function, x in [
        (run_forward(bijector, case), case.latent(case.some_batch)),
        (run_inverse(bijector, case), case.image(case.some_batch)),
    ]:
        eager = _with_gradient(function)(tf.constant(x))
        graph = tf.function(_with_gradient(function), autograph=False)
        _assert_same(graph(tf.constant(x)), eager, dict.fromkeys(eager, 1e-10))
        if case.compiled is None:
            continue
        tolerances = dict.fromkeys(("value", "log_det"), case.compiled)
        if case.compiled_gradients is not None:
            function = _with_gradient(function)
            tolerances["gradient"] = case.compiled_gradients
        compiled = tf.function(function, autograph=False, jit_compile=True)
        _assert_same(compiled(tf.constant(x)), eager, tolerances)


def _assert_same(
    actual: dict[str, tf.Tensor], expected: dict[str, tf.Tensor], tolerances: dict[str, float]
) -> None:
    for key, tolerance in tolerances.items():
        atol = tolerance * (1 + np.abs(expected[key]).max())
        np.testing.assert_allclose(actual[key], expected[key], rtol=0, atol=atol, err_msg=key)


def _with_gradient(function: Any) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    def run(x: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = function(x)
            loss = tf.reduce_sum(tf.square(result["value"])) + tf.reduce_sum(result["log_det"])
        return {**result, "gradient": tape.gradient(loss, x)}

    return run


def check_dynamic_shapes(case: Case) -> None:
    """Shapes that are unknown while tracing: one graph serves several batch sizes."""
    bijector = case.make(tf.float64)
    latent_shape = case.dynamic_latent_shape or (None, None, *case.latent_shape[2:])
    image_shape = case.dynamic_image_shape or (None, None, *case.image_shape[2:])
    for function, make_input, event_shape in [
        (run_forward(bijector, case), case.latent, latent_shape),
        (run_inverse(bijector, case), case.image, image_shape),
    ]:
        batches = [b for b in case.batch_shapes if len(b) == len(case.some_batch)]
        if () in case.batch_shapes:  # no parameter has a batch of its own
            batches.append((5,))
        signature = [tf.TensorSpec([None] * len(case.some_batch) + list(event_shape), tf.float64)]
        graph = tf.function(function, input_signature=signature, autograph=False)
        for batch in batches:
            x = tf.constant(make_input(batch))
            expected = function(x)
            for key, value in graph(x).items():
                np.testing.assert_allclose(value, expected[key], rtol=1e-9, atol=1e-9)


# --- shapes ---


def check_batch_shapes(case: Case) -> None:
    """Leading dimensions of any rank: the same as one event at a time."""
    bijector = case.make(tf.float64)
    for function, make_input, in_ndims, out_shape in [
        (run_forward(bijector, case), case.latent, len(case.latent_shape), case.image_shape),
        (run_inverse(bijector, case), case.image, len(case.image_shape), case.latent_shape),
    ]:
        for batch in case.batch_shapes:
            x = make_input(batch)
            result = function(tf.constant(x))
            assert result["value"].shape == batch + out_shape
            # A constant log-det may stay a scalar, as TFP allows; it broadcasts.
            log_det = np.broadcast_to(result["log_det"], batch)
            if () not in case.batch_shapes:
                continue
            for index in np.ndindex(*batch):
                alone = function(tf.constant(x[index]))
                assert x[index].ndim == in_ndims
                np.testing.assert_allclose(result["value"][index], alone["value"], atol=1e-10)
                np.testing.assert_allclose(log_det[index], alone["log_det"], rtol=1e-10, atol=1e-10)


def check_event_shapes(case: Case) -> None:
    """The event_shape methods, static and as tensors, say what the values do."""
    bijector = case.make(tf.float64)
    latent_shape, image_shape = list(case.latent_shape), list(case.image_shape)
    assert bijector.forward_event_shape(latent_shape) == image_shape
    assert bijector.inverse_event_shape(image_shape) == latent_shape
    assert list(bijector.forward_event_shape_tensor(latent_shape)) == image_shape
    assert list(bijector.inverse_event_shape_tensor(image_shape)) == latent_shape
    assert bijector.forward_event_ndims(len(latent_shape)) == len(image_shape)
    assert bijector.inverse_event_ndims(len(image_shape)) == len(latent_shape)
    assert bijector.forward_min_event_ndims == len(latent_shape)
    assert bijector.inverse_min_event_ndims == len(image_shape)


# --- one computation ---


def heavy_operations(function: Callable[..., Any], *inputs: np.ndarray) -> int:
    """Operations of `HEAVY` in the graph of `function`."""
    specs = [tf.TensorSpec(x.shape, tf.float64) for x in inputs]
    graph = tf.function(function, autograph=False).get_concrete_function(*specs).graph
    return sum(operation.type in HEAVY for operation in graph.get_operations())


def check_one_computation(case: Case) -> None:
    """Value and log-det together, in either order, cost what one of them costs."""
    bijector = case.make(tf.float64)
    for value, log_det, x, event_ndims in [
        (
            bijector.forward,
            bijector.forward_log_det_jacobian,
            case.latent(case.some_batch),
            len(case.latent_shape),
        ),
        (
            bijector.inverse,
            bijector.inverse_log_det_jacobian,
            case.image(case.some_batch),
            len(case.image_shape),
        ),
    ]:
        once = heavy_operations(lambda x, log_det=log_det, n=event_ndims: log_det(x, n), x)
        both = heavy_operations(
            lambda x, value=value, log_det=log_det, n=event_ndims: (value(x), log_det(x, n)), x
        )
        reverse = heavy_operations(
            lambda x, value=value, log_det=log_det, n=event_ndims: (log_det(x, n), value(x)), x
        )
        assert both == reverse == max(once, heavy_operations(value, x))


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        return self.function(*args)


# --- TFP's interface ---


def check_compositions(case: Case) -> None:
    """Inside `tfb.Invert` and inside `tfb.Chain`, which asks for log-dets by event_ndims."""
    bijector = case.make(tf.float64)
    latent = tf.constant(case.latent(case.some_batch))
    image = tf.constant(case.image(case.some_batch))
    image_ndims = len(case.image_shape)

    inverted = tfb.Invert(bijector)
    np.testing.assert_allclose(inverted.forward(image), bijector.inverse(tf.identity(image)))
    np.testing.assert_allclose(
        inverted.forward_log_det_jacobian(tf.identity(image), image_ndims),
        bijector.inverse_log_det_jacobian(image, image_ndims),
    )
    np.testing.assert_allclose(inverted.inverse(latent), bijector.forward(tf.identity(latent)))

    # There and back is the identity, with log-det 0; the scales show that the parts are in order.
    chain = tfb.Chain([tfb.Scale(tf.constant(2.0, tf.float64)), bijector, inverted])
    returned = chain.forward(image)
    np.testing.assert_allclose(returned, 2 * image, rtol=0, atol=4 * case.inversion)
    expected = np.full(case.some_batch, np.prod(case.image_shape) * np.log(2))
    np.testing.assert_allclose(
        np.broadcast_to(chain.forward_log_det_jacobian(image, image_ndims), case.some_batch),
        expected,
        atol=1e-8,
    )
    np.testing.assert_allclose(
        np.broadcast_to(
            chain.inverse_log_det_jacobian(tf.identity(returned), image_ndims), case.some_batch
        ),
        -expected,
        atol=1e-8,
    )


def check_distribution(case: Case) -> None:
    """`tfd.TransformedDistribution`: shapes of samples, and the change of variables."""
    bijector = case.make(tf.float64)
    if () in case.batch_shapes:
        base_batch: tuple[int, ...] = ()
        sample_shape = (2, 3)
    else:  # parameters with a batch of their own
        base_batch, sample_shape = case.some_batch, ()
    base = tfd.Independent(
        tfd.Normal(tf.zeros(base_batch + case.latent_shape, tf.float64), 1.5),
        len(case.latent_shape),
    )
    distribution = tfd.TransformedDistribution(base, bijector)
    assert distribution.event_shape == list(case.image_shape)
    assert distribution.batch_shape == list(base_batch)
    samples = distribution.sample(sample_shape, seed=[0, 1])
    assert samples.shape == sample_shape + base_batch + case.image_shape
    assert distribution.log_prob(samples).shape == sample_shape + base_batch

    images = tf.constant(case.image(sample_shape + base_batch))
    expected = base.log_prob(bijector.inverse(images)) + bijector.inverse_log_det_jacobian(
        images, len(case.image_shape)
    )
    np.testing.assert_allclose(distribution.log_prob(tf.identity(images)), expected, rtol=1e-10)
    assert heavy_operations(distribution.log_prob, images.numpy()) == heavy_operations(
        bijector.inverse, images.numpy()
    )


def check_copy(case: Case) -> None:
    """Name, parameters, copies with and without changes."""
    bijector = case.make(tf.float64)
    assert bijector.name
    assert bijector.parameters["name"] == bijector.name
    assert "self" not in bijector.parameters
    image = tf.constant(case.image(case.some_batch))
    copied = bijector.copy()
    assert type(copied) is type(bijector)
    assert copied == bijector
    assert hash(copied) == hash(bijector)
    np.testing.assert_array_equal(copied.inverse(tf.identity(image)), bijector.inverse(image))
    renamed = bijector.copy(name="another_name")
    assert renamed.name == "another_name"
    assert bijector.name in repr(bijector)


# --- conditioning and gradients ---


def assert_conditioning_live(*blocks: np.ndarray) -> None:
    """Blocks of a Jacobian that a condition acts through: every row feels it, in every event."""
    for block in blocks:
        block = np.asarray(block)
        assert block.size, "empty block"
        assert np.all(np.isfinite(block)), "Jacobian not finite"
        assert np.all(np.abs(block).max(axis=-1) > 1e-6), "some outputs ignore the condition"


def assert_every_variable_matters(
    loss: Callable[[], tf.Tensor], variables: Sequence[tf.Variable]
) -> None:
    """Each variable gets a gradient that is finite and not zero."""
    with tf.GradientTape() as tape:
        value = loss()
    for variable, gradient in zip(variables, tape.gradient(value, variables), strict=True):
        assert gradient is not None, f"no gradient for {variable.name}"
        gradient = tf.convert_to_tensor(gradient).numpy()
        assert np.all(np.isfinite(gradient)), f"gradient of {variable.name} not finite"
        assert np.abs(gradient).max() > 0, f"gradient of {variable.name} is zero"


# --- random parameters ---


def random_constants(
    seed: int, shape: tuple[int, ...], dtype: tf.DType
) -> tuple[tf.Tensor, tf.Tensor]:
    """A log-scale and a shift, far enough from 0 to tell a wrong sign."""
    rng = np.random.default_rng(seed)
    return tf.constant(rng.uniform(0.3, 0.9, size=shape), dtype), tf.constant(
        rng.normal(size=shape), dtype
    )


def random_network(
    seed: int, inputs: int, outputs: int, dtype: tf.DType, width: int = 3
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """A conditioner `[..., H, W, inputs] -> (log scale, shift)`, each `[..., H, W, outputs]`."""
    rng = np.random.default_rng(seed)
    first = tf.constant(rng.normal(scale=0.5, size=(3, 3, inputs, width)), dtype)
    last = tf.constant(rng.normal(scale=0.3, size=(3, 3, width, 2 * outputs)), dtype)
    bias = tf.constant(rng.normal(size=2 * outputs), dtype)

    def network(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        log_scale, shift = tf.split(apply_network(x, first, last, bias), 2, axis=-1)
        return tf.tanh(log_scale), shift

    return network


def apply_network(x: tf.Tensor, first: tf.Tensor, last: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Two 3x3 convolutions of `[..., H, W, C]`, with leading dimensions of any rank."""
    shape = tf.shape(x)
    flat = tf.reshape(x, tf.concat([[-1], shape[-3:]], axis=0))
    flat = tf.ensure_shape(flat, [None, *x.shape[-3:]])
    raw = tf.nn.conv2d(tf.tanh(tf.nn.conv2d(flat, first, 1, "SAME")), last, 1, "SAME")
    raw = tf.reshape(raw, tf.concat([shape[:-1], [last.shape[-1]]], axis=0))
    return tf.ensure_shape(raw, [*x.shape[:-1], last.shape[-1]]) + bias
