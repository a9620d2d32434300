"""Whatever is sent to a SavedModel ends in a picture or in a sentence."""

import numpy as np
import pytest
import tensorflow as tf

from tests.export.pixels import assert_same_pixels
from tests.export.png_files import SIDE, jpeg, picture, promising


def sample_inputs(**changes):
    given = {
        "label": np.array([1, 2], np.int32),
        "temperature": np.array([0.5, 1.0], np.float32),
        "seed": np.array([[1, 2], [3, 4]], np.int32),
    }
    return given | {name: np.asarray(value) for name, value in changes.items()}


def text(*values):
    return np.array(values, dtype=object)


def transfer_inputs(file, **changes):
    given = {
        "png_bytes": text(file),
        "source": text("happy"),
        "target": text("sad"),
        "strength": np.array([1.0], np.float32),
    }
    return given | changes


ROWS = "a call must have 1 to 8 rows"
SAMPLES = [
    ({"label": np.array([1, 7], np.int32)}, r"label must lie in 0\.\.6 .*3 happy.*got.*7"),
    ({"label": np.array([-1, 2], np.int32)}, "label must lie in"),
    ({"temperature": np.array([0.5, np.nan], np.float32)}, r"temperature must lie in 0\.\.10.*nan"),
    ({"temperature": np.array([-0.1, 1], np.float32)}, r"temperature must lie in 0\.\.10.*-0\.1"),
    ({"temperature": np.array([1e30, 1], np.float32)}, "temperature must lie in"),
    ({"temperature": np.array([np.inf, 1], np.float32)}, "temperature must lie in"),
    ({"temperature": np.array([1.0], np.float32)}, "must have the same number of rows"),
    ({"temperature": np.float32(1)}, "shape"),
    ({"seed": np.array([[1, 2]], np.int32)}, "must have the same number of rows"),
    ({"seed": np.array([1, 2], np.int32)}, "shape"),
    ({"seed": np.zeros([2, 3], np.int32)}, "shape"),
]


@pytest.mark.parametrize(("changes", "message"), SAMPLES)
def test_sample(served, changes, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served("sample", **sample_inputs(**changes))


@pytest.mark.parametrize("rows", [0, 9])
def test_number_of_rows(served, rows):
    given = {name: np.repeat(value[:1], rows, axis=0) for name, value in sample_inputs().items()}
    with pytest.raises(tf.errors.InvalidArgumentError, match=ROWS):
        served("sample", **given)
    with pytest.raises(tf.errors.InvalidArgumentError, match=ROWS):
        served(
            "sample_png",
            **{**given, "label": np.full(rows, "happy", dtype=object)},
        )


def test_unknown_name(served):
    given = sample_inputs(label=text("happy", "hapy"))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must be one of anger, .*got.*hapy"):
        served("sample_png", **given)


LONG = "é" * 60
NAMES = {
    "invalid UTF-8": (b"\xff\xfe", r"got.*\[\ufffd\ufffd\]"),
    "half a character": ("é".encode()[:1], r"got.*\[\ufffd\]"),
    "9000 bytes": (b"x" * 9000, r"got.*\[x{60}\.\.\.\]"),
    "9000 bytes that are no UTF-8": (b"\xff" * 9000, r"got.*\[\ufffd{60}\.\.\.\]"),
    "60 characters": (LONG.encode(), rf"got.*\[{LONG}\]"),
    "61 characters": (f"{LONG}é".encode(), rf"got.*\[{LONG}\.\.\.\]"),
    "empty": (b"", r"got.*\[\]"),
}


@pytest.mark.parametrize(("name", "message"), NAMES.values(), ids=NAMES.keys())
def test_names_of_any_bytes(served, saved_model_folder, name, message):
    """Repeated as far as a sentence can hold them: gRPC takes 8 KiB, and Python only UTF-8."""
    given = sample_inputs(label=text("happy", name))
    told = f"must be one of anger, .*{message}"
    with pytest.raises(tf.errors.InvalidArgumentError, match=told) as raised:
        served("sample_png", **given)
    assert len(raised.value.message.encode()) < 1000
    sample = tf.saved_model.load(str(saved_model_folder)).signatures["sample_png"]
    labels = tf.constant([b"happy", name])
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        sample(**{key: tf.constant(value) for key, value in (given | {"label": labels}).items()})


def test_a_missing_seed(served):
    given = sample_inputs()
    del given["seed"]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must feed a value for .*seed"):
        served("sample", **given)


def test_a_missing_seed_in_python(saved_model_folder):
    sample = tf.saved_model.load(str(saved_model_folder)).signatures["sample"]
    given = {name: tf.constant(value) for name, value in sample_inputs().items() if name != "seed"}
    with pytest.raises(TypeError, match="seed"):
        sample(**given)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e6])
