"""Thousands of calls of a SavedModel, right and wrong ones: a picture that is right, or a sentence.

What is right is drawn so that the model itself can be asked for the same; what is wrong is wrong in
one or more inputs, as a careless or hostile caller would send it. `test_malformed` sends what is
wrong in one way each, by its kind.
"""

import collections
import re

import numpy as np
import pytest
import tensorflow as tf

from tests.export.caller import NUMBERS, SEED, STRENGTHS, TEMPERATURES, Caller
from tests.export.pixels import assert_same_pixels
from tests.export.png_files import SIDE, by_pillow

CALLS = 2000

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
    "png_bytes must be a PNG of which no part": 0,  # few of so many: `test_malformed` sends them
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
