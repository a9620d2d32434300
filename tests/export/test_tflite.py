"""The TFLite file gives what the model gives, in each precision, and says what it is."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from bplf_tf import BPLF, ModelConfig
from datasets.files import WriteError
from datasets.flags import UserError
from export import report, tflite
from export.compaction import compact
from export.flatbuffer import flatbuffer
from export.report import ReportSettings
from export.tflite import PRECISIONS, TFLiteSettings
from tests.bplf_tf.random_weights import randomise
from tests.checkout import ROOT
from tests.export.pixels import assert_same_pixels

litert = pytest.importorskip("export.litert", reason="needs the extra tflite")

COUNT = 7
SEEDS = np.stack([np.full(COUNT, 3), np.arange(COUNT)], axis=1).astype(np.int32)
LABELS = np.arange(COUNT, dtype=np.int32)
TEMPERATURES = np.full(COUNT, 0.7, np.float32)
NAMES = {"sample", "sample_condition", "log_prob", "encode", "decode", "transfer"}


@pytest.fixture(scope="module")
def paths(model_file, tmp_path_factory):
    """The file of each precision, written by the command.

    Beside it, ending in `.large`, lies what it was before it was made small.
    """
    folder = tmp_path_factory.mktemp("tflite")
    written = {precision: folder / f"{precision}.tflite" for precision in PRECISIONS}
    for precision, out in written.items():

        def compact_of_what_is_kept(content, out=out):
            kept = flatbuffer_utils.convert_object_to_bytearray(content)
            out.with_suffix(".large").write_bytes(kept)
            return compact(content)

        settings = TFLiteSettings(model=str(model_file), out=str(out), precision=precision)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("export.flatbuffer.compact", compact_of_what_is_kept)
            assert tflite.main(settings) == 0
    return written


@pytest.fixture(scope="module", params=PRECISIONS)
def precision(request):
    return request.param


@pytest.fixture(scope="module")
def file(paths, precision):
    return litert.TFLiteFile(paths[precision])


def allowed(precision):
    """Largest difference in grey levels and least share of equal pixels."""
    return {"float32": (1, 0.999), "float16": (1, 0.985), "dynamic_int8": (4, 0.7)}[precision]


def test_samples(file, precision, model):
    expected = model.sample(LABELS, n=COUNT, temperature=0.7, seed=3)
    given = {"temperature": TEMPERATURES, "seed": SEEDS}
    assert_same_pixels(
        file("sample", label=LABELS, **given)["image"], expected, *allowed(precision)
    )
    one_hot = np.eye(COUNT, dtype=np.float32)
    mixed = file("sample_condition", condition=one_hot, **given)["image"]
    assert_same_pixels(mixed, expected, *allowed(precision))


def test_any_batch(file, precision, model):
    for count in (1, 3, 1):
        expected = model.sample("happy", n=count, temperature=0.7, seed=3)
        image = file(
            "sample",
            label=np.full(count, 3, np.int32),
            temperature=TEMPERATURES[:count],
            seed=SEEDS[:count],
        )["image"]
        assert_same_pixels(image, expected, *allowed(precision))


def test_likelihoods_and_latents(file, precision, model, faces):
    images, labels = faces.images[:COUNT], faces.labels[:COUNT]
    tolerance = {"float32": 1e-5, "float16": 2e-4, "dynamic_int8": 0.01}[precision]
    bits = file("log_prob", image=images, label=labels)["bits_per_dim"]
    np.testing.assert_allclose(bits, model.bits_per_dim(images, labels), atol=tolerance)
    latent = file("encode", image=images, label=labels)["latent"]
    decoded = file("decode", latent=latent, label=labels)["image"]
    # Both ways have the same weights, whatever they were rounded to.
    assert_same_pixels(decoded, images, *((1, 0.98) if precision == "dynamic_int8" else (0, 1)))


def test_transfer(file, precision, model, faces):
    images, labels = faces.images[:COUNT], faces.labels[:COUNT]
    target, strength = np.full(COUNT, 3, np.int32), np.full(COUNT, 0.8, np.float32)
    moved = file("transfer", image=images, source=labels, target=target, strength=strength)
    expected = model.transfer(images, labels, target, strength=0.8)
    assert_same_pixels(moved["image"], expected, *allowed(precision))


def test_making_it_small_changes_no_bit(file, paths, precision, faces):
    """Every function gives what it gave in the file of the converter, blank rows included."""
    before = litert.TFLiteFile(paths[precision].with_suffix(".large").read_bytes())
    assert set(before.names) == set(file.names) == NAMES
    image, labels = faces.images[:COUNT], faces.labels[:COUNT].astype(np.int32)
    drawing = {"temperature": np.array([0.5, 0.7, 1, 0, 11, 2, 10], np.float32), "seed": SEEDS}
    rng = np.random.default_rng(0)
    calls = {
        "sample": {"label": np.array([0, 1, 2, 3, 4, 7, 6], np.int32), **drawing},
        "sample_condition": {"condition": rng.normal(size=[7, 7]).astype(np.float32), **drawing},
        "log_prob": {"image": image, "label": labels},
        "encode": {"image": image, "label": labels},
        "decode": {"latent": rng.normal(size=[7, 256]).astype(np.float32), "label": labels},
        "transfer": {
            "image": image,
            "source": labels,
            "target": LABELS,
            "strength": np.linspace(-1, 1.5, COUNT, dtype=np.float32),
        },
    }
    assert set(calls) == NAMES
    for name, given in calls.items():
        expected, found = before(name, **given), file(name, **given)
        assert set(expected) == set(found)
        for output, values in expected.items():
            assert values.any()
            assert found[output].dtype == values.dtype
            assert found[output].tobytes() == values.tobytes()


def test_what_is_not_accepted_comes_back_blank(file):
    """An interpreter cannot raise; a row that is wrong must not pass for a picture."""
    image = file(
        "sample",
        label=np.array([1, 7, -1, 1, 1], np.int32),
        temperature=np.array([0.7, 0.7, 0.7, np.nan, 11], np.float32),
        seed=SEEDS[:5],
    )["image"]
    assert image[0].any()
    assert not image[1:].any()
    images = np.full([2, 16, 16, 1], 128, np.uint8)
    found = file("log_prob", image=images, label=np.array([1, 9], np.int32))
    assert np.isfinite(found["bits_per_dim"][0])
    assert np.isnan(found["bits_per_dim"][1])
    assert np.isnan(found["log_prob"][1])
    latent = np.zeros([3, 256], np.float32)
    latent[1, 3], latent[2, 3] = np.inf, 1e6
    image = file("decode", latent=latent, label=LABELS[:3])["image"]
    assert image[0].any()
    assert not image[1:].any()
    condition = np.eye(7, dtype=np.float32)[:3]
    condition[1, 3], condition[2, 3] = np.nan, -1e6
    given = {"temperature": TEMPERATURES[:3], "seed": SEEDS[:3]}
    image = file("sample_condition", condition=condition, **given)["image"]
    assert image[0].any()
    assert not image[1:].any()


def test_files(paths, model):
    for path in paths.values():
        content = flatbuffer_utils.read_model(str(path))
        assert {one.signatureKey.decode() for one in content.signatureDefs} == NAMES
        assert not [code.customCode for code in content.operatorCodes if code.customCode]
        # Weights are shared: no two buffers are equal, and together they are about the model.
        held = [bytes(one.data) for one in content.buffers if one.data is not None]
        assert len(held) == len(set(held))
        assert sum(map(len, held)) < 1.2 * 4 * model.count_params()
        description = json.loads(path.with_suffix(".json").read_text())
        assert description["labels"] == list(model.config.classes)
        assert description["precision"] == path.stem
        assert set(description["signatures"]) == NAMES
        assert "3 happy" in path.with_name(f"{path.stem}_card.md").read_text()
        assert path.stat().st_size < path.with_suffix(".large").stat().st_size / 2
    sizes = {name: path.stat().st_size for name, path in paths.items()}
    assert sizes["dynamic_int8"] < sizes["float16"] < sizes["float32"]


def test_what_is_in_float16(paths):
    """Weights of the networks and tables; not the flow's own matrices, scales and shifts."""
    content = flatbuffer_utils.read_model(str(paths["float16"]))
    numbers = {schema.TensorType.FLOAT16: [], schema.TensorType.FLOAT32: []}
    for tensor in content.subgraphs[0].tensors:  # all functions have the same
        if tensor.buffer and tensor.type in numbers:
            numbers[tensor.type].append(np.prod(tensor.shape, dtype=int))
    halved, whole = numbers.values()
    assert min(halved) >= 1024
    assert max(whole) < 1024
    assert sum(halved) > 0.8 * sum(whole + halved)
    # It would allow interpreters to compute in float16 too.
    assert b"reduced_precision_support" not in [one.name for one in content.metadata]


