"""Every preset: density, inversion, gradients, labels, saving; in small, at random weights."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from bplf_tf import BPLF, PRESETS, ModelConfig, load_model, preset_config
from bplf_tf.layers.part import Given
from bplf_tf.networks import make_network
from bplf_tf.networks.conv import bounded
from bplf_tf.networks.convolution import convolve
from bplf_tf.networks.inception import BRANCHES, scaled_branches
from bplf_tf.networks.residual import BLOCKS
from tests.bplf_tf import flow_checks
from tests.bplf_tf.flow_checks import CLASSES
from tests.bplf_tf.random_weights import randomise


def _config(name: str, **changes: object) -> ModelConfig:
    values = {"image_shape": (4, 4, 1), "classes": CLASSES, "depth": 2, "width": 4}
    return preset_config(name, "tiny", **{**values, "dtype": "float64", **changes})


# The presets ending in _svd differ in what they see in training.
FLOWS = [name for name in PRESETS if not name.endswith("_svd")]
VARIANTS = [
    ("glow", {"coupling": "additive", "kernel_form": "dense", "classes": ()}),
    ("glow", {"top_prior": "standard", "label_into": ("g1",)}),
    ("dlf", {"parts": 4, "inverse_form": True}),
    ("dlf", {"parts": 6, "image_shape": (4, 4, 3), "levels": 1}),
    ("dlf", {"parts": 6, "image_shape": (4, 4, 3), "levels": 1, "inverse_form": True}),
    ("dlf", {"parts": 4}),
    ("dlf", {"inverse_form": True}),
    ("dlf", {"parts": (1, 1, 2), "classes": ()}),
    ("dlf", {"parts": (4, 2, 1, 1), "image_shape": (4, 2, 1), "levels": 1, "squeeze": "flatten"}),
    ("realnvp", {"coupling": "additive", "log_scale_form": "tanh", "actnorm": False}),
    ("realnvp", {"network": "residual", "label_at": "output"}),
    ("realnvp", {"classes": ()}),
    ("bplf_inception_a", {"classes": ()}),
    pytest.param("bplf_inception_b", {"classes": ()}, marks=pytest.mark.slow),
    ("nice", {"classes": (), "split_prior": "learned", "top_prior": "learned"}),
]


@pytest.mark.parametrize(("name", "changes"), [*[(name, {}) for name in FLOWS], *VARIANTS], ids=str)
def test_density_and_inversion(name: str, changes: dict) -> None:
    flow_checks.check_density(_config(name, **changes))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *[(name, {}) for name in FLOWS if name.startswith(("glow", "realnvp", "nice"))],
        # Wide enough that no branch is left with one channel, which may be idle on a few images.
        *[(name, {"width": 16}) for name in FLOWS if name.startswith("bplf_inception")],
        ("dlf", {"parts": 4, "inverse_form": True}),
        ("realnvp", {"network": "residual", "label_at": "output", "width": 8}),
    ],
    ids=str,
)
def test_gradients_in_constant_memory(name: str, changes: dict) -> None:
    flow_checks.check_constant_memory(_config(name, **changes))


def test_published_start_of_dlf() -> None:
    config = _config("dlf", start="dlf")
    flow_checks.check_density(config)
    flow_checks.check_gradients(config)
    model = BPLF(dataclasses.replace(config, classes=()))
    model.initialize(flow_checks.images(model.config, 8))
    affine = model.level(0).step(0).bijectors[1]
    x = np.random.default_rng(0).normal(size=(2, 2, 2, 4))
    y = affine.inverse(x)
    # y1 = x1 * exp(-3), y2 = (x2 + 1) * exp(tanh(1) - 3), whatever the data.
    np.testing.assert_allclose(y[..., :2], x[..., :2] * np.exp(-3), rtol=1e-12)
    np.testing.assert_allclose(y[..., 2:], (x[..., 2:] + 1) * np.exp(np.tanh(1) - 3), rtol=1e-12)


def _table(layer: keras.layers.Layer, name: str) -> np.ndarray:
    (table,) = [variable.numpy() for variable in layer.variables if variable.name == name]
    return table


def test_the_label_of_dlf_enters_at_the_output() -> None:
    """Added to what a network says, before the tanh: the published formula."""
    model = randomise(BPLF(_config("dlf")))
    steps = model.steps[0]
    label = np.array([0.2, 0.5, 0.3])
    y = np.random.default_rng(0).normal(size=(2, 2, 2, 4))
    read, part = tf.constant(y[..., :2]), y[..., 2:]
    given = Given(tf.constant(label), tf.float64)
    slices = tf.nest.map_structure(lambda t: t[0], steps.network.stacked(None, tf.float64))
    said = steps.network.apply(slices, read) + np.tensordot(
        label, _table(steps, "g1_condition")[0], axes=1
    )
    raw, shift = np.split(said, 2, axis=-1)
    of_step = {n: getattr(steps, f"{n}_2").numpy()[0] for n in ("log_scale", "shift")}
    factor, offset = steps.tanh_factor_2.numpy()[0], steps.tanh_offset_2.numpy()[0]
    log_scale = of_step["log_scale"] + factor * np.tanh(raw + offset)
    expected = (part + of_step["shift"] + shift) * np.exp(log_scale)
    affine = steps.bijector(given).step(0).bijectors[1]
    np.testing.assert_allclose(affine.inverse(y)[..., 2:], expected, rtol=1e-10)


def test_residual_network_has_ways_around_its_blocks() -> None:
    network = make_network(
        _config("realnvp", network="residual", classes=()),
        depth=1, in_channels=2, out_channels=3, width=4, map_shape=(4, 4, 0), seed=0,
    )  # fmt: skip
    assert network.hidden_layers == 1 + 2 * BLOCKS
    randomise(network)
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 4, 2)))
    slices = tf.nest.map_structure(lambda t: t[0], network.stacked(None, tf.float64))
    whole = network.apply(slices, x)
    # With blocks that say nothing, the first and the last convolution remain.
    empty = {
        name: tf.zeros_like(value)
        if name.split("_")[1] in map(str, range(2, 2 * BLOCKS + 1, 2))
        else value
        for name, value in slices.items()
    }
    first = tf.nn.relu(convolve(bounded(x), slices["kernel_0"]) + slices["bias_0"])
    expected = convolve(first, slices[f"kernel_{2 * BLOCKS + 1}"])
    np.testing.assert_allclose(network.apply(empty, x), expected, rtol=1e-9, atol=1e-12)
    assert np.abs(whole - expected).max() > 1e-3


QUICK = ("bplf_3x3", "realnvp")  # of the others, make test-slow


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in FLOWS],
)
def test_public_interface_and_saving(name: str, tmp_path: Path) -> None:
    model = BPLF(_config(name, image_shape=(8, 8, 3), dtype="float32"))
    images, labels = flow_checks.images(model.config, 8), flow_checks.labels(model.config, 8)
    model.initialize(images, labels)
    randomise(model, scale=0.05)
    latents = model.encode(images, labels)
    np.testing.assert_array_equal(model.decode(latents, labels), images)
    assert (model.transfer(images, labels, "sad") != images).any()
    np.testing.assert_array_equal(model.transfer(images, labels, "sad", strength=0.0), images)
    assert model.sample("happy", n=2, seed=3).shape == (2, 8, 8, 3)
    path = tmp_path / "model.keras"
    model.save(path)
    restored = load_model(path)
    assert restored.config == model.config
    np.testing.assert_array_equal(model.log_prob(images, labels), restored.log_prob(images, labels))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("glow_svd", {}),
        pytest.param("realnvp", {"memory": "constant"}, marks=pytest.mark.slow),
        ("dlf", {"classes": ()}),
    ],
    ids=str,
)
def test_training_learns(name: str, changes: dict) -> None:
    model = BPLF(_config(name, image_shape=(8, 8, 1), dtype="float32", **changes))
    images, labels = flow_checks.images(model.config, 64), flow_checks.labels(model.config, 64)
    model.compile(keras.optimizers.Adam(1e-2))
    logs = model.fit(
        images, labels, batch_size=32, epochs=6, validation_data=(images, labels), verbose=0
    ).history
    assert logs["val_bits_per_dim"][-1] < logs["val_bits_per_dim"][0] - 0.1
    assert ("val_bits_per_dim_truncated" in logs) == (name == "glow_svd")


@pytest.mark.parametrize("name", ["realnvp", "nice_dense", "glow", "dlf"])
def test_the_loop_equals_single_steps(name: str) -> None:
    model = randomise(BPLF(_config(name, depth=4)))
    bijector = model.bijector(tf.constant([0.2, 0.5, 0.3], tf.float64))
    unrolled = model.bijector(tf.constant([0.2, 0.5, 0.3], tf.float64), unroll=True)
    x = tf.constant(np.random.default_rng(0).uniform(-0.4, 0.4, (2, 4, 4, 1)))
    for function in ("inverse", "forward"):
        expected = getattr(unrolled, function)(x)
        looped = tf.function(getattr(bijector, function), autograph=False)(tf.identity(x))
        np.testing.assert_allclose(looped, expected, atol=1e-10)
        x = tf.identity(expected)


@pytest.mark.parametrize(("name", "place"), [("glow", "ActNorm"), ("realnvp", "checkerboard")])
def test_a_non_finite_weight_is_located(name: str, place: str) -> None:
    model = BPLF(_config(name, depth=4))
    images, labels = flow_checks.images(model.config, 8), flow_checks.labels(model.config, 8)
    model.initialize(images, labels)
    assert model.explain_nonfinite(images, labels) is None
    steps = model.checkerboards[1] if name == "realnvp" else model.steps[1]
    weight = steps.log_scale if name == "realnvp" else steps.actnorm.log_scale
    weight.assign(1e4 * np.eye(*weight.shape))
    said = model.explain_nonfinite(images, labels)
    assert said is not None
    assert said.startswith("level 1")
    assert place in said.split(";")[0]


@pytest.mark.parametrize("width", [4, 7, 16, 64, 100, 512])
@pytest.mark.parametrize("name", BRANCHES)
def test_inception_branches_add_up_to_the_width(name: str, width: int) -> None:
    branches = scaled_branches(name, width)
    assert sum(branch.convolutions[-1][-1] for branch in branches) == width
    assert min(c for branch in branches for *_, c in branch.convolutions) >= 1
    if width == 512:
        assert branches == list(BRANCHES[name])


@pytest.mark.parametrize(("name", "weights"), [("inception_a", 509_440), ("inception_b", 380_928)])
def test_inception_modules_have_the_weights_of_their_sources(name: str, weights: int) -> None:
    """Numbers of weights without biases, counted by hand from the published tables."""
    total = 0
    for branch in BRANCHES[name]:
        read = 512
        for height, width, channels in branch.convolutions:
            total += height * width * read * channels
            read = channels
    assert total == weights


def _pooled(x: np.ndarray, of: Callable[..., np.ndarray]) -> np.ndarray:
    """Of each 3x3 neighbourhood, as far as it lies in the image `[B, H, W, C]`."""
    pooled = np.empty_like(x)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            near = x[:, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
            pooled[:, i, j] = of(near, axis=(1, 2))
    return pooled


def _inception_a(x: np.ndarray, layer: Callable[..., np.ndarray]) -> list[np.ndarray]:
    """GoogLeNet's module 4c: 1x1; 1x1, 3x3; 1x1, 5x5; maximum, 1x1."""
    return [
        layer(1, x, (1, 1)),
        layer(3, layer(2, x, (1, 1)), (3, 3)),
        layer(5, layer(4, x, (1, 1)), (5, 5)),
        layer(6, _pooled(x, np.max), (1, 1)),
    ]


