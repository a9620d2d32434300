"""The SavedModel gives what the model gives, in every loader, and says what it is."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import bplf_tf
import datasets
from bplf_tf import BPLF, ModelConfig
from datasets.files import WriteError
from datasets.flags import UserError
from datasets.input import training_dataset
from export import archive, model_card, png, saved_model
from export.saved_model import SavedModelSettings
from export.signatures import signatures
from tests.export.pixels import assert_same_pixels
from tests.export.served_model import ServedModel
from tests.programs import skip_without
from trainers.averaging import averaged_weights, make_optimizer
from trainers.run_files import ModelFile
from trainers.settings import FitSettings

COUNT = 7
SEEDS = np.stack([np.full(COUNT, 3), np.arange(COUNT)], axis=1).astype(np.int32)
LABELS = np.arange(COUNT, dtype=np.int32)
TEMPERATURES = np.full(COUNT, 0.7, np.float32)
NAMES = {
    *("sample", "sample_png", "sample_condition", "log_prob", "encode", "decode"),
    *("transfer", "transfer_png"),
}

IN_AN_EMPTY_FOLDER = """
import sys, numpy as np, tensorflow as tf
try:
    import bplf_tf
except ModuleNotFoundError:
    pass
else:
    sys.exit("the project must not be importable here")