def test_a_model_without_labels(model_without_labels):
    model = model_without_labels
    content, _ = flatbuffer(model, "float32")
    file = litert.TFLiteFile(content)
    assert set(file.names) == {"sample", "log_prob", "encode", "decode"}
    image = file("sample", temperature=TEMPERATURES[:2], seed=SEEDS[:2])["image"]
    expected = model.sample(n=2, temperature=0.7, seed=3)
    assert expected.std() > 10
    assert_same_pixels(image, expected, equal=0.99)


def test_calls_of_one_row(model):
    """Labels are not looked up: beyond the tables that fails, and it needs them in float32."""
    content, _ = flatbuffer(model, "float16", rows=1)
    parsed = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    operations = {code.builtinCode for code in parsed.operatorCodes}
    assert schema.BuiltinOperator.EMBEDDING_LOOKUP not in operations
    largest = max(
        np.prod(tensor.shape, dtype=int)
        for tensor in parsed.subgraphs[0].tensors
        if tensor.buffer
        and tensor.type == schema.TensorType.FLOAT32
        and parsed.buffers[tensor.buffer].data is not None
    )
    assert largest < 1024
    file = litert.TFLiteFile(content)
    expected = model.sample(LABELS, n=COUNT, temperature=0.7, seed=3)
    for label in range(COUNT):
        given = {"temperature": TEMPERATURES[:1], "seed": SEEDS[label : label + 1]}
        image = file("sample", label=np.array([label], np.int32), **given)["image"]
        assert_same_pixels(image, expected[label : label + 1], *allowed("float16"))
    for label in (-1, 7, 2**31 - 1, -(2**31)):
        wrong = np.array([label], np.int32)
        assert not file("sample", label=wrong, **given)["image"].any()
        pixels = np.full([1, 16, 16, 1], 128, np.uint8)
        assert np.isnan(file("log_prob", image=pixels, label=wrong)["bits_per_dim"]).all()


