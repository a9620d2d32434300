"""Thousands of requests that are wrong in one way each: every one is refused, with a sentence."""

import collections
import re

import numpy as np
import pytest
import tensorflow as tf

from export import png
from tests.export.caller import SEED, Caller
from tests.export.malformed import KINDS
from tests.export.pixels import assert_same_pixels

EACH = 300  # of a kind
LEAST = 3000  # of all kinds together


@pytest.fixture(scope="module")
def right(model, faces):
    """Two requests that are right, and the pictures that the model itself answers."""
    face = faces.images[:1]
    drawing = {
        "label": np.array(["happy"], dtype=object),
        "temperature": np.array([0.7], np.float32),
        "seed": np.array([[SEED, 0]], np.int32),
    }
    changing = {
        "png_bytes": np.array([png.encoded(face[0])], dtype=object),
        "source": np.array(["happy"], dtype=object),
        "target": np.array(["sad"], dtype=object),
        "strength": np.array([1.0], np.float32),
    }
    return [
        ("sample_png", drawing, model.sample("happy", temperature=0.7, seed=SEED)),
        ("transfer_png", changing, model.transfer(face, "happy", "sad", strength=1.0)),
    ]


def test_every_malformed_request_is_refused_and_the_next_right_one_answered(
    served, model, faces, right
):
    caller = Caller(np.random.default_rng(1), model.config.classes, faces.images)
    signatures = {
        name: dict(one.inputs)
        for name, one in served.signatures.items()
        if name not in ("__saved_model_init_op", "serving_default")
    }
    refused, reached = collections.Counter(), collections.defaultdict(set)
    for number in range(EACH):
        for kind, malformed in KINDS.items():
            name, given = request(caller, signatures, malformed)
            with pytest.raises(tf.errors.InvalidArgumentError) as raised:
                served(name, **given)
            assert re.search(malformed.told, raised.value.message), (kind, raised.value.message)
            refused[kind] += 1
            reached[kind].add(name)
        name, given, expected = right[number % len(right)]
        (file,) = served(name, **given)["png_bytes"]
        assert_same_pixels(tf.io.decode_png(file).numpy()[np.newaxis], expected, equal=0.99)
    assert refused == dict.fromkeys(KINDS, EACH)
    assert refused.total() >= LEAST
    for kind, malformed in KINDS.items():  # in every function that it can be sent to
        assert reached[kind] == set(concerned(signatures, malformed))


def concerned(signatures, malformed):
    """Inputs that can be wrong like this, by the functions that have some."""
    found = {
        name: [
            one
            for one, about in sorted(inputs.items())
            if malformed.concerns(one, tf.as_dtype(about.dtype))
        ]
        for name, inputs in sorted(signatures.items())
    }
    return {name: inputs for name, inputs in found.items() if inputs}


def request(caller, signatures, malformed):
    choices = concerned(signatures, malformed)
    name = str(caller.rng.choice(list(choices)))
    given = caller.right_inputs(signatures[name], rows=int(caller.rng.integers(1, 9)))
    names = choices[name] if malformed.all_inputs else [str(caller.rng.choice(choices[name]))]
    for one in names:
        spoilt = malformed.spoil(caller.rng, given.pop(one))
        if spoilt is not None:
            given[one] = spoilt
    return name, given