loaded = tf.saved_model.load(sys.argv[1])
label, temperature, seed = (np.load(name) for name in ("label.npy", "temperature.npy", "seed.npy"))
image = loaded.signatures["serving_default"](
    label=tf.constant(label), temperature=tf.constant(temperature), seed=tf.constant(seed)
)["image"]
np.save("image.npy", image)
assert "bplf_tf" not in sys.modules
"""


@pytest.fixture(scope="module")
def sampled(model):
    images = model.sample(LABELS, n=COUNT, temperature=0.7, seed=3)
    assert images.std() > 10
    assert (images[:, None] != images[None]).mean() > 0.5  # labels and numbers make a difference
    return images


def test_all_functions_are_there(served):
    assert set(served.signatures) - {"__saved_model_init_op"} == {*NAMES, "serving_default"}
    default, sample = served.signatures["serving_default"], served.signatures["sample"]
    assert set(default.inputs) == set(sample.inputs) == {"label", "temperature", "seed"}
    for name in NAMES:
        for tensor in [*served.signatures[name].inputs.values()]:
            assert tensor.tensor_shape.dim[0].size == -1, f"{name}: {tensor.name} has no batch"


def test_samples(served, sampled, model):
    given = {"temperature": TEMPERATURES, "seed": SEEDS}
    assert_same_pixels(served("sample", label=LABELS, **given)["image"], sampled)
    names = np.array(model.config.classes, dtype=object)[LABELS]
    files = served("sample_png", label=names, **given)["png_bytes"]
    assert_same_pixels(np.stack([tf.io.decode_png(file) for file in files]), sampled)
    one_hot = np.eye(len(model.config.classes), dtype=np.float32)[LABELS]
    mixed = served("sample_condition", condition=one_hot, **given)["image"]
    assert_same_pixels(mixed, sampled)


def test_a_mixture(served, model):
    mixture = np.array([[0.5, 0, 0, 0.5, 0, 0, 0]], np.float32)
    image = served(
        "sample_condition", condition=mixture, temperature=TEMPERATURES[:1], seed=SEEDS[:1]
    )["image"]
    assert_same_pixels(image, model.sample(mixture, n=1, temperature=0.7, seed=3))


def test_a_row_does_not_depend_on_its_neighbours(served, sampled):
    image = served("sample", label=LABELS[4:5], temperature=TEMPERATURES[:1], seed=SEEDS[4:5])
    assert_same_pixels(image["image"], sampled[4:5])


def test_likelihoods_and_latents(served, model, faces):
    images, labels = faces.images[:COUNT], faces.labels[:COUNT]
    found = served("log_prob", image=images, label=labels)
    np.testing.assert_allclose(found["log_prob"], model.log_prob(images, labels), rtol=1e-5)
    np.testing.assert_allclose(found["bits_per_dim"], model.bits_per_dim(images, labels), rtol=1e-5)
    latent = served("encode", image=images, label=labels)["latent"]
    np.testing.assert_allclose(latent, model.encode(images, labels), atol=1e-3)
    assert_same_pixels(served("decode", latent=latent, label=labels)["image"], images)


def test_transfer(served, model, faces):
    images, labels = faces.images[:COUNT], faces.labels[:COUNT]
    target = np.full(COUNT, 3, np.int32)
    expected = model.transfer(images, labels, target, strength=0.8)
    assert (expected != images).mean() > 0.1
    strength = np.full(COUNT, 0.8, np.float32)
    moved = served("transfer", image=images, source=labels, target=target, strength=strength)
    assert_same_pixels(moved["image"], expected)
    classes = np.array(model.config.classes, dtype=object)
    files = served(
        "transfer_png",
        png_bytes=np.array([png.encoded(image) for image in images], dtype=object),
        source=classes[labels],
        target=classes[target],
        strength=strength,
    )["png_bytes"]
    assert_same_pixels(np.stack([tf.io.decode_png(file) for file in files]), expected)
    same = served("transfer", image=images, source=labels, target=target, strength=0 * strength)
    assert np.array_equal(same["image"], images)


def test_without_the_project(saved_model_folder, sampled, tmp_path):
    for name, values in [("label", LABELS), ("temperature", TEMPERATURES), ("seed", SEEDS)]:
        np.save(tmp_path / f"{name}.npy", values)
    done = subprocess.run(  # -I: neither the current folder nor PYTHONPATH
        [sys.executable, "-I", "-c", IN_AN_EMPTY_FOLDER, str(saved_model_folder)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert_same_pixels(np.load(tmp_path / "image.npy"), sampled)


@pytest.fixture(scope="module")
def c_program(tmp_path_factory):
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), None)
    if compiler is None:
        skip_without("a C compiler: none of cc, gcc, clang is there")
    program = tmp_path_factory.mktemp("c") / "saved_model"
    libraries = Path(tf.sysconfig.get_lib())
    if not (libraries / "libtensorflow_cc.so.2").exists():
        skip_without(f"libtensorflow_cc.so.2, which is not in {libraries}")
    source = Path(__file__).with_name("saved_model.c")
    done = subprocess.run(
        [
            *(compiler, "-Wall", "-Werror", "-o", program, source),
            *(f"-I{tf.sysconfig.get_include()}", f"-L{libraries}", f"-Wl,-rpath,{libraries}"),
            *("-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return program


def run_c_program(program, folder, served, name, out, **inputs):
    signature = served.signatures[name]
    (output,) = signature.outputs.values()
    arguments = [str(program), str(folder), output.name, str(out)]
    for one, values in inputs.items():
        file = out.with_name(f"{one}.raw")
        file.write_bytes(values.tobytes())
        data_type = tf.as_dtype(values.dtype).as_datatype_enum
        dimensions = ",".join(map(str, values.shape))
        arguments += [signature.inputs[one].name, str(data_type), dimensions, str(file)]
    return subprocess.run(arguments, capture_output=True, text=True, cwd=out.parent)


def test_from_c(c_program, saved_model_folder, served, sampled, tmp_path):
    linked = subprocess.run(["ldd", c_program], capture_output=True, text=True)
    assert "libtensorflow_cc" in linked.stdout
    assert "python" not in linked.stdout.replace(str(Path(tf.sysconfig.get_lib())), "").lower()
    out = tmp_path / "image.raw"
    given = {"label": LABELS, "temperature": TEMPERATURES, "seed": SEEDS}
    done = run_c_program(c_program, saved_model_folder, served, "sample", out, **given)
    assert done.returncode == 0, done.stderr
    image = np.frombuffer(out.read_bytes(), np.uint8).reshape(sampled.shape)
    assert_same_pixels(image, sampled)


def test_errors_from_c(c_program, saved_model_folder, served, tmp_path):
    def stderr(name, **inputs):
        out = tmp_path / "out.raw"
        done = run_c_program(c_program, saved_model_folder, served, name, out, **inputs)
        assert done.returncode == 1
        assert not out.exists()
        return done.stderr

    label = np.array([7], np.int32)
    told = stderr("sample", label=label, temperature=TEMPERATURES[:1], seed=SEEDS[:1])
    assert "label must lie in 0..6" in told
    told = stderr("encode", image=np.zeros([1, 24, 16, 1], np.uint8), label=LABELS[:1])
    assert "shape" in told


def test_the_card(saved_model_folder, model):
    description = json.loads((saved_model_folder / "model.json").read_text())
    assert description["labels"] == list(model.config.classes)
    assert description["image_shape"] == [16, 16, 1]
    assert set(description["signatures"]) == NAMES
    assert description["data"] == description["data_licence"] == "not known"
    card = (saved_model_folder / "model_card.md").read_text()
    assert "3 happy" in card
    assert "No `result.json`" in card
    assert "No `config.json`" in card


def test_the_card_tells_of_the_run(model, model_file, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy(model_file, run)
    provenance = {
        "source": "faces",
        "path": "/secret/faces.csv",
        "licence": "ask the authors",
        "split_rule": "by person",
        "images": 1200,
        "class_counts": {"happy": 1100, "sad": 100},
        "removed": [{"count": 12, "what": "exact copies", "why": "held out"}],
        "sources": {"some": {"citation": "Some Body, Faces, 2001."}},
    }
    config = {
        "data": {"train": provenance},
        "command": "/secret/bin/python -m trainers.fit --data_path='/secret/my faces.csv' --flip",
        "versions": {"tensorflow": "2.21.0"},
        "git": {"commit": "919407c", "changed_files": True},
    }
    (run / "config.json").write_text(json.dumps(config))
    label = {"happy": {"bits_per_dim": 3.5, "images": 4}}
    result = {
        "bits_per_dim": 3.25,
        "standard_error": 0.01,
        "images": 40,
        "per_label": label,
        "steps": 5000,
        "minutes": 12.5,
        "inverse_error": 2.5e-6,
    }
    (run / "result.json").write_text(json.dumps(result))
    details = {"name": "faces", "format": "TFLite", "precision": "float16"}
    described = model_card.describe(
        model, run / "model.keras", signatures(model), None, None, **details
    )
    assert described["data_licence"] == "ask the authors"
    assert "/secret" not in json.dumps(described)
    card = model_card.card(described)
    assert "3.2500 bits/dim on 40 held-out images, standard error 0.0100" in card
    assert "happy 3.5000" in card
    assert "Licence of the data: ask the authors." in card
    assert (
        "* `train`: 1,200 images (happy 1,100, sad 100). By person. Removed: 12 exact copies."
    ) in card
    assert "Some Body, Faces, 2001." in card
    assert "Trained by `python -m trainers.fit '--data_path=my faces.csv' --flip`." in card
    assert "5,000 steps in 12.5 minutes." in card
    assert "With tensorflow 2.21.0." in card
    assert "Code: commit 919407c, with changed files." in card
    assert "encoded and decoded, of the pixel range: 2.5e-06." in card
    assert "Measured before the weights were written in float16" in card
    assert f"bplf-tf {bplf_tf.__version__}, tensorflow {tf.__version__}" in card


def test_figures_are_those_of_the_model_that_was_measured(model, model_file, tmp_path):
    """`result.json` of a run measures its model.keras, and best.keras beside it is another one."""
    for name in ("model.keras", "best.keras"):
        shutil.copy(model_file, tmp_path / name)
    config = {"data": {"train": {"source": "faces", "licence": "ask the authors"}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "result.json").write_text(json.dumps({"bits_per_dim": 3.25, "images": 40}))
    found = {
        name: model_card.describe(model, tmp_path / name, (), None, None, name="a", format="b")
        for name in ("model.keras", "best.keras")
    }
    assert found["model.keras"]["metrics"] == {"bits_per_dim": 3.25, "images": 40}
    assert found["best.keras"]["metrics"] == {}
    assert all(one["data_licence"] == "ask the authors" for one in found.values())
    assert "3.2500 bits/dim" in model_card.card(found["model.keras"])
    card = model_card.card(found["best.keras"])
    assert "3.25" not in card
    assert "No `result.json` of this file" in card
    assert "## Functions" not in card


def test_warm_up_requests_are_accepted(saved_model_folder, served):
    pytest.importorskip("tensorflow_serving")
    from tensorflow_serving.apis import prediction_log_pb2

    file = saved_model_folder / "assets.extra" / "tf_serving_warmup_requests"
    warmed = set()
    for record in tf.data.TFRecordDataset(str(file)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        served(request.model_spec.signature_name, **inputs)
        warmed.add(request.model_spec.signature_name)
    assert warmed == NAMES


def test_a_version_that_exists_is_refused(model_file, saved_model_folder):
    before = sorted(saved_model_folder.parent.iterdir())
    settings = SavedModelSettings(model=str(model_file), out=str(saved_model_folder))
    with pytest.raises(UserError, match="exists: choose the next version number"):
        saved_model.main(settings)
    assert sorted(saved_model_folder.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out": None}, "--out is required"),
        ({"out": "models/bplf"}, "must end in a version number"),
        ({"out": "models/bplf/0"}, "must end in a version number"),
        ({"most_rows": 0}, "--most_rows must be a positive integer"),
        ({"model": "none.keras"}, "no model at none.keras"),
        ({"model": None}, "--model is required"),
    ],
)
def test_users_mistakes(model_file, tmp_path, changes, message):
    given = {"model": str(model_file), "out": str(tmp_path / "bplf" / "1"), **changes}
    with pytest.raises(UserError, match=message):
        saved_model.main(SavedModelSettings(**given))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, os.strerror(28))])
def test_an_interrupted_export_leaves_nothing(model_file, tmp_path, monkeypatch, error):
    def interrupted(model, folder, most_rows):
        (folder / "saved_model.pb").write_bytes(b"half")
        assert not folder.name.isdecimal()  # what a server would take for a version
        raise error

    monkeypatch.setattr(archive, "write_saved_model", interrupted)
    settings = SavedModelSettings(model=str(model_file), out=str(tmp_path / "bplf" / "1"))
    with pytest.raises((KeyboardInterrupt, WriteError)):
        saved_model.main(settings)
    assert not any((tmp_path / "bplf").iterdir())


def test_a_model_without_labels(model_without_labels, tmp_path):
    model = model_without_labels
    archive.write_saved_model(model, tmp_path, most_rows=4)
    with ServedModel(tmp_path) as served:
        assert not NAMES & {"transfer", "sample_condition"} & set(served.signatures)
        image = served("sample", temperature=TEMPERATURES[:2], seed=SEEDS[:2])["image"]
        expected = model.sample(n=2, temperature=0.7, seed=3)
        assert expected.std() > 10
        assert_same_pixels(image, expected, equal=0.99)
        latent = served("encode", image=image)["latent"]
        assert_same_pixels(served("decode", latent=latent)["image"], image)
        file = served("sample_png", temperature=TEMPERATURES[:1], seed=SEEDS[:1])["png_bytes"][0]
        assert_same_pixels(tf.io.decode_png(file).numpy()[None], image[:1])


class RawAndAveraged(keras.callbacks.Callback):
    """Keeps both kinds of weights as they are at the end of the training."""

    def on_epoch_end(self, epoch, logs=None):
        self.raw = self.model.get_weights()
        with averaged_weights(self.model):
            self.averaged = self.model.get_weights()


def test_the_averaged_weights_of_a_training_are_exported(tmp_path):
    faces = datasets.load("drawn_faces", "train", image_size=16, limit=64)
    model = BPLF(ModelConfig(faces.image_shape, faces.classes, levels=1, depth=2, width=8))
    settings = FitSettings(run_dir="unused", epochs=1, learning_rate=0.02, ema_momentum=0.99)
    model.compile(optimizer=make_optimizer(settings))
    weights = RawAndAveraged()
    model.fit(
        training_dataset(faces, batch_size=32, seed=0),
        steps_per_epoch=30,
        verbose=0,
        callbacks=[weights, ModelFile(tmp_path / "model.keras")],
    )
    out = tmp_path / "small" / "1"
    assert saved_model.main(SavedModelSettings(model=str(tmp_path), out=str(out))) == 0

    def samples_of(values):
        model.set_weights(values)
        return model.sample(LABELS, n=COUNT, temperature=0.7, seed=3)

    raw, averaged = samples_of(weights.raw), samples_of(weights.averaged)
    assert (raw != averaged).mean() > 0.1
    with ServedModel(out) as served:
        found = served("sample", label=LABELS, temperature=TEMPERATURES, seed=SEEDS)["image"]
    assert_same_pixels(found, averaged, equal=0.99)


def test_float64_is_refused():
    config = ModelConfig(image_shape=(8, 8, 1), levels=1, depth=1, width=4, dtype="float64")
    with pytest.raises(ValueError, match="float32"):
        archive.write_saved_model(BPLF(config), Path("unused"), most_rows=4)
