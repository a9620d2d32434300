"""SVDTruncate and truncate_images: log-dets, degenerate singular values, exact rounding."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from hypothesis import given, settings
from hypothesis import strategies as st

from bplf_tf.bijectors import SVDTruncate
from bplf_tf.bijectors.svd_truncate import truncate_images
from tests.bplf_tf.bijectors import checks

tfb, tfd = tfp.bijectors, tfp.distributions

# Thresholds amid the singular values of standard normal matrices, so that both slopes are used.
SHAPES = [(4, 4, 2), (5, 3, 1), (3, 4, 2)]


def case(shape, threshold=1.5, slope=0.3, **changes):
    return checks.Case(
        make=lambda dtype: SVDTruncate(threshold=threshold, slope=slope),
        latent_shape=shape,
        image_shape=shape,
        compiled_gradients=None,  # XLA takes seconds to compile them
        **changes,
    )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bijector(shape):
    # XLA takes seconds to compile an SVD, so one shape has to do.
    checks.check_bijector(case(shape, compiled=1e-9 if shape == (5, 3, 1) else None))


def test_channels_may_be_unknown_while_tracing():
    unknown = (None, None, None)
    checks.check_dynamic_shapes(
        case((4, 3, 2), dynamic_latent_shape=unknown, dynamic_image_shape=unknown)
    )


@settings(max_examples=15)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3)),
    threshold=st.floats(0, 5),
    slope=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_inverts_any_shape(shape, threshold, slope, seed):
    bijector = SVDTruncate(threshold=threshold, slope=slope)
    x = tf.constant(np.random.default_rng(seed).normal(size=(2, *shape)))
    np.testing.assert_allclose(bijector.forward(tf.identity(bijector.inverse(x))), x, atol=1e-9)
    np.testing.assert_allclose(bijector.inverse(tf.identity(bijector.forward(x))), x, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_gradient_is_that_of_finite_differences(shape, direction):
    function = getattr(SVDTruncate(threshold=1.5, slope=0.3), direction)
    x = np.random.default_rng(3).normal(size=shape)
    np.testing.assert_allclose(
        checks.jacobian(function, x[np.newaxis])[0],
        checks.finite_difference_jacobian(function, x),
        atol=1e-8,
    )


def _with_singular_values(values, shape, seed=0):
    """An image `[*shape, 1]` with the given singular values."""
    rng = np.random.default_rng(seed)
    u = np.linalg.qr(rng.normal(size=(shape[0], len(values))))[0]
    v = np.linalg.qr(rng.normal(size=(shape[1], len(values))))[0]
    return ((u * np.asarray(values, np.float64)) @ v.T)[..., np.newaxis]


# Equal below the threshold 1, equal above it, zero, and all of these.
DEGENERATE = [(0.5, 0.5, 0.2), (2.0, 2.0, 0.5), (3.0, 0.0, 0.0), (0.0,) * 3, (2.0, 2.0, 0.0)]


@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 4)], ids=str)
@pytest.mark.parametrize("values", DEGENERATE, ids=str)
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_equal_and_zero_singular_values_do_no_harm(values, shape, direction):
    bijector = SVDTruncate(threshold=1.0, slope=0.4)
    function = getattr(bijector, direction)
    x = _with_singular_values(values, shape)
    log_det = getattr(bijector, f"{direction}_log_det_jacobian")(tf.constant(x))
    numerical = checks.finite_difference_jacobian(function, x)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(numerical)[1], atol=1e-7)
    np.testing.assert_allclose(checks.jacobian(function, x[np.newaxis])[0], numerical, atol=1e-7)
    for dtype in (tf.float32, tf.float64):
        low = tf.constant(x, dtype)
        with tf.GradientTape() as tape:
            tape.watch(low)
            loss = tf.reduce_sum(getattr(bijector, f"{direction}_log_det_jacobian")(low))
        assert np.all(np.isfinite(tape.gradient(loss, low)))


def test_gradient_of_the_log_det_is_that_of_finite_differences():
    bijector = SVDTruncate(threshold=1.5, slope=0.3)
    x = np.random.default_rng(5).normal(size=(4, 3, 2))

    def log_det(images):
        return bijector.inverse_log_det_jacobian(images)[..., tf.newaxis]

    np.testing.assert_allclose(
        checks.jacobian(log_det, x[np.newaxis])[0],
        checks.finite_difference_jacobian(log_det, x),
        atol=1e-7,
    )


def test_threshold_may_be_trained():
    threshold = tf.Variable(1.5, dtype=tf.float64)
    bijector = SVDTruncate(threshold=threshold, slope=0.3)
    x = tf.constant(np.random.default_rng(6).normal(size=(2, 4, 3, 1)))

    def loss():
        images = tf.identity(x)
        return sum(
            tf.reduce_sum(tf.sin(function(images)))
            for function in (
                bijector.forward,
                bijector.inverse,
                bijector.forward_log_det_jacobian,
                bijector.inverse_log_det_jacobian,
            )
        )

    assert bijector.trainable_variables == (threshold,)
    with tf.GradientTape() as tape:
        value = loss()
    gradient = tape.gradient(value, threshold)
    threshold.assign_add(1e-6)
    above = loss()
    threshold.assign_sub(2e-6)
    np.testing.assert_allclose(gradient, (above - loss()) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("threshold", [0.0, -3.0])
def test_no_threshold_is_the_identity(threshold):
    bijector = SVDTruncate(threshold=tf.constant(threshold, tf.float64), slope=0.3)
    x = tf.constant(np.random.default_rng(7).normal(size=(2, 4, 3, 1)))
    np.testing.assert_allclose(bijector.inverse(x), x, atol=1e-12)
    np.testing.assert_allclose(bijector.inverse_log_det_jacobian(x), 0, atol=1e-12)


def test_singular_values_are_bent():
    x = _with_singular_values((4.0, 2.0, 1.0, 0.5), (5, 4))
    y = SVDTruncate(threshold=1.5, slope=0.2).inverse(tf.constant(x))
    np.testing.assert_allclose(
        np.linalg.svd(y[..., 0], compute_uv=False), [2.8, 0.8, 0.2, 0.1], atol=1e-12
    )


# --- the projection ---


def _reference(images, rank):
    """Best rank-k approximation by an SVD in float64."""
    u, s, vt = np.linalg.svd(np.moveaxis(images, -1, -3).astype(np.float64), full_matrices=False)
    truncated = (u[..., :rank] * s[..., np.newaxis, :rank]) @ vt[..., :rank, :]
    return np.moveaxis(truncated, -3, -1)


@pytest.mark.parametrize("shape", [(2, 6, 6, 2), (6, 4, 1), (2, 3, 4, 6, 3)], ids=str)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_projection(shape, dtype):
    bijector = SVDTruncate(rank=2)
    x = tf.constant(np.random.default_rng(0).normal(size=shape), dtype)
    y = bijector.inverse(x)
    assert y.dtype == dtype
    atol = 1e-5 if dtype == tf.float32 else 1e-9
    np.testing.assert_allclose(y, _reference(x.numpy(), 2), atol=atol)
    np.testing.assert_allclose(bijector.inverse(y), y, atol=atol)  # idempotent
    np.testing.assert_array_equal(bijector.forward(x), x)


def test_projection_is_never_undone_by_the_cache():
    bijector = SVDTruncate(rank=1)
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 4, 1)))
    y = bijector.forward(x)
    np.testing.assert_allclose(bijector.inverse(y), _reference(x.numpy(), 1), atol=1e-9)
    z = bijector.inverse(x)
    np.testing.assert_array_equal(bijector.forward(z), z)
    assert bijector.copy() == bijector


def test_projection_has_no_log_det():
    bijector = SVDTruncate(rank=1)
    x = tf.zeros([2, 4, 4, 1])
    base = tfd.Independent(tfd.Normal(tf.zeros([4, 4, 1]), 1.0), 3)
    distribution = tfd.TransformedDistribution(base, bijector)
    assert distribution.sample(2, seed=[0, 0]).shape == [2, 4, 4, 1]
    for ask in (
        bijector.forward_log_det_jacobian,
        bijector.inverse_log_det_jacobian,
        tfb.Invert(bijector).forward_log_det_jacobian,
        tfb.Chain([bijector]).inverse_log_det_jacobian,
        distribution.log_prob,
    ):
        with pytest.raises(ValueError, match="maps many images to one"):
            ask(x)


def test_projection_keeps_dynamic_shapes():
    signature = [tf.TensorSpec([None, None, None, None], tf.float64)]
    project = tf.function(SVDTruncate(rank=2).inverse, input_signature=signature)
    for shape in [(2, 6, 4, 1), (3, 4, 6, 2)]:
        x = np.random.default_rng(0).normal(size=shape)
        np.testing.assert_allclose(project(x), _reference(x, 2), atol=1e-9)


# --- uint8 images ---


def _smooth_images(shape, seed=0):
    """uint8 images with a decaying spectrum, as photographs have."""
    rng = np.random.default_rng(seed)
    noise = np.cumsum(np.cumsum(rng.normal(size=shape), axis=-3), axis=-2)
    low, high = noise.min(axis=(-3, -2), keepdims=True), noise.max(axis=(-3, -2), keepdims=True)
    return np.round(255 * (noise - low) / (high - low)).astype(np.uint8)


def _assert_rounds_as_reference(actual, images, rank):
    expected = np.clip(np.round(_reference(images, rank)), 0, 255)
    difference = np.abs(np.asarray(actual, np.int32) - expected)
    assert (difference == 0).mean() >= 0.999
    assert difference.max() <= 1


@pytest.mark.parametrize("shape", [(8, 48, 48, 1), (4, 32, 28, 3), (16, 24, 1)], ids=str)
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_truncated_images_round_as_a_float64_svd(shape, share):
    images = _smooth_images(shape)
    rank = max(1, round(share * min(shape[-3:-1])))
    truncated = truncate_images(images, rank)
    assert truncated.dtype == tf.uint8
    _assert_rounds_as_reference(truncated, images, rank)
    if share == 1.0:
        np.testing.assert_array_equal(truncated, images)


@pytest.mark.parametrize("compiled", [False, True], ids=["tf.function", "XLA"])
def test_truncated_images_in_a_graph(compiled):
    images = _smooth_images((8, 24, 28, 3))
    truncate = tf.function(truncate_images, jit_compile=compiled)
    _assert_rounds_as_reference(truncate(images, 12), images, 12)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_constant_images_stay(value):
    images = np.full((2, 12, 10, 1), value, np.uint8)
    np.testing.assert_array_equal(truncate_images(images, 1), images)


def test_rank_may_change_without_tracing_again():
    traces = []

    @tf.function
    def truncate(images, rank):
        traces.append(1)
        return truncate_images(images, rank)

    images = _smooth_images((2, 12, 12, 1))
    for rank in (1, 6, 12):
        np.testing.assert_array_equal(
            truncate(images, tf.constant(rank)), truncate_images(images, rank)
        )
    assert len(traces) == 1


@pytest.mark.real_data
def test_truncated_faces_round_as_a_float64_svd(shared_data):
    images = np.load(shared_data / "fer2013.npz")["images"][:64, ..., np.newaxis]
    for rank in (6, 24):
        _assert_rounds_as_reference(truncate_images(images, rank), images, rank)


# --- fit ---


def test_fit_is_the_median_of_the_kth_singular_value():
    images = np.random.default_rng(0).normal(size=(7, 6, 5, 2))
    kth = np.linalg.svd(np.moveaxis(images, -1, 1), compute_uv=False)[..., 2]
    threshold = SVDTruncate.fit(images, rank=3)
    assert isinstance(threshold, float)
    np.testing.assert_allclose(threshold, np.median(kth), rtol=1e-12)
    np.testing.assert_allclose(SVDTruncate.fit(tf.constant(images), 3), threshold)
    np.testing.assert_allclose(SVDTruncate.fit(images.astype(np.float32), 3), threshold, rtol=1e-5)
    bijector = SVDTruncate(threshold=threshold, slope=0.5)
    assert bijector.threshold == threshold
    assert bijector.slope == 0.5
    assert bijector.rank is None


# --- wrong arguments ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either rank=k"),
        ({"rank": 2, "threshold": 1.0, "slope": 0.5}, "either rank=k"),
        ({"rank": 2, "slope": 0.5}, "either rank=k"),
        ({"threshold": 1.0}, "either rank=k"),
        ({"slope": 0.5}, "either rank=k"),
        ({"rank": 0}, "at least 1, got 0"),
        ({"rank": True}, "at least 1, got True"),
        ({"rank": 1.5}, "at least 1, got 1.5"),
        ({"threshold": -1.0, "slope": 0.5}, "at least 0, got -1.0"),
        ({"threshold": float("nan"), "slope": 0.5}, "finite"),
        ({"threshold": "high", "slope": 0.5}, "got 'high'"),
        ({"threshold": tf.zeros([2]), "slope": 0.5}, "floating-point scalar"),
        ({"threshold": tf.constant(1), "slope": 0.5}, "floating-point scalar, got int32"),
        ({"threshold": 1.0, "slope": 0.0}, "strictly between 0 and 1, got 0.0"),
        ({"threshold": 1.0, "slope": 1.0}, "strictly between 0 and 1, got 1.0"),
        ({"threshold": 1.0, "slope": float("nan")}, "strictly between 0 and 1"),
        ({"threshold": 1.0, "slope": "steep"}, "got 'steep'"),
    ],
)
def test_wrong_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        SVDTruncate(**arguments)


def test_wrong_images():
    with pytest.raises(ValueError, match=r"1\.\.3 for images \(2, 4, 3, 1\), got 4"):
        SVDTruncate(rank=4).inverse(tf.zeros([2, 4, 3, 1]))
    with pytest.raises(ValueError, match="floating-point images, got int32"):
        SVDTruncate(threshold=1.0, slope=0.5).inverse(tf.zeros([2, 4, 3, 1], tf.int32))
    with pytest.raises(ValueError, match="uint8 images, got float32"):
        truncate_images(np.zeros((2, 4, 3, 1), np.float32), 1)
    with pytest.raises(ValueError, match=r"1\.\.3"):
        truncate_images(np.zeros((2, 4, 3, 1), np.uint8), 4)
    with pytest.raises(ValueError, match="floating-point images"):
        SVDTruncate.fit(np.zeros((2, 4, 3, 1), np.uint8), 1)
    with pytest.raises(ValueError, match="finite images"):
        SVDTruncate.fit(np.full((2, 4, 3, 1), np.nan), 1)
    with pytest.raises(ValueError, match="of shape"):
        SVDTruncate.fit(np.zeros((0, 4, 3, 1)), 1)
    with pytest.raises(ValueError, match=r"1\.\.3"):
        SVDTruncate.fit(np.zeros((2, 4, 3, 1)), 5)