def test_a_first_layer_that_sees_the_label():
    config = ModelConfig(
        image_shape=(8, 8, 1), classes=("a", "b"), levels=1, depth=1, width=4, pixel_affine=True
    )
    model = randomise(BPLF(config), scale=0.3)
    content, _ = flatbuffer(model, "float32")
    images = np.random.default_rng(0).integers(60, 190, (3, 8, 8, 1), np.uint8)
    source, target = np.array([0, 1, 0], np.int32), np.array([1, 0, 1], np.int32)
    expected = model.transfer(images, source, target, strength=0.7)
    assert (expected != images).mean() > 0.5
    found = litert.TFLiteFile(content)(
        "transfer",
        image=images,
        source=source,
        target=target,
        strength=np.full(3, 0.7, np.float32),
    )
    assert_same_pixels(found["image"], expected, equal=0.98)


def test_what_tflite_cannot_do():
    config = ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4, svd_protocol="bijector")
    with pytest.raises(ValueError, match="export a SavedModel"):
        flatbuffer(BPLF(config), "float32")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "int4"}, "--precision must be one of float16, float32, dynamic_int8"),
        ({"out": "bplf.bin"}, r"must end in \.tflite"),
        ({"out": "nowhere/bplf.tflite"}, "there is no folder nowhere"),
        ({"model": "none.keras"}, "no model at none.keras"),
        ({"model": None}, "--model is required"),
    ],
)
def test_users_mistakes(model_file, changes, message):
    with pytest.raises(UserError, match=message):
        tflite.main(TFLiteSettings(**{"model": str(model_file), **changes}))


def mistake(message, **given):
    with pytest.raises(UserError, match=message):
        tflite.main(TFLiteSettings(**given))


def test_nothing_that_is_there_is_replaced_unasked(model_file, tmp_path):
    """Neither a file of before, nor what else has the name of a description."""
    out = tmp_path / "small.tflite"
    given = {"model": str(model_file), "out": str(out)}
    for name in ("small.tflite", "small_card.md"):
        (tmp_path / name).write_text("mine")
        mistake(f"{name} is there already: give --overwrite", **given)
        (tmp_path / name).unlink()
    of_ours = '{"format": "TFLite, weights in float32"}'
    (tmp_path / "small.json").write_text(of_ours)
    mistake(r"small\.json is there already: give --overwrite", **given)
    for other in ('{"settings": {}}', '{"format": "Keras file"}', "[]", "no JSON", ""):
        (tmp_path / "small.json").write_text(other)
        for overwrite in (False, True):
            mistake("describes no TFLite file: choose another name", overwrite=overwrite, **given)
        assert (tmp_path / "small.json").read_text() == other
    assert [path.name for path in tmp_path.iterdir()] == ["small.json"]


