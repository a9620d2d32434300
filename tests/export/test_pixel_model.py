"""The exports of a pixel model give what `PixelSynthesis.transform` gives, or a sentence."""

import json

import numpy as np
import pytest
import tensorflow as tf

from bplf_tf import EMOTIONS, PixelSynthesis
from datasets.flags import UserError
from datasets.pairs import load_pairs
from export import archive, png, saved_model, tflite
from export.flatbuffer import flatbuffer
from export.pixel_signatures import labels_of, strengths_of
from export.saved_model import SavedModelSettings
from export.tflite import PRECISIONS, TFLiteSettings
from tests.export.pixels import assert_same_pixels
from tests.export.served_model import ServedModel

litert = pytest.importorskip("export.litert", reason="needs the extra tflite")

VARIANTS = {
    "one pixel": {},
    "not invertible": {"invertible": False},
    "window, one set of weights for all channels": {"window": 3, "shared_channels": True},
    "polynomial": {"kernel": "polynomial", "degree": 3},
    "rbf": {"kernel": "rbf", "centres": 4},
}
LABELS = ("happy", "neutral", "sad", "surprise")


def fitted(channels=1, **options):
    """Of three expressions; and faces that it was not fitted to."""
    train, test = (
        load_pairs("drawn_faces", split, image_size=16, channels=channels, people=12)
        for split in ("train", "test")
    )
    parts = {name: train.of(name) for name in LABELS if name != "neutral"}
    model = PixelSynthesis(**options).fit(
        {name: part.neutral for name, part in parts.items()},
        {name: part.expressive for name, part in parts.items()},
        pairs_checked=True,
    )
    return model, test.of("happy").neutral[:6]


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS.keys())
def variant(request):
    channels = 3 if request.param.get("shared_channels") else 1
    return fitted(channels, **request.param)


@pytest.fixture(scope="module")
def model():
    return fitted()[0]


@pytest.fixture(scope="module")
def images():
    return fitted()[1]


@pytest.fixture(scope="module")
def model_file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("pixel") / "pixel.npz"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def folder(model_file, tmp_path_factory):
    """As the command writes it, with at most eight rows in a call."""
    out = tmp_path_factory.mktemp("models") / "pixel" / "1"
    settings = SavedModelSettings(model=str(model_file), out=str(out), most_rows=8)
    assert saved_model.main(settings) == 0
    return out


@pytest.fixture(scope="module")
def served(folder):
    with ServedModel(folder) as loaded:
        yield loaded


TARGETS = np.array([0, 1, 2, 3, 2, 0], np.int32)
STRENGTHS = np.array([1.0, 1.0, 0.4, 0.75, 0.0, 0.2], np.float32)


def expected_of(model, images):
    """What the model itself makes of each image."""
    return np.concatenate(
        [
            model.transform(image[np.newaxis], LABELS[target], float(strength))
            for image, target, strength in zip(images, TARGETS, STRENGTHS, strict=True)
        ]
    )


def test_a_saved_model_of_every_kind(variant, tmp_path):
    model, images = variant
    assert labels_of(model) == LABELS
    expected = expected_of(model, images)
    assert (expected != images).mean() > 0.3
    assert np.array_equal(expected[[1, 4]], images[[1, 4]])  # neutral, and strength 0
    archive.write_saved_model(model, tmp_path, most_rows=8)
    with ServedModel(tmp_path) as served:
        found = served("transform", image=images, target=TARGETS, strength=STRENGTHS)["image"]
        assert_same_pixels(found, expected)
        files = served(
            "transform_png",
            png_bytes=np.array([png.encoded(image) for image in images], dtype=object),
            target=np.array(LABELS, dtype=object)[TARGETS],
            strength=STRENGTHS,
        )["png_bytes"]
        assert_same_pixels(np.stack([tf.io.decode_png(file) for file in files]), expected)


