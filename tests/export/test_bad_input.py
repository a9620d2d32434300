"""Whatever is sent to a SavedModel ends in a picture or in a sentence."""

import io
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from export import png
from tests.export.pixels import assert_same_pixels

FUZZED = 3000
MODEL_SIDE = 16


def sample_inputs(**changes):
    given = {
        "label": np.array([1, 2], np.int32),
        "temperature": np.array([0.5, 1.0], np.float32),
        "seed": np.array([[1, 2], [3, 4]], np.int32),
    }
    return given | {name: np.asarray(value) for name, value in changes.items()}


def text(*values):
    return np.array(values, dtype=object)


def picture(height=MODEL_SIDE, width=MODEL_SIDE, mode="L", **options):
    noise = np.random.default_rng(0).integers(0, 256, [height, width, 3], np.uint8)
    return saved(Image.fromarray(noise).convert(mode), **options)


def saved(image, **options):
    file = io.BytesIO()
    image.save(file, format="PNG", **options)
    return file.getvalue()


def jpeg():
    file = io.BytesIO()
    Image.new("L", (MODEL_SIDE, MODEL_SIDE)).save(file, format="JPEG")
    return file.getvalue()


def promising(width, height):
    """A PNG that says it has so many pixels."""
    good = picture()
    return good[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + good[24:]


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
    latent = np.zeros([1, MODEL_SIDE**2], np.float32)
    latent[0, 5] = value
    told = r"latent must be 256 numbers in -100000\.\.100000"
    with pytest.raises(tf.errors.InvalidArgumentError, match=told):
        served("decode", latent=latent, label=np.zeros(1, np.int32))


def test_what_encode_gives_is_accepted(served):
    """Even of images that are no faces."""
    label = np.zeros(4, np.int32)
    noise = np.random.default_rng(0).integers(0, 256, [MODEL_SIDE, MODEL_SIDE, 1], np.uint8)
    stripes = np.where(np.arange(MODEL_SIDE) % 2, 255, 0).astype(np.uint8)
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


def with_gamma(file, gamma):
    """The file with a chunk that names its gamma, behind the header."""
    content = b"gAMA" + int(100_000 * gamma).to_bytes(4, "big")
    at = 8 + 25
    return file[:at] + b"\0\0\0\x04" + content + crc(content) + file[at:]


def crc(content):
    return zlib.crc32(content).to_bytes(4, "big")


def grey_in_16_bits():
    numbers = np.random.default_rng(0).integers(0, 2**16, [MODEL_SIDE, MODEL_SIDE], np.uint16)
    return saved(Image.fromarray(numbers))


def colours_in_16_bits():
    """Pillow reads such files, in 8 bits, but does not write them."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, [MODEL_SIDE, 1 + 6 * MODEL_SIDE], np.uint8)
    rows[:, 0] = 0  # no filter
    header = b"IHDR" + 2 * MODEL_SIDE.to_bytes(4, "big") + bytes([16, 2, 0, 0, 0])
    chunks = (header, b"IDAT" + zlib.compress(rows.tobytes()), b"IEND")
    parts = [(len(one) - 4).to_bytes(4, "big") + one + crc(one) for one in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def palette(colours, **options):
    noise = np.random.default_rng(0).integers(0, colours, [MODEL_SIDE, MODEL_SIDE], np.uint8)
    image = Image.fromarray(noise)
    image.putpalette(np.random.default_rng(1).integers(0, 256, 3 * colours, np.uint8).tobytes())
    return saved(image, **options)


def with_alpha(mode):
    noise = np.random.default_rng(0).integers(0, 256, [MODEL_SIDE, MODEL_SIDE, 4], np.uint8)
    noise[:4, :, 3] = 0  # what is hidden must not become the face
    return saved(Image.fromarray(noise).convert(mode))


KINDS = {
    "grey": picture(mode="L"),
    "colours": picture(mode="RGB"),
    "one bit": picture(mode="1"),
    "palette of 256": picture(mode="P"),
    "palette of 16": palette(16, bits=4),
    "palette of 4": palette(4, bits=2),
    "palette of 2": palette(2, bits=1),
    "palette with a transparent colour": palette(16, bits=4, transparency=3),
    "palette with alpha": palette(16, bits=4, transparency=bytes(range(0, 256, 16))),
    "grey with a transparent one": picture(mode="L", transparency=77),
    "colours with a transparent one": picture(mode="RGB", transparency=(1, 2, 3)),
    "alpha": with_alpha("RGBA"),
    "grey and alpha": with_alpha("LA"),
    "opaque": picture(mode="RGBA"),
    "grey in 16 bits": grey_in_16_bits(),
    "colours in 16 bits": colours_in_16_bits(),
    "gamma": with_gamma(picture(mode="RGB"), 0.25),
    "gamma of a palette": with_gamma(palette(256), 0.25),
}


def by_pillow(file, mode):
    """The pixels that Pillow reads, what is transparent on white."""
    with Image.open(io.BytesIO(file)) as image:
        if image.mode.startswith("I"):  # 16 bits: the upper eight
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        over = image.convert("RGBA")
    white = Image.new("RGBA", over.size, "white")
    white.paste(over, mask=over.getchannel("A"))
    pixels = np.asarray(white.convert("RGB").convert(mode))
    return pixels[..., None] if mode == "L" else pixels


@pytest.mark.parametrize("file", KINDS.values(), ids=KINDS.keys())
def test_every_kind_of_png_has_the_pixels_that_pillow_reads(file):
    for mode, channels in (("L", 1), ("RGB", 3)):
        expected = by_pillow(file, mode)
        assert expected.std() > 10
        shape = (MODEL_SIDE, MODEL_SIDE, channels)
        assert png.has_size([file], MODEL_SIDE, MODEL_SIDE).numpy().all()
        found = png.decoded(tf.constant([file]), shape)[0].numpy()
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["alpha", "palette of 16", "gamma"])
def test_transfer_of_a_file_is_that_of_its_pixels(served, kind):
    """Strength 0 gives back what was read: on white, by the graph itself."""
    given = transfer_inputs(KINDS[kind], strength=np.zeros(1, np.float32))
    (out,) = served("transfer_png", **given)["png_bytes"]
    np.testing.assert_array_equal(tf.io.decode_png(out), by_pillow(KINDS[kind], "L"))


def test_bad_strength(served):
    for value in (np.nan, np.inf, -11):
        changes = {"strength": np.array([value], np.float32)}
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"strength must lie in -10\.\.10"):
            served("transfer_png", **transfer_inputs(good, **changes))


def test_fuzz(served):
    """Thousands of malformed requests: each ends in a status with a sentence, or in pictures."""
    rng = np.random.default_rng(0)
    names = sorted(set(served.signatures) - {"__saved_model_init_op", "serving_default"})
    refused = answered = 0
    for _ in range(FUZZED):
        name = str(rng.choice(names))
        given = {
            one: _fuzzed(rng, one, tf.as_dtype(about.dtype))
            for one, about in served.signatures[name].inputs.items()
        }
        if rng.random() < 0.05:
            del given[str(rng.choice(sorted(given)))]
        try:
            outputs = served(name, **given)
        except tf.errors.InvalidArgumentError as error:
            refused += len(error.message) > 10
        else:
            _check_outputs(outputs)
            answered += 1
    assert refused + answered == FUZZED
    assert refused > FUZZED / 2
    # And it still serves.
    assert served("sample", **sample_inputs())["image"].shape == (2, MODEL_SIDE, MODEL_SIDE, 1)


def _fuzzed(rng, name, dtype):
    """A value as a careless or hostile caller would send it, at times a right one."""
    rows = int(rng.choice([0, 1, 1, 1, 1, 1, 2, 8, 9]))
    row = {
        "seed": [2],
        "condition": [7],
        "image": [MODEL_SIDE, MODEL_SIDE, 1],
        "latent": [MODEL_SIDE**2],
    }.get(name, [])
    shape = [rows, *row]
    if rng.random() < 0.15:
        shape = [int(side) for side in rng.integers(0, 5, rng.integers(0, 6))]
    if rng.random() < 0.05:
        dtype = tf.as_dtype(rng.choice(["int32", "float32", "uint8", "int64", "float64"]))
    if dtype == tf.string:
        return _fuzzed_strings(rng, name, shape)
    if dtype.is_floating:
        scale = rng.choice([0.5, 1, 10, 1e10, 1e38])
        values = rng.normal(size=shape) * scale
        if rng.random() < 0.2 and values.size:
            values.flat[rng.integers(values.size)] = rng.choice([np.nan, np.inf, -np.inf])
        if rng.random() < 0.5:
            values = np.clip(np.abs(values), 0, 1)
        with np.errstate(over="ignore"):
            return values.astype(dtype.as_numpy_dtype)
    high = 7 if rng.random() < 0.8 else 2**31 - 1
    low = 0 if rng.random() < 0.8 or dtype == tf.uint8 else -high
    return rng.integers(low, high, shape).astype(dtype.as_numpy_dtype)


def _fuzzed_strings(rng, name, shape):
    def one():
        if name != "png_bytes":
            return str(
                rng.choice(["happy", "sad", "fear", "", "Happy", "happy\0", "\x00", "é" * 50])
            )
        file = bytearray(good)
        for _ in range(int(rng.choice([0, 1, 3, 30]))):
            file[rng.integers(len(file))] = rng.integers(256)
        if rng.random() < 0.3:
            del file[rng.integers(len(file)) :]
        return bytes(file)

    values = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        values[index] = one()
    return values


def _check_outputs(outputs):
    for name, value in outputs.items():
        if name == "png_bytes":
            images = [tf.io.decode_png(file) for file in value]
            assert all(image.shape == (MODEL_SIDE, MODEL_SIDE, 1) for image in images)
        elif name == "image":
            assert value.shape[1:] == (MODEL_SIDE, MODEL_SIDE, 1)
            assert value.dtype == np.uint8
        else:
            assert np.isfinite(value).all()


def test_descriptions_of_files():
    told = png.described(tf.constant([good, b"", good[:-3], promising(300, 20)])).numpy()
    assert [one.decode() for one in told] == [
        "a PNG of 16x16 pixels",
        "no PNG",
        "a PNG that breaks off",
        "a PNG of 300x20 pixels",
    ]
