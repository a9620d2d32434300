"""Every preset gives what its model gives as a SavedModel and as a TFLite file."""

import numpy as np
import pytest

from bplf_tf import BPLF, PRESETS, preset_config
from export.archive import write_saved_model
from export.flatbuffer import flatbuffer
from tests.bplf_tf import flow_checks
from tests.bplf_tf.random_weights import randomise
from tests.export.pixels import assert_same_pixels
from tests.export.served_model import ServedModel

litert = pytest.importorskip("export.litert", reason="needs the extra tflite")

COUNT = 6
SEEDS = np.stack([np.full(COUNT, 3), np.arange(COUNT)], axis=1).astype(np.int32)
TEMPERATURES = np.full(COUNT, 0.7, np.float32)
pytestmark = pytest.mark.slow  # BPLF is exported in the other tests


@pytest.fixture(params=PRESETS)
def model(request):
    """A model away from its start, as training leaves it: a new one says nothing of its labels."""
    config = preset_config(
        request.param, "tiny", image_shape=(8, 8, 1), classes=flow_checks.CLASSES, width=8
    )
    model = BPLF(config)
    model.initialize(flow_checks.images(config, 32), flow_checks.labels(config, 32))
    return randomise(model, scale=0.05)


def test_exports(model, tmp_path):
    write_saved_model(model, tmp_path, most_rows=8)
    with ServedModel(tmp_path) as served:
        check_functions(served, model)
    content, _ = flatbuffer(model, "float32")
    check_functions(litert.TFLiteFile(content), model)
    check_builtin_operations(content)


def check_functions(call, model):
    images = flow_checks.images(model.config, COUNT, seed=1)
    labels = flow_checks.labels(model.config, COUNT).astype(np.int32)
    drawing = {"temperature": TEMPERATURES, "seed": SEEDS}

    expected = model.sample(labels, n=COUNT, temperature=0.7, seed=3)
    assert expected.std() > 5
    assert_same_pixels(call("sample", label=labels, **drawing)["image"], expected, equal=0.99)

    mixture = np.tile(np.array([[0.2, 0.5, 0.3]], np.float32), [COUNT, 1])
    expected = model.sample(mixture, n=COUNT, temperature=0.7, seed=3)
    found = call("sample_condition", condition=mixture, **drawing)["image"]
    assert_same_pixels(found, expected, equal=0.99)

    latent = call("encode", image=images, label=labels)["latent"]
    np.testing.assert_allclose(latent, model.encode(images, labels), atol=1e-3)
    assert_same_pixels(call("decode", latent=latent, label=labels)["image"], images, equal=0.99)

    found = call("log_prob", image=images, label=labels)["bits_per_dim"]
    np.testing.assert_allclose(found, model.bits_per_dim(images, labels), atol=1e-4)

    target, strength = np.full(COUNT, 1, np.int32), np.full(COUNT, 0.8, np.float32)
    expected = model.transfer(images, labels, target, strength=0.8)
    assert (expected != images).any()
    given = {"image": images, "source": labels, "target": target, "strength": strength}
    assert_same_pixels(call("transfer", **given)["image"], expected, equal=0.99)


def check_builtin_operations(content):
    from tensorflow.lite.tools import flatbuffer_utils

    codes = flatbuffer_utils.read_model_from_bytearray(bytearray(content)).operatorCodes
    assert [code.customCode for code in codes if code.customCode] == []
