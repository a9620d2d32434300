"""One small trained model, and its exports, for all tests of exporting."""

import keras
import pytest

import datasets
from bplf_tf import BPLF, ModelConfig
from bplf_tf.files import model_path
from datasets.input import training_dataset
from export import saved_model
from export.saved_model import SavedModelSettings
from tests.export.served_model import ServedModel


@pytest.fixture(scope="session")
def faces():
    return datasets.load("drawn_faces", "train", image_size=16, limit=256)


@pytest.fixture(scope="session")
def model_file(faces, tmp_path_factory):
    """A model trained a few dozen steps: an untrained one is affine, and proves nothing.

    Wide enough for its networks to have weights of 1024 numbers, the least that TFLite rounds.
    """
    model = BPLF.from_preset(
        "bplf_3x3_1x1",
        size="tiny",
        width=32,
        image_shape=faces.image_shape,
        classes=faces.classes,
    )
    model.compile(optimizer=keras.optimizers.Adam(3e-3))
    model.fit(training_dataset(faces, batch_size=32, seed=0), steps_per_epoch=40, verbose=0)
    path = tmp_path_factory.mktemp("run") / "model.keras"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def model(model_file):
    return keras.saving.load_model(model_path(model_file))


@pytest.fixture(scope="session")
def model_without_labels():
    """Of colour images; trained likewise."""
    images = datasets.load("drawn_faces", "train", image_size=16, channels=3, limit=64).images
    model = BPLF(ModelConfig(image_shape=(16, 16, 3), classes=(), levels=1, depth=2, width=4))
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    model.fit(images, batch_size=32, epochs=15, verbose=0)
    return model


@pytest.fixture(scope="session")
def saved_model_folder(model_file, tmp_path_factory):
    """The SavedModel as the command writes it, with at most eight rows in a call."""
    out = tmp_path_factory.mktemp("models") / "small" / "1"
    settings = SavedModelSettings(model=str(model_file), out=str(out), most_rows=8)
    assert saved_model.main(settings) == 0
    return out


@pytest.fixture(scope="session")
def served(saved_model_folder):
    """The SavedModel in TensorFlow's C++ runtime, loaded as TensorFlow Serving loads it."""
    with ServedModel(saved_model_folder) as loaded:
        yield loaded