def test_a_tflite_file_of_every_kind(variant):
    model, images = variant
    content, exported = flatbuffer(model, "float32")
    assert [one.name for one in exported] == ["transform"]
    file = litert.TFLiteFile(content)
    for count in (6, 1):
        found = file(
            "transform",
            image=images[:count],
            target=TARGETS[:count],
            strength=STRENGTHS[:count],
        )["image"]
        assert_same_pixels(found, expected_of(model, images)[:count])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_tflite_files_of_the_command(precision, model, model_file, images, tmp_path):
    from tensorflow.lite.tools import flatbuffer_utils

    out = tmp_path / "pixel.tflite"
    settings = TFLiteSettings(model=str(model_file), out=str(out), precision=precision)
    assert tflite.main(settings) == 0
    found = litert.TFLiteFile(out)("transform", image=images, target=TARGETS, strength=STRENGTHS)[
        "image"
    ]
    allowed = {"float32": (1, 0.999), "float16": (1, 0.95), "dynamic_int8": (4, 0.3)}[precision]
    assert_same_pixels(found, expected_of(model, images), *allowed)
    content = flatbuffer_utils.read_model(str(out))
    assert not [code.customCode for code in content.operatorCodes if code.customCode]
    held = sum(len(bytes(one.data)) for one in content.buffers if one.data is not None)
    # Neutral has a row of zeros beside those of the three expressions.
    assert held < 1.2 * model.size_bytes * 4 / 3
    description = json.loads(out.with_suffix(".json").read_text())
    assert (description["kind"], description["precision"]) == ("pixel_model", precision)


def test_what_tflite_cannot_accept_comes_back_blank(model, images):
    file = litert.TFLiteFile(flatbuffer(model, "float32")[0])
    found = file(
        "transform",
        image=images[:5],
        target=np.array([0, 4, -1, 0, 0], np.int32),
        strength=np.array([1, 1, 1, np.nan, 7], np.float32),
    )["image"]
    assert found[0].any()
    assert not found[1:].any()


@pytest.fixture(scope="module")
def of_all_labels():
    pairs = load_pairs("drawn_faces", "train", image_size=16, people=7)
    parts = {name: pairs.of(name) for name in pairs.expressions}
    model = PixelSynthesis().fit(
        {name: part.neutral for name, part in parts.items()},
        {name: part.expressive for name, part in parts.items()},
        pairs_checked=True,
    )
    assert labels_of(model) == EMOTIONS
    return model, parts["happy"].neutral[:1]


@pytest.mark.parametrize("rows", [None, 1])
def test_float16_is_about_half_of_float32(rows, of_all_labels):
    """Tables that are looked up would be in float32 in either file."""
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow.lite.tools import flatbuffer_utils

    model, _ = of_all_labels
    held = {}
    for precision in ("float32", "float16"):
        content, _ = flatbuffer(model, precision, rows=rows)
        parsed = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
        operations = {code.builtinCode for code in parsed.operatorCodes}
        assert schema.BuiltinOperator.EMBEDDING_LOOKUP not in operations
        held[precision] = sum(
            len(bytes(one.data)) for one in parsed.buffers if one.data is not None
        )
    assert held["float16"] < 0.6 * held["float32"]


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_one_row_of_every_label_in_tflite(precision, of_all_labels):
    model, images = of_all_labels
    file = litert.TFLiteFile(flatbuffer(model, precision, rows=1)[0])
    given = {"image": images, "strength": np.ones(1, np.float32)}
    for label, name in enumerate(EMOTIONS):
        found = file("transform", target=np.array([label], np.int32), **given)["image"]
        allowed = {"float32": (1, 0.999), "float16": (1, 0.95)}[precision]
        assert_same_pixels(found, model.transform(images, name), *allowed)
    for label in (-1, 7, 2**31 - 1, -(2**31)):
        assert not file("transform", target=np.array([label], np.int32), **given)["image"].any()


def test_seven_labels_in_tflite(of_all_labels):
    model, images = of_all_labels
    found = litert.TFLiteFile(flatbuffer(model, "float32")[0])(
        "transform",
        image=np.repeat(images, 9, axis=0),
        target=np.array([*range(7), 7, -1], np.int32),
        strength=np.ones(9, np.float32),
    )["image"]
    expected = np.concatenate([model.transform(images, name) for name in EMOTIONS])
    assert_same_pixels(found[:7], expected)
    assert not found[7:].any()


