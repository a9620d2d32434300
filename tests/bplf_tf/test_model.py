"""BPLF: its API, its weights, training, saving; all at weights away from their start."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from bplf_tf import BPLF, ModelConfig, load_model
from bplf_tf.svd import Annealing, rank_at
from tests.bplf_tf.random_weights import randomise

CLASSES = ("anger", "happy", "sad")


def _model(**changes: Any) -> BPLF:
    values = {"image_shape": (8, 8, 1), "classes": CLASSES, "levels": 2, "depth": 2, "width": 4}
    return BPLF(ModelConfig(**{**values, **changes}))


def _images(model: BPLF, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = rng.uniform(0, 200, (count, 1, 1, 1)) + rng.uniform(
        0, 50, (count, *model.config.image_shape)
    )
    return smooth.astype(np.uint8)


def _labels(count: int) -> np.ndarray:
    return (np.arange(count) % len(CLASSES)).astype(np.int32)


@pytest.mark.parametrize(
    "changes",
    [
        {"image_shape": (28, 28, 1)},
        {"image_shape": (16, 8, 3), "levels": 3},
        {"image_shape": (4, 8, 1), "levels": 1, "depth": 1},
        {"image_shape": (48, 48, 1), "levels": 3, "depth": 1},
        {"image_shape": (64, 64, 3), "levels": 3, "depth": 1},
        {"classes": ()},
        {"depth": (1, 3), "width": (4, 6)},
        {"network": "3x3_1x1_3x3"},
        {"kernel_form": "dense"},
        {"squeeze": "haar", "image_shape": (8, 16, 3)},
        {"network_actnorm": False},
        {"svd_protocol": "bijector"},
    ],
    ids=str,
)
def test_every_shape_samples_encodes_and_inverts(changes: dict) -> None:
    model = randomise(_model(**changes), scale=0.05)
    model._svd_threshold.assign(0.3)
    label = None if changes.get("classes") == () else "happy"
    sample = model.sample(label, n=1, seed=0)
    assert sample.shape == (1, *model.config.image_shape)
    assert sample.dtype == np.uint8
    images = _images(model, 3)
    latents = model.encode(images, label)
    assert latents.shape == (3, model.config.dimensions)
    np.testing.assert_array_equal(model.decode(latents, label), images)
    assert 0 < model.inverse_error(images, label) < 1e-3


@pytest.mark.parametrize("conditional", [True, False])
def test_log_prob_equals_the_distribution_and_autodiff(conditional: bool) -> None:
    model = randomise(
        _model(image_shape=(4, 4, 1), dtype="float64", classes=CLASSES if conditional else ())
    )
    label = [0.2, 0.5, 0.3] if conditional else None
    distribution = model.distribution(label)
    x = tf.constant(np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4, 4, 1)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = distribution.bijector.inverse(x)
    jacobian = tf.reshape(tape.batch_jacobian(z, x), [2, 16, 16])
    expected = distribution.distribution.log_prob(z) + tf.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(distribution.log_prob(tf.identity(x)), expected, rtol=1e-9)
    restored = distribution.bijector.forward(tf.identity(z))
    np.testing.assert_allclose(restored, x, atol=1e-9)


def test_distribution_has_batch_and_event_shapes() -> None:
    model = randomise(_model())
    assert model.distribution("happy").sample(3, seed=1).shape == (3, 8, 8, 1)
    batch = model.distribution(["happy", "sad"])
    assert batch.batch_shape == (2,)
    assert batch.event_shape == (8, 8, 1)
    drawn = batch.sample(3, seed=1)
    assert drawn.shape == (3, 2, 8, 8, 1)
    each = [model.distribution(n).log_prob(drawn[:, i]) for i, n in enumerate(("happy", "sad"))]
    np.testing.assert_allclose(batch.log_prob(drawn), np.stack(each, axis=1), rtol=1e-4)


def test_the_label_reaches_every_conditioned_part() -> None:
    model = randomise(_model())
    reached = [v.path for v in model.trainable_variables if "condition" in v.path]
    assert sum("g0_condition" in path for path in reached) == 2
    assert sum("g1/condition_maps" in path for path in reached) == 2
    assert sum("split_prior" in path for path in reached) == 1
    images = _images(model, 4)
    whole = model.log_prob(images, "happy")
    for variable in model.trainable_variables:
        if "condition" in variable.path or variable.path.startswith("prior"):
            before = variable.numpy()
            variable.assign(before + 0.1)
            assert np.abs(model.log_prob(images, "happy") - whole).min() > 0, variable.path
            variable.assign(before)


@pytest.mark.parametrize("network_dtype", ["float32", "mixed_bfloat16"])
def test_keras_sees_every_weight_and_each_gets_a_gradient(network_dtype: str) -> None:
    model = randomise(_model(network_dtype=network_dtype))
    seen: list[Any] = []

    class Recorder(keras.optimizers.SGD):
        def apply(self, grads: Any, trainable_variables: Any = None) -> None:
            seen.extend(zip(grads, trainable_variables, strict=True))

    model.compile(Recorder(), run_eagerly=True)
    model.initialize(_images(model, 16), _labels(16))
    randomise(model)
    model.fit(_images(model, 8), _labels(8), batch_size=8, verbose=0)
    assert len(seen) == len(model.trainable_variables) == 39
    for gradient, variable in seen:
        assert gradient is not None, variable.path
        assert gradient.dtype == tf.float32
        assert np.abs(gradient.numpy()).max() > 0, variable.path


def test_the_loop_equals_single_steps() -> None:
    model = randomise(_model(depth=3))
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 4, 4)).astype(np.float32))
    stack = model.level(0, "sad")
    looped = tf.function(stack.inverse)(x)
    stepwise = x
    for k in range(3):
        stepwise = stack.step(k).inverse(stepwise)
    np.testing.assert_allclose(looped, stepwise, atol=1e-5)


def test_data_dependent_start_standardises_every_step() -> None:
    model = _model(image_shape=(16, 16, 1), depth=3, dtype="float64")
    images = _images(model, 64)
    images[:, 0] = 0  # constant border pixels
    assert not model.initialized
    model.initialize(images, _labels(64))
    assert model.initialized
    latents = model.encode(images, _labels(64), seed=1)
    assert np.isfinite(latents).all()
    assert abs(latents.std() - 1) < 0.05
    assert model.bits_per_dim(images, _labels(64)).mean() < 8


def test_only_fit_and_initialize_make_the_start() -> None:
    model = _model()
    model.sample("happy", seed=0)
    model.log_prob(_images(model, 2), "sad")
    assert not model.initialized
    model.compile("adam")
    model.fit(_images(model, 8), _labels(8), batch_size=8, verbose=0)
    assert model.initialized
    start = model.steps[0].log_scale_1.numpy()
    model.fit(_images(model, 8), _labels(8), batch_size=8, verbose=0, initial_epoch=1)
    np.testing.assert_array_equal(start, model.steps[0].log_scale_1.numpy())


def test_training_learns_and_saving_keeps_every_bit(tmp_path: Path) -> None:
    model = _model()
    images, labels = _images(model, 64), _labels(64)
    model.compile(keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.9))
    history = model.fit(
        tf.data.Dataset.from_tensor_slices((images, labels)).batch(24),
        epochs=5,
        validation_data=(images, labels),
        verbose=0,
    ).history
    assert history["bits_per_dim"][-1] < history["bits_per_dim"][0] - 0.1
    evaluated = model.evaluate(images, labels, batch_size=24, verbose=0, return_dict=True)
    predicted = model.predict(
        tf.data.Dataset.from_tensor_slices((images, labels)).batch(24), verbose=0
    )
    np.testing.assert_allclose(evaluated["bits_per_dim"], predicted.mean(), rtol=1e-5)

    path = tmp_path / "model.keras"
    model.save(path)
    restored = load_model(path)
    assert restored.config == model.config
    assert restored.initialized
    for old, new in zip(model.variables, restored.variables, strict=True):
        np.testing.assert_array_equal(old.numpy(), new.numpy())
    np.testing.assert_array_equal(model.log_prob(images, labels), restored.log_prob(images, labels))
    np.testing.assert_array_equal(
        model.sample("sad", n=2, seed=3), restored.sample("sad", n=2, seed=3)
    )
    restored.fit(images, labels, verbose=0)  # compiled as it was
    assert isinstance(restored.optimizer, keras.optimizers.Adam)


def test_training_noise_depends_on_the_step_and_not_on_evaluation() -> None:
    images, labels = _images(_model(), 16), _labels(16)
    losses = []
    for evaluate_between in (False, True):
        model = _model()
        model.compile(keras.optimizers.SGD(0.0))
        model.initialize(images, labels)
        data = tf.data.Dataset.from_tensors((images, labels)).repeat()
        first = model.fit(data, steps_per_epoch=1, verbose=0).history["loss"][0]
        if evaluate_between:
            model.evaluate(images, labels, verbose=0)
        second = model.fit(data, steps_per_epoch=1, verbose=0).history["loss"][0]
        assert first != second  # the weights stand still: only the noise differs
        losses.append((first, second))
    assert losses[0] == losses[1]


def test_evaluation_does_not_depend_on_order_or_batch() -> None:
    model = randomise(_model())
    images, labels = _images(model, 10), _labels(10)
    bits = model.bits_per_dim(images, labels)
    order = np.random.default_rng(0).permutation(10)
    np.testing.assert_allclose(
        model.bits_per_dim(images[order], labels[order]), bits[order], rtol=1e-5
    )
    np.testing.assert_allclose(model.bits_per_dim(images[3:4], labels[3:4]), bits[3:4], rtol=1e-5)
    assert (model.bits_per_dim(images, labels, seed=1) != bits).all()


def test_samples_repeat_by_seed_and_vary() -> None:
    model = randomise(_model())
    four = model.sample("happy", n=4, temperature=0.7, seed=5)
    np.testing.assert_array_equal(four, model.sample("happy", n=4, temperature=0.7, seed=5))
    np.testing.assert_array_equal(four[:2], model.sample("happy", n=2, temperature=0.7, seed=5))
    assert len(np.unique(four.reshape(4, -1), axis=0)) == 4
    assert (model.sample("happy", n=4, seed=6) != four).any()
    assert (model.sample("happy", seed=None) != model.sample("happy", seed=None)).any()
    cold = model.sample("sad", n=3, temperature=0.0, seed=1)
    np.testing.assert_array_equal(cold[0], cold[2])


def test_label_strength() -> None:
    model = randomise(_model())
    plain = model.sample("happy", n=2, seed=5)
    np.testing.assert_array_equal(plain, model.sample("happy", 2, seed=5, label_strength=1.0))
    # Strength 0 is the mixture of all labels, whatever the label; 3 goes beyond it.
    thirds = np.full(3, 1 / 3, np.float32)
    mixed = model.sample(thirds, n=2, seed=5)
    for label in ("happy", "sad"):
        none = model.sample(label, n=2, seed=5, label_strength=0.0)
        np.testing.assert_array_equal(none, mixed)
    beyond = np.array([-2 / 3, 7 / 3, -2 / 3], np.float32)
    strong = model.sample("happy", n=2, seed=5, label_strength=3.0)
    np.testing.assert_array_equal(strong, model.sample(beyond, n=2, seed=5))
    assert (strong != plain).any()


def test_transfer() -> None:
    model = randomise(_model())
    images = _images(model, 3)
    np.testing.assert_array_equal(model.transfer(images, "happy", "sad", strength=0.0), images)
    sad = model.transfer(images, "happy", "sad")
    np.testing.assert_array_equal(sad, model.decode(model.encode(images, "happy"), "sad"))
    assert (sad != images).any()
    half = model.transfer(images, "happy", "sad", strength=0.5)
    mixture = model.decode(model.encode(images, "happy"), [0.0, 0.5, 0.5])
    np.testing.assert_array_equal(half, mixture)


def test_bfloat16_networks_change_training_alone() -> None:
    full, mixed = randomise(_model()), randomise(_model(network_dtype="mixed_bfloat16"))
    images = _images(full, 4)
    np.testing.assert_array_equal(full.log_prob(images, "sad"), mixed.log_prob(images, "sad"))
    low = _model(evaluation_network_dtype="mixed_bfloat16")
    low.set_weights(full.get_weights())
    difference = np.abs(low.log_prob(images, "sad") - full.log_prob(images, "sad"))
    assert 0 < difference.max() < 5


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["paper", "anneal"])
def test_svd_protocols_report_both_figures(protocol: str) -> None:
    model = _model(svd_protocol=protocol, svd_anneal_steps=2)
    images, labels = _images(model, 16), _labels(16)
    model.compile("adam")
    history = model.fit(
        images, labels, batch_size=8, epochs=2, validation_data=(images, labels), verbose=0
    ).history
    assert history["val_bits_per_dim_truncated"][-1] != history["val_bits_per_dim"][-1]
    # Likelihoods and latents never truncate.
    np.testing.assert_array_equal(model.decode(model.encode(images, labels), labels), images)
    np.testing.assert_allclose(
        model.bits_per_dim(images, labels).mean(), history["val_bits_per_dim"][-1], rtol=1e-4
    )


def test_annealing_may_be_told_from_outside() -> None:
    model = _model(svd_protocol="anneal", svd_anneal_steps=2)
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), np.uint8))
    step = tf.constant(7)  # by the steps, the rank is full
    untouched = model.training_input(images, step)
    truncated = model.training_input(images, 0)
    assert np.abs(truncated - untouched).max() > 0.05
    model.annealing = Annealing()
    traced = tf.function(model.training_input)
    model_of_rank = _model(svd_protocol="paper", svd_rank=6)
    for share, expected in ((0.0, _model(svd_protocol="paper")), (0.5, model_of_rank)):
        model.annealing.share.assign(share)
        np.testing.assert_allclose(
            traced(images, step), expected.training_input(images, step), atol=1e-6
        )
        assert rank_at(model.config, share) == expected.config.rank
    model.annealing.share.assign(1.0)
    np.testing.assert_allclose(traced(images, step), untouched, atol=1e-6)
    assert rank_at(model.config, 1.0) == 8
    # It is no part of what is learned, or saved.
    assert len(model.variables) == len(_model(svd_protocol="anneal").variables)


def test_a_non_finite_step_changes_no_weight_and_is_located() -> None:
    model = randomise(_model())
    images, labels = _images(model, 8), _labels(8)
    assert model.explain_nonfinite(images, labels) is None
    model.initialize(images, labels)
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    shift = model.steps[1].shift_2.numpy()
    shift[1] = np.nan
    model.steps[1].shift_2.assign(shift)
    before = model.get_weights()
    with pytest.raises(tf.errors.InvalidArgumentError, match="non-finite loss"):
        model.fit(images, labels, batch_size=8, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.explain_nonfinite(images, labels) == "level 1, step 1, weight level_1/shift_2"


def test_an_infinite_activation_is_located_beside_the_largest_ones() -> None:
    model = _model()
    images, labels = _images(model, 8), _labels(8)
    model.initialize(images, labels)
    scale = model.steps[1].log_scale_2.numpy()
    scale[0], scale[1] = 20.0, 80.0  # exp(80) times exp(20): beyond float32
    model.steps[1].log_scale_2.assign(scale)
    said = model.explain_nonfinite(images, labels, step=7)
    assert said is not None
    assert said.startswith("level 1, step 1, affine layer; largest activations: ")
    assert "after level 1, step 0, affine layer" in said


def _with_gradient_times(factor: float) -> Any:
    @tf.custom_gradient
    def function(x: tf.Tensor) -> Any:
        return tf.identity(x), lambda upstream: factor * upstream

    return function


@pytest.mark.parametrize(
    ("factor", "levels", "expected"),
    [
        # What comes out of the last network's backward pass is not finite: the next weights are
        # those of the convolution before it.
        (np.nan, 2, "level 1, step 1, 1x1 convolution, gradient of invert_1x1_conv/"),
        (1e30, 1, "the norm of all gradients; largest gradients: "),
    ],
)
@pytest.mark.parametrize("memory", ["ordinary", "constant"])
def test_a_non_finite_gradient_stops_and_is_located(
    monkeypatch: pytest.MonkeyPatch, factor: float, levels: int, expected: str, memory: str
) -> None:
    model = randomise(_model(memory=memory, levels=levels, depth=2 if levels == 2 else 1))
    images, labels = _images(model, 8), _labels(8)
    monkeypatch.setattr("bplf_tf.networks.conv.bounded", _with_gradient_times(factor))
    model.compile(keras.optimizers.SGD(0.1))
    model.initialize(images, labels)
    before = model.get_weights()
    with pytest.raises(tf.errors.InvalidArgumentError, match="non-finite loss or gradient"):
        model.fit(images, labels, batch_size=8, verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    said = model.explain_nonfinite(images, labels)
    assert said is not None
    assert said.startswith(expected)
    assert "; largest activations: " in said
    assert "after level 0, step 0, " in said


def test_a_log_likelihood_beyond_float32_is_located() -> None:
    model = _model(heavy_tails=False)
    images, labels = _images(model, 8), _labels(8)
    model.initialize(images, labels)
    model.steps[1].shift_2.assign(np.full(model.steps[1].shift_2.shape, 1e25))
    said = model.explain_nonfinite(images, labels)
    assert said is not None
    assert said.startswith("the log-likelihood; largest activations: ")
    assert "e+25 after level 1, step 1, affine layer" in said


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.log_prob(np.zeros((1, 8, 9, 1), np.uint8), 0), r"shape \[B, 8, 8, 1\]"),
        (lambda m: m.log_prob(np.zeros((8, 8, 1), np.uint8), 0), "got "),
        (lambda m: m.encode(np.zeros((0, 8, 8, 1), np.uint8), 0), r"got \[0, 8, 8, 1\]"),
        (lambda m: m.encode(np.zeros((1, 8, 8, 1), np.float32), 0), "must be uint8.*float32"),
        (lambda m: m.encode(np.full((1, 8, 8, 1), np.nan), 0), "floats with NaN"),
        (lambda m: m.sample("joy"), "unknown label 'joy'; the classes are anger, happy, sad"),
        (lambda m: m.sample(3), "out of range"),
        (lambda m: m.sample(), "a label is needed"),
        (lambda m: m.sample("sad", n=0), "n must be a positive integer"),
        (lambda m: m.sample("sad", temperature=-1.0), "temperature must be"),
        (lambda m: m.sample("sad", label_strength=-1.0), "label_strength must be"),
        (lambda m: m.sample("sad", label_strength=np.nan), "label_strength must be"),
        (lambda m: m.sample(["sad", "happy"], n=3), "got 2 labels for 3 items"),
        (lambda m: m.decode(np.zeros((1, 63)), "sad"), r"shape \[B, 64\]"),
        (lambda m: m.decode(np.full((1, 64), np.nan), "sad"), "finite floats"),
        (lambda m: m.transfer(np.zeros((1, 8, 8, 1), np.uint8), "sad", "joy"), "unknown label"),
        (
            lambda m: m.transfer(np.zeros((4, 8, 8, 1), np.uint8), ["sad"] * 4, [0, 1]),
            "got 2 labels for 4 images",
        ),
        (
            lambda m: m.transfer(np.zeros((1, 8, 8, 1), np.uint8), 0, 1, strength=np.inf),
            "strength must be",
        ),
        (lambda m: m.log_prob(np.zeros((1, 8, 8, 1), np.uint8), 0, draws=0), "draws must be"),
        (lambda m: m.level(2), r"level must lie in 0\.\.1"),
        (lambda m: m.level(0, "sad").step(2), r"step must lie in 0\.\.1"),
        (lambda m: m.compile("adam", loss="mse"), "the loss is bits per dimension"),
        (
            lambda m: m.fit(np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 3])),
            "label 3 is out of range",
        ),
        (lambda m: m.fit(np.zeros((2, 8, 8, 1)), np.array([0, 1])), "must be uint8"),
        (
            lambda m: m.fit(tf.data.Dataset.from_tensors(np.zeros((2, 8, 8, 3), np.uint8))),
            "must yield uint8 images of shape",
        ),
        (
            lambda m: m.fit(tf.data.Dataset.from_tensors(np.zeros((2, 8, 8, 1), np.uint8))),
            r"needs a data set of \(images, labels\)",
        ),
    ],
)
def test_bad_input_is_refused(call: Any, message: str) -> None:
    model = _model()
    model.compile("adam")
    with pytest.raises(ValueError, match=message):
        call(model)
    assert not model.initialized


def test_load_model_refuses_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no model at"):
        load_model(tmp_path / "absent.keras")
    other = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    other.save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="holds a Sequential, not a BPLF"):
        load_model(tmp_path / "other.keras")
    (tmp_path / "text.keras").write_text("no archive")
    with pytest.raises(ValueError, match=r"not a \.keras file"):
        load_model(tmp_path / "text.keras")
    with pytest.raises(FileNotFoundError, match=r"no model at .*model.keras"):
        load_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"holds a SavedModel, .* name the \.keras file"):
        load_model(tmp_path)
