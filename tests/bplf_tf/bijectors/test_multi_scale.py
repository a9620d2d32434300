"""MultiScale: the whole flow as a bijector between latents and images."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from bplf_tf.bijectors import MultiScale, SplitPrior, Squeeze, SVDTruncate
from tests.bplf_tf.bijectors import checks
from tests.bplf_tf.bijectors.checks import random_network
from tests.bplf_tf.bijectors.test_flow_stack import make as make_stack

tfb, tfd = tfp.bijectors, tfp.distributions


def make(image_shape, levels, depth=1, condition=None):
    """Squeeze, a stack and, at all levels but the last, a split prior."""

    def in_dtype(dtype):
        parts, channels = [], image_shape[-1]
        for level in range(levels):
            channels *= 4
            stack = make_stack(depth, condition=condition, channels=channels)(dtype)
            bijectors = [Squeeze(), stack]
            if level < levels - 1:
                network = random_network(level, channels // 2, channels - channels // 2, dtype)
                bijectors.append(SplitPrior(network))
                channels //= 2
            parts.append(tfb.Chain(bijectors))
        return MultiScale(parts, image_shape)

    return in_dtype


def case(image_shape, levels, depth=1, **changes):
    return checks.Case(
        make=make(image_shape, levels, depth),
        latent_shape=(int(np.prod(image_shape)),),
        image_shape=image_shape,
        dynamic_latent_shape=(int(np.prod(image_shape)),),
        dynamic_image_shape=(None, None, image_shape[-1]),
        inversion=1e-9,
        **changes,
    )


def test_bijector():
    checks.check_bijector(case((4, 4, 1), levels=2, compiled_gradients=None))


# One level; three levels; a shape that is not square.
@pytest.mark.parametrize(
    ("image_shape", "levels"), [((2, 4, 1), 1), ((8, 8, 1), 3), ((8, 4, 1), 2)], ids=str
)
def test_other_shapes(image_shape, levels):
    flow = case(image_shape, levels)
    checks.check_numbers(flow)
    checks.check_event_shapes(flow)


def test_level_shapes():
    flow = make((8, 4, 1), levels=2)(tf.float64)
    assert [shape.as_list() for shape in flow.level_shapes] == [[4, 2, 4], [2, 1, 8]]
    assert len(flow.levels) == 2


def test_latent_is_level_by_level():
    """The first half of a level's channels goes on, the second is the level's part."""
    flow = make((4, 4, 2), levels=2)(tf.float64)
    image = np.random.default_rng(0).normal(size=(3, 4, 4, 2))
    first = flow.levels[0].inverse(tf.constant(image)).numpy()
    second = flow.levels[1].inverse(tf.constant(first[..., :4])).numpy()
    expected = np.concatenate([first[..., 4:].reshape(3, -1), second.reshape(3, -1)], axis=-1)
    np.testing.assert_allclose(flow.inverse(image), expected, atol=1e-12)


def test_conditional_bijector():
    condition = np.random.default_rng(9).normal(size=(2, 5))
    flow = case((4, 4, 1), levels=2, batch_shapes=((2,), (3, 2)))
    conditional = make((4, 4, 1), levels=2, condition=condition)
    conditional_case = checks.Case(**{**vars(flow), "make": conditional})
    checks.check_numbers(conditional_case)
    checks.check_distribution(conditional_case)


def test_everything_depends_on_something_far_away():
    """The last level's latents reach every pixel; every pixel reaches the first level's part."""
    image = np.random.default_rng(0).normal(size=(1, 4, 4, 2))
    flow = make((4, 4, 2), levels=2, depth=2)(tf.float64)
    of_image = checks.jacobian(flow.inverse, image)
    checks.assert_conditioning_live(of_image[:, :16], of_image[:, 16:])
    of_latent = checks.jacobian(flow.forward, np.asarray(flow.inverse(image)))
    checks.assert_conditioning_live(of_latent[:, :, 16:], of_latent[:, :, :16])


@pytest.mark.parametrize("direction", ["forward", "inverse"])
@pytest.mark.parametrize("order", ["value first", "log-det first"])
def test_networks_run_once_in_eager_execution_too(direction, order):
    network = checks.Counted(random_network(0, 2, 2, tf.float64))
    level = tfb.Chain([Squeeze(), SplitPrior(network)])
    flow = MultiScale([level, tfb.Chain([Squeeze()])], (4, 4, 1))
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(2, 16) if direction == "forward" else (2, 4, 4, 1)))
    value, log_det = (getattr(flow, f"{direction}{suffix}") for suffix in ("", "_log_det_jacobian"))
    if order == "value first":
        results = value(x), log_det(x)
        assert network.calls == 1
    else:
        results = log_det(x), value(x)
        assert network.calls <= 2  # nobody held the value that came with the log-det
    assert len(results) == 2


def test_density_integrates_to_one():
    """Four pixels on a grid: an oracle that uses no Jacobian at all."""
    flow = make((2, 2, 1), levels=1)(tf.float64)
    grid = np.linspace(-9, 9, 31)
    step = grid[1] - grid[0]
    points = np.stack(np.meshgrid(*[grid] * 4, indexing="ij"), axis=-1).reshape(-1, 2, 2, 1)
    base = tfd.MultivariateNormalDiag(tf.zeros(4, tf.float64), tf.ones(4, tf.float64))
    log_prob = tf.function(tfd.TransformedDistribution(base, flow).log_prob)(tf.constant(points))
    np.testing.assert_allclose(np.exp(log_prob).sum() * step**4, 1, atol=0.02)


def test_svd_bijector_on_the_image_side():
    flow = make((4, 4, 1), levels=2)

    def with_svd(dtype):
        return tfb.Chain([SVDTruncate(threshold=0.8, slope=0.4), flow(dtype)])

    chained = checks.Case(**{**vars(case((4, 4, 1), levels=2)), "make": with_svd, "compiled": None})
    checks.check_numbers(chained)
    checks.check_distribution(chained)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="at least one level"):
        MultiScale([], (4, 4, 1))
    with pytest.raises(ValueError, match="static"):
        MultiScale([Squeeze()], (None, 4, 1))
    with pytest.raises(ValueError, match="divisible by 2"):
        make((2, 6, 1), levels=2)(tf.float32)
    flow = make((4, 4, 1), levels=2)(tf.float32)
    with pytest.raises(ValueError, match="latent of 16 numbers"):
        flow.forward_event_shape([15])
    with pytest.raises(ValueError, match=r"needs \(4, 4, 1\)"):
        flow.inverse_event_shape([4, 2, 1])


@pytest.mark.parametrize(
    ("direction", "shape"), [("forward", (2, 15)), ("inverse", (2, 4, 8, 1))], ids=str
)
def test_wrong_inputs(direction, shape):
    flow = make((4, 4, 1), levels=2)(tf.float32)
    for suffix in ("", "_log_det_jacobian"):
        with pytest.raises(ValueError, match="MultiScale"):
            getattr(flow, f"{direction}{suffix}")(tf.zeros(shape))