def test_functions_and_card(served, folder, model):
    names = set(served.signatures) - {"__saved_model_init_op", "serving_default"}
    assert names == {"transform", "transform_png"}
    assert set(served.signatures["serving_default"].inputs) == {"image", "target", "strength"}
    description = json.loads((folder / "model.json").read_text())
    assert description["kind"] == "pixel_model"
    assert description["labels"] == list(LABELS)
    assert description["image_shape"] == [16, 16, 1]
    assert description["parameters"] == model.parameters
    assert description["strengths"] == list(strengths_of(model))
    assert description["data"] == description["data_licence"] == "not known"
    card = (folder / "model_card.md").read_text()
    assert "A pixel model, the regression of each pixel" in card
    assert "0 happy, 1 neutral, 2 sad, 3 surprise" in card
    assert "trainers.synthesis" in card


def test_a_flow_beside_it_does_not_lend_it_its_data(model, model_file, folder, tmp_path):
    beside = tmp_path / "pixel.npz"
    beside.write_bytes(model_file.read_bytes())
    provenance = {"source": "faces", "licence": "ask the authors"}
    (tmp_path / "config.json").write_text(json.dumps({"data": {"train": provenance}}))
    out = tmp_path / "pixel.tflite"
    settings = TFLiteSettings(model=str(beside), out=str(out), data="drawn faces")
    assert tflite.main(settings) == 0
    description = json.loads(out.with_suffix(".json").read_text())
    assert description["data"] == "drawn faces"
    assert description["data_licence"] == "not known"


def test_warm_up_requests_are_accepted(served, folder):
    pytest.importorskip("tensorflow_serving")
    from tensorflow_serving.apis import prediction_log_pb2

    file = folder / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(file)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        given = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        served(request.model_spec.signature_name, **given)


def refused(served, message, name="transform", **changes):
    given = {
        "image": np.full([1, 16, 16, 1], 128, np.uint8),
        "target": np.array([0], np.int32),
        "strength": np.array([1.0], np.float32),
    }
    if name == "transform_png":
        del given["image"]
        given["png_bytes"] = np.array([png.encoded(np.zeros((16, 16, 1), np.uint8))], dtype=object)
        given["target"] = np.array(["happy"], dtype=object)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served(name, **{**given, **changes})


def test_bad_input_ends_in_a_sentence(served, model):
    low, high = strengths_of(model)
    assert -10 <= low < 0 < 1 <= high <= 10
    for strength in (low - 0.1, high + 0.1, np.nan, np.inf):
        refused(
            served,
            rf"strength must lie in {low:.6g}\.\.{high:.6g}, got",
            strength=np.array([strength], np.float32),
        )
    refused(
        served,
        r"target must lie in 0\.\.3 \(0 happy, .*3 surprise\), got.*4",
        target=np.array([4], np.int32),
    )
    refused(served, "shape", image=np.zeros([1, 16, 15, 1], np.uint8))
    refused(served, "same number of rows", strength=np.ones(2, np.float32))
    refused(
        served,
        "must be one of happy, neutral, sad, surprise.*got.*joy",
        "transform_png",
        target=np.array(["joy"], dtype=object),
    )
    other = png.encoded(np.zeros((16, 24, 1), np.uint8))
    refused(
        served,
        "a PNG of 16x16 pixels.*got.*24x16",
        "transform_png",
        png_bytes=np.array([other], dtype=object),
    )


def test_files_that_hold_no_pixel_model(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(UserError, match=r"other\.npz is not a pixel model"):
        tflite.main(
            TFLiteSettings(model=str(tmp_path / "other.npz"), out=str(tmp_path / "a.tflite"))
        )
    with pytest.raises(ValueError, match="has not been fitted"):
        flatbuffer(PixelSynthesis(), "float32")