def _inception_b(x: np.ndarray, layer: Callable[..., np.ndarray]) -> list[np.ndarray]:
    """The module with asymmetric convolutions; the pooling is a mean."""
    second = layer(4, layer(3, layer(2, x, (1, 1)), (1, 3)), (3, 1))
    third = layer(7, layer(6, layer(5, x, (1, 1)), (3, 1)), (1, 3))
    third = layer(9, layer(8, third, (3, 1)), (1, 3))
    return [layer(1, x, (1, 1)), second, third, layer(10, _pooled(x, np.mean), (1, 1))]


@pytest.mark.parametrize(
    ("name", "branches", "last"), [("a", _inception_a, 7), ("b", _inception_b, 11)]
)
def test_inception_networks_compose_their_branches(
    name: str, branches: Callable[..., list[np.ndarray]], last: int
) -> None:
    network = make_network(
        _config(f"bplf_inception_{name}", classes=()),
        depth=1, in_channels=2, out_channels=3, width=16, map_shape=(4, 6, 0), seed=0,
    )  # fmt: skip
    randomise(network, scale=0.3)
    slices = tf.nest.map_structure(lambda t: t[0], network.stacked(None, tf.float64))

    def layer(i: int, x: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
        kernel = slices[f"kernel_{i}"]
        assert kernel.shape[:2] == sides
        hidden = tf.nn.conv2d(x, kernel, strides=1, padding="SAME") + slices[f"bias_{i}"]
        return tf.nn.relu(hidden).numpy()

    x = np.random.default_rng(0).normal(size=(2, 4, 6, 2))
    read = layer(0, 5 * np.tanh(x / 5), (3, 3))
    parts = branches(read, layer)
    assert sum(part.shape[-1] for part in parts) == 16
    assert min(np.abs(part).max() for part in parts) > 0.1
    whole = np.concatenate(parts, axis=-1)
    expected = tf.nn.conv2d(whole, slices[f"kernel_{last}"], strides=1, padding="SAME")
    assert f"kernel_{last + 1}" not in slices
    np.testing.assert_allclose(network.apply(slices, tf.constant(x)), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("dlf", {"parts": 6}, "level 0 has 4 channels, which do not divide into 6 equal parts"),
        (
            "dlf",
            {"parts": (1, 2), "image_shape": (4, 4, 1)},
            "proportion 1:2; of images of shape .4, 4, 1., equal parts may be 2, 4",
        ),
        ("dlf", {"parts": 1}, "parts must be at least 2, got 1"),
        ("dlf", {"parts": 0}, "parts must be a positive integer, got 0"),
        ("dlf", {"start": "dlf", "memory": "constant"}, "rebuilds a step's input"),
        ("bplf_3x3", {"start": "dlf"}, "start='dlf' is that of affine layers with"),
        ("nice", {"parts": 4}, "permutation='swap' is for parts=2, got 4"),
        ("nice_dense", {"levels": 2}, "squeeze='flatten' leaves one level, got levels=2"),
        ("realnvp", {"depth": 1}, "depth must be at least 2, got 1"),
        ("realnvp", {"squeeze": "flatten", "levels": 1}, "need a squeeze that keeps positions"),
        ("bplf_inception_a", {"width": 3}, "needs a width of at least 4"),
    ],
)
def test_what_does_not_fit_together_is_refused(name: str, changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _config(name, **changes)
