"""Thousands of calls of a SavedModel, right and wrong ones: a picture that is right, or a sentence.

What is right is drawn so that the model itself can be asked for the same; what is wrong is wrong in
one or more inputs, as a careless or hostile caller would send it.
"""

import collections
import re
import zlib

import numpy as np
import pytest
import tensorflow as tf

from export import png
from tests.export.pixels import assert_same_pixels
from tests.export.png_files import KINDS, SIDE, by_pillow, file_of, split

CALLS = 2000
SEED = 11
NUMBERS = 8  # of the images of that seed
TEMPERATURES = (0.3, 0.7, 1.0)
STRENGTHS = (0.0, 0.5, 1.0, 1.5)

# What a refusal says, and how many of so many calls have to end with it.
REFUSALS = {
    "a call must have 1 to 8 rows": 30,
    "must have the same number of rows": 60,
    r"(label|source|target) must lie in 0\.\.6": 15,
    "(label|source|target) must be one of": 15,
    r"temperature must lie in 0\.\.10": 10,
    r"strength must lie in -10\.\.10": 4,
    "condition must be 7 numbers": 4,
    "latent must be 256 numbers": 4,
    "png_bytes must be a PNG of 16x16": 8,
    "Invalid PNG|PNG data": 1,  # most damage shows in the header before
    "must feed a value": 10,  # and says of which shape
    "(?i)shape": 40,
    "(?i)type": 5,
}


@pytest.fixture(scope="module")
def calls(served, model, faces):
    """All calls with what came of them: (name, inputs, outputs or None, message or None)."""
    rng = np.random.default_rng(0)
    caller = Caller(rng, model.config.classes, faces.images)
    names = sorted(set(served.signatures) - {"__saved_model_init_op", "serving_default"})
    made = []
    for _ in range(CALLS):
        name = str(rng.choice(names))
        given = caller.inputs(served.signatures[name].inputs)
        try:
            made.append((name, given, served(name, **given), None))
        except tf.errors.InvalidArgumentError as error:
            made.append((name, given, None, error.message))
    return made


def answered(calls, *names):
    return [(given, outputs) for name, given, outputs, _ in calls if outputs and name in names]


def test_every_refusal_is_a_sentence_and_every_kind_occurs(calls):
    told = [message for *_, message in calls if message is not None]
    kinds = collections.Counter()
    for message in told:
        kind = next((one for one in REFUSALS if re.search(one, message)), None)
        assert kind is not None, f"unknown refusal: {message}"
        kinds[kind] += 1
    few = {kind: kinds[kind] for kind, least in REFUSALS.items() if kinds[kind] < least}
    assert not few, kinds


def test_what_is_answered_is_whole(calls):
    outputs = collections.Counter(name for name, _, outputs, _ in calls if outputs)
    assert sum(outputs.values()) > 0.4 * CALLS
    assert len(outputs) == 8
    assert min(outputs.values()) > 0.02 * CALLS, outputs
    for _, given, found, _ in calls:
        for name, value in (found or {}).items():
            assert len(value) == len(next(iter(given.values())))
            if name == "png_bytes":
                assert all(tf.io.decode_png(file).shape == (SIDE, SIDE, 1) for file in value)
            elif name == "image":
                assert value.shape[1:] == (SIDE, SIDE, 1)
                assert value.dtype == np.uint8
            else:
                assert np.isfinite(value).all()


def test_samples_are_the_models(calls, model):
    """Of every answered call whose image `model.sample` can be asked for."""
    classes = model.config.classes
    expected = {
        temperature: np.stack(
            [model.sample(c, n=NUMBERS, temperature=temperature, seed=SEED) for c in classes]
        )
        for temperature in TEMPERATURES
    }
    found, wanted = [], []
    for given, outputs in answered(calls, "sample", "sample_png"):
        labels = numbers_of(given["label"], classes)
        images = images_of(outputs)
        for row, (label, temperature, seed) in enumerate(
            zip(labels, given["temperature"], given["seed"], strict=True)
        ):
            drawn = next((one for one in TEMPERATURES if np.float32(one) == temperature), None)
            if drawn is not None and seed[0] == SEED and 0 <= seed[1] < NUMBERS:
                found.append(images[row])
                wanted.append(expected[drawn][label, seed[1]])
    assert len(found) > 300
    assert_same_pixels(np.stack(found), np.stack(wanted))


def test_transfers_are_the_models(calls, model):
    """Of every answered call whose strength `model.transfer` can be asked for."""
    classes = model.config.classes
    rows = collections.defaultdict(list)
    for given, outputs in answered(calls, "transfer", "transfer_png"):
        sources, targets = (numbers_of(given[name], classes) for name in ("source", "target"))
        pictures = given["image"] if "image" in given else read(given["png_bytes"])
        for *row, strength in zip(
            pictures, sources, targets, images_of(outputs), given["strength"], strict=True
        ):
            if float(strength) in STRENGTHS:
                rows[float(strength)].append(row)
    assert set(rows) == set(STRENGTHS)
    assert sum(map(len, rows.values())) > 300
    for strength, some in rows.items():
        pictures, sources, targets, found = (np.stack(one) for one in zip(*some, strict=True))
        expected = model.transfer(pictures, sources, targets, strength=strength)
        assert_same_pixels(found, expected, equal=0.995)


def test_it_still_serves(calls, served, model):
    given = {
        "label": np.array([3], np.int32),
        "temperature": np.array([0.7], np.float32),
        "seed": np.array([[SEED, 0]], np.int32),
    }
    image = served("sample", **given)["image"]
    assert_same_pixels(image, model.sample("happy", temperature=0.7, seed=SEED))