def test_conditions_and_latents(served, value):
    condition = np.zeros([1, 7], np.float32)
    condition[0, 3] = value
    given = {"temperature": np.ones(1, np.float32), "seed": np.zeros([1, 2], np.int32)}
    told = r"condition must be 7 numbers in -100\.\.100, the weights of anger, .*, got"
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        served("sample_condition", condition=condition, **given)
    latent = np.zeros([1, SIDE**2], np.float32)
    latent[0, 5] = value
    told = r"latent must be 256 numbers in -100000\.\.100000"
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        served("decode", latent=latent, label=np.zeros(1, np.int32))


def test_what_encode_gives_is_accepted(served):
    """Even of images that are no faces."""
    label = np.zeros(4, np.int32)
    noise = np.random.default_rng(0).integers(0, 256, [SIDE, SIDE, 1], np.uint8)
    stripes = np.where(np.arange(SIDE) % 2, 255, 0).astype(np.uint8)
    images = np.stack([noise, 0 * noise, 0 * noise + 255, stripes[:, None] + 0 * noise])
    latent = served("encode", image=images, label=label)["latent"]
    assert np.abs(latent).max() > 10
    assert served("decode", latent=latent, label=label)["image"].shape == images.shape


def test_labels_that_are_strengthened(served, model):
    for strength in (0.0, 4.0, 20.0):
        condition = model.strengthened_label(["happy"], strength)
        given = {"temperature": np.full(1, 0.7, np.float32), "seed": np.array([[3, 0]], np.int32)}
        image = served("sample_condition", condition=condition, **given)["image"]
        expected = model.sample("happy", temperature=0.7, seed=3, label_strength=strength)
        assert_same_pixels(image, expected, equal=0.99)


def test_images_of_another_size(served):
    for shape in ([1, 24, 16, 1], [1, 16, 16, 3], [16, 16, 1], [1, 256], [1, 8, 32, 1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="shape"):
            served("encode", image=np.zeros(shape, np.uint8), label=np.zeros(1, np.int32))


good = picture()
FILES = {
    "empty": (b"", "got.*no PNG"),
    "text": (b"not a picture", "got.*no PNG"),
    "jpeg": (jpeg(), "got.*no PNG"),
    "a PNG's first bytes": (good[:30], "breaks off"),
    "truncated": (good[: len(good) // 2], "breaks off"),
    "without its end": (good[:-12], "breaks off"),
    "another size": (picture(24, 16), "got.*16x24"),
    "huge, as it says": (promising(10_000, 10_000), "got.*10000x10000"),
    "huge and true": (picture(4000, 4000, "1"), "got.*4000x4000"),
    "a size beyond int32": (promising(2**32 - 1, 2**32 - 1), "got.*4294967295x4294967295"),
    "pixels missing": (good[:60] + good[-12:], "."),
    "pixels damaged": (good[:60] + bytes([good[60] ^ 255]) + good[61:], "."),
}


@pytest.mark.parametrize(("file", "message"), FILES.values(), ids=FILES.keys())
def test_files(served, file, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served("transfer_png", **transfer_inputs(file))


def test_bad_strength(served):
    for value in (np.nan, np.inf, -11):
        changes = {"strength": np.array([value], np.float32)}
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"strength must lie in -10\.\.10"):
            served("transfer_png", **transfer_inputs(good, **changes))