@pytest.fixture
def quick(monkeypatch):
    """Converting takes long, and is tested elsewhere."""
    monkeypatch.setattr("export.flatbuffer.flatbuffer", lambda *_: (b"new", []))


def test_overwrite(model_file, tmp_path, quick):
    out = tmp_path / "small.tflite"
    given = {"model": str(model_file), "out": str(out)}
    assert tflite.main(TFLiteSettings(**given)) == 0
    names = {"small.tflite", "small.json", "small_card.md"}
    assert {path.name for path in tmp_path.iterdir()} == names
    for name in names:
        with (tmp_path / name).open("a") as file:
            file.write("\n\n")  # which JSON allows
    mistake("give --overwrite", **given)
    assert tflite.main(TFLiteSettings(**given, overwrite=True)) == 0
    assert {path.name for path in tmp_path.iterdir()} == names
    assert not any((tmp_path / name).read_text().endswith("\n\n") for name in names)


@pytest.mark.parametrize("name", ["small.tflite", "small.json", "small_card.md"])
def test_file_and_description_are_written_together_or_not(
    name, model_file, tmp_path, quick, monkeypatch
):
    write_bytes = Path.write_bytes

    def full_disk(path, content):
        if name.partition(".")[0] in path.name and path.suffix == Path(name).suffix:
            write_bytes(path, content[:1])
            raise OSError(28, os.strerror(28))
        return write_bytes(path, content)

    given = {"model": str(model_file), "out": str(tmp_path / "small.tflite")}
    assert tflite.main(TFLiteSettings(**given, precision="float32")) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(WriteError, match=rf"^could not write \S*/{name}: No space left"):
        tflite.main(TFLiteSettings(**given, overwrite=True))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.slow
def test_report(model, faces, paths, monkeypatch):
    monkeypatch.setattr(  # converting takes long, and is tested above
        "export.flatbuffer.flatbuffer", lambda _, precision: (paths[precision].read_bytes(), [])
    )
    settings = ReportSettings(model="unused", images=8, repeats=2)
    text = report.report(model, faces, settings)
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    rows = {name: cells for name, *cells in lines[2:]}
    assert list(rows) == ["SavedModel", *PRECISIONS]
    whole = paths["float32"].stat().st_size
    for name, (size, of_float32, milliseconds, _, equal, largest, change, _) in rows.items():
        assert float(milliseconds) > 0
        precision = "float32" if name == "SavedModel" else name
        most, least = allowed(precision)
        assert int(largest) <= most
        assert float(equal.removesuffix(" %")) >= 100 * least
        tolerance = {"float32": 1e-5, "float16": 2e-4, "dynamic_int8": 0.01}[precision]
        assert abs(float(change)) <= tolerance
        if name != "SavedModel":
            bytes_written = paths[name].stat().st_size
            assert float(size) == pytest.approx(bytes_written / 1e6, abs=0.006)
            assert float(of_float32) == pytest.approx(bytes_written / whole, abs=6e-4)
            assert re.fullmatch(r"\d\.\d{3}", of_float32)
    assert float(rows["dynamic_int8"][4].removesuffix(" %")) < 99.9  # it is not one file thrice


def test_the_lines_for_phones_name_what_is_in_the_files(paths):
    """Names of functions, inputs, outputs and keys in the Kotlin and Swift of the README."""
    text = (ROOT / "export" / "android" / "README.md").read_text()
    card = json.loads(paths["float16"].with_suffix(".json").read_text())
    blocks = dict(re.findall(r"^```(kotlin|swift)\n(.*?)^```$", text, re.M | re.S))
    assert set(blocks) == {"kotlin", "swift"}
    functions = litert.TFLiteFile(paths["float16"]).names
    for language, code in blocks.items():
        # Each function, from its name to the end of what it is given.
        for name in ("sample", "transfer"):
            assert name in functions
            (given,) = re.findall(rf'"{name}",(.*?)\n    [)}}]', code, re.S)
            assert set(re.findall(r'"(\w+)"', given)) == set(card["signatures"][name]["inputs"])
            assert set(card["signatures"][name]["outputs"]) == {"image"}
        assert '"image" to image' in code or 'named: "image"' in code
        keys = (
            re.findall(r'getJSONArray\("(\w+)"\)', code)
            if language == "kotlin"
            else re.findall(r"^    let (\w+): \[\w+\]$", code, re.M)
        )
        assert keys == ["labels", "image_shape"]
        assert set(keys) <= set(card)