def numbers_of(labels, classes):
    if labels.dtype != object:
        return labels
    return np.array(
        [classes.index(one.decode() if isinstance(one, bytes) else one) for one in labels]
    )


def images_of(outputs):
    if "image" in outputs:
        return outputs["image"]
    return np.stack([tf.io.decode_png(file).numpy() for file in outputs["png_bytes"]])


def read(files):
    return np.stack([by_pillow(file, "L") for file in files])


class Caller:
    """Draws the inputs of calls, right in most."""

    def __init__(self, rng, classes, images):
        self.rng, self.classes, self.images = rng, classes, images[:64]

    def inputs(self, wanted):
        """Of a signature's inputs: all right in six of ten calls."""
        rows = int(self.rng.choice([1, 1, 1, 2, 2, 3, 8]))
        if self.chance(0.04):
            rows = int(self.rng.choice([0, 9]))
        careful = self.chance(0.6)
        given = {}
        for name, about in sorted(wanted.items()):  # a map's own order changes
            dtype = tf.as_dtype(about.dtype)
            of_its_own = not careful and self.chance(0.1)
            count = int(self.rng.integers(0, 10)) if of_its_own else rows
            value = self.right(name, dtype, count)
            wrong = not careful and self.chance(0.8 if name == "png_bytes" else 0.3)
            given[name] = self.wrong(name, dtype, value) if wrong else value
        if not careful and self.chance(0.1):
            del given[str(self.rng.choice(sorted(given)))]
        return given

    def chance(self, share):
        return self.rng.random() < share

    def right(self, name, dtype, rows):
        rng = self.rng
        if name == "png_bytes":
            return objects([self.file() for _ in range(rows)])
        if dtype == tf.string:
            return objects(rng.choice(self.classes, rows).tolist())
        if name == "temperature":
            some = rng.choice(TEMPERATURES, rows) if self.chance(0.8) else rng.uniform(0, 10, rows)
            return some.astype(np.float32)
        if name == "strength":
            some = rng.choice(STRENGTHS, rows) if self.chance(0.8) else rng.uniform(-10, 10, rows)
            return some.astype(np.float32)
        if name == "seed":
            if self.chance(0.8):
                return np.stack(
                    [np.full(rows, SEED), rng.integers(0, NUMBERS, rows)], axis=1
                ).astype(np.int32)
            return rng.integers(-(2**31), 2**31, [rows, 2]).astype(np.int32)
        if name == "condition":
            return rng.dirichlet(np.ones(7), rows).astype(np.float32).reshape(rows, 7)
        if name == "latent":
            return rng.normal(size=[rows, SIDE**2]).astype(np.float32)
        if name == "image":
            return self.images[rng.integers(len(self.images), size=rows)]
        return rng.integers(0, 7, rows).astype(np.int32)

    def file(self):
        if self.chance(0.2):
            return KINDS[str(self.rng.choice(sorted(KINDS)))]
        return png.encoded(self.images[self.rng.integers(len(self.images))])

    def wrong(self, name, dtype, value):
        """Of another shape or type, or with values that are not accepted; by chance still right."""
        rng = self.rng
        if self.chance(0.15):
            shape = [int(side) for side in rng.integers(0, 5, rng.integers(0, 6))]
            if not value.size:  # NumPy would fill strings with the integer 0
                return np.full(shape, b"" if value.dtype == object else 0, value.dtype)
            return np.resize(value, shape)
        if self.chance(0.1) and dtype != tf.string:
            return value.astype(str(rng.choice(["float32", "int64", "float64", "bool"])))
        if name == "png_bytes":
            return objects([self.damaged(file) for file in value])
        value = value.copy()
        if not value.size:
            return value
        at = np.unravel_index(rng.integers(value.size), value.shape)
        if dtype == tf.string:
            value[at] = str(rng.choice(["", "Happy", "happy\0", "hapy", "\x00", "é" * 50]))
        elif dtype.is_floating:
            some = (np.nan, np.inf, -np.inf, -11, 1e6, 1e10, -1e38)
            value[at] = rng.choice(some)
        elif dtype == tf.int32:
            value[at] = rng.choice([-1, 7, 100, 2**31 - 1, -(2**31)])
        return value

    def damaged(self, file):
        """Bytes changed or cut off anywhere; or inside of chunks, whose checksums are right."""
        rng = self.rng
        kind = rng.integers(4)
        if kind == 0:
            changed = bytearray(file)
            for _ in range(int(rng.choice([1, 3, 30]))):
                changed[rng.integers(len(changed))] = rng.integers(256)
            return bytes(changed)
        if kind == 1:
            return file[: rng.integers(len(file))]
        header, *chunks, end = split(file)
        if kind == 2:  # behind the header
            number = rng.integers(len(chunks))
            content = bytearray(chunks[number])
            for _ in range(int(rng.choice([1, 3, 30]))):
                content[rng.integers(4, len(content))] = rng.integers(256)
            chunks[number] = bytes(content)
        elif self.chance(0.5):  # rows that are missing, in a stream that is whole
            rows = zlib.decompress(b"".join(one[4:] for one in chunks if one[:4] == b"IDAT"))
            chunks = [b"IDAT" + zlib.compress(rows[: rng.integers(len(rows))])]
        else:
            chunks = [chunks[i] for i in rng.integers(0, len(chunks), rng.integers(0, 4))]
        return file_of(header, *chunks, end)


def objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
