import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import datasets
from datasets.cifar10 import CLASSES as CIFAR10_CLASSES
from datasets.mnist import CLASSES as MNIST_CLASSES

CLASSES = {"mnist": MNIST_CLASSES, "cifar10": CIFAR10_CLASSES}
SHAPES = {"mnist": (28, 28), "cifar10": (32, 32, 3)}


def parts(name: str, train: int = 40, test: int = 12) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    return {
        "x_train": generator.integers(0, 256, (train, *SHAPES[name]), np.uint8),
        "y_train": generator.integers(0, 10, train).astype(np.uint8),
        "x_test": generator.integers(0, 256, (test, *SHAPES[name]), np.uint8),
        "y_test": generator.integers(0, 10, test).astype(np.uint8),
    }


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_keras_layout(tmp_path: Path, name: str) -> None:
    arrays = parts(name)
    path = save(tmp_path / "any name.npz", **arrays)
    splits = {split: datasets.load(name, split, path) for split in datasets.SPLITS}
    x_train = arrays["x_train"].reshape(40, *SHAPES[name][:2], -1)
    assert np.array_equal(splits["train"].images, x_train[:36])
    assert np.array_equal(splits["validation"].images, x_train[36:])
    assert np.array_equal(splits["train"].labels, arrays["y_train"][:36])
    assert np.array_equal(splits["validation"].labels, arrays["y_train"][36:])
    assert np.array_equal(splits["test"].images.reshape(arrays["x_test"].shape), arrays["x_test"])
    assert np.array_equal(splits["test"].labels, arrays["y_test"])
    assert all(source.classes == CLASSES[name] for source in splits.values())
    assert [source.provenance["split_rule"] for source in splits.values()] == [
        "the official training part without its last 4 images",
        "the last 4 images of the official training part",
        "the official test part",
    ]
    assert splits["train"].provenance["path"] == str(path)


def test_a_folder_with_the_file_and_columns_of_labels(tmp_path: Path) -> None:
    arrays = parts("cifar10")
    arrays["y_train"] = arrays["y_train"][:, np.newaxis]  # as Keras has CIFAR-10's labels
    save(tmp_path / "cifar10.npz", **arrays)
    source = datasets.load("cifar10", "train", tmp_path)
    assert np.array_equal(source.labels, arrays["y_train"][:36, 0])


def test_layout_with_a_split_array_and_names(tmp_path: Path) -> None:
    arrays = parts("cifar10")
    images = np.concatenate([arrays["x_train"], arrays["x_test"]])
    labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
    order = np.random.default_rng(0).permutation(len(images))
    split = (np.arange(len(images)) >= 40).astype(np.uint8)
    path = save(
        tmp_path / "subset.npz",
        images=images[order],
        labels=9 - labels[order],
        split=split[order],
        class_names=np.array(CIFAR10_CLASSES[::-1]),
    )
    test = datasets.load("cifar10", "test", path)
    rows = order[split[order] == 1]
    assert np.array_equal(test.images, images[rows])
    assert np.array_equal(test.labels, labels[rows]), "labels are mapped by name"
    assert len(datasets.load("cifar10", "train", path)) == 36


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": None}, r"holds the arrays x_test, y_test, y_train; needed are x_train.*split"),
        ({"x_train": np.zeros((40, 28, 28))}, r"images must be uint8 .*got float64 \[40, 28, 28\]"),
        ({"x_train": np.zeros((40, 784), np.uint8)}, r"got uint8 \[40, 784\]"),
        ({"x_train": np.zeros((0, 28, 28), np.uint8)}, "equally many; got 0 and 40"),
        ({"y_train": np.zeros(40)}, "labels must be whole numbers; got float64"),
        ({"y_train": np.zeros(39, np.uint8)}, "equally many; got 40 and 39"),
        ({"x_train": np.zeros((40, 28, 0), np.uint8)}, "height and width of at least 1"),
        ({"y_train": np.full(40, 10, np.uint8)}, "labels must be 0 to 9; got 10"),
        ({"y_train": np.full(40, -1)}, "labels must be 0 to 9; got -1"),
        ({"y_train": np.array([None] * 40)}, "not a readable .npz"),
        ({"class_names": np.array(["zero"] * 10)}, "unknown class names"),
    ],
)
def test_wrong_arrays(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    arrays = {
        key: value for key, value in {**parts("mnist"), **changes}.items() if value is not None
    }
    with pytest.raises(ValueError, match=message):
        datasets.load("mnist", "train", save(tmp_path / "mnist.npz", **arrays))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": np.zeros(3, np.uint8)}, "equally many; got 4, 4 and 3"),
        ({"split": np.array([0, 1, 2, 0])}, r"split must be 0 \(training\) or 1 \(test\)"),
    ],
)
def test_wrong_split_array(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    arrays = {
        "images": np.zeros((4, 32, 32, 3), np.uint8),
        "labels": np.zeros(4, np.uint8),
        "split": np.zeros(4, np.uint8),
    }
    path = save(tmp_path / "cifar10.npz", **{**arrays, **changes})
    with pytest.raises(ValueError, match=message):
        datasets.load("cifar10", "train", path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut off"])
def test_a_damaged_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mnist\.npz is not a readable \.npz"):
        datasets.load("mnist", "train", path)


def test_a_truncated_file(tmp_path: Path) -> None:
    path = save(tmp_path / "mnist.npz", **parts("mnist"))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"mnist\.npz is not a readable \.npz"):
        datasets.load("mnist", "train", path)


def test_too_few_for_a_validation_part(tmp_path: Path) -> None:
    path = save(tmp_path / "mnist.npz", **parts("mnist", train=9))
    with pytest.raises(ValueError, match=r"mnist \(validation\): there are no images"):
        datasets.load("mnist", "validation", path)


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone does not exist; .* an \.npz, a folder"):
        datasets.load("mnist", "train", tmp_path / "gone")


class FakeBuilder:
    """As much of a TFDS builder as is used."""

    def __init__(self, data_dir: Path | None, prepared: bool, failure: Exception | None) -> None:
        self.data_dir = data_dir
        self.prepared = prepared
        self.failure = failure
        self.url_infos = {"http://127.0.0.1:9/mnist.gz": None}  # nothing listens there

    def is_prepared(self) -> bool:
        return self.prepared

    def download_and_prepare(self) -> None:
        if self.failure:
            raise self.failure
        self.prepared = True

    def as_dataset(self, split: str, batch_size: int, shuffle_files: bool) -> dict[str, np.ndarray]:
        assert self.prepared
        assert batch_size == -1
        assert not shuffle_files
        arrays = parts("mnist")
        images = arrays[f"x_{split}"][..., np.newaxis]
        return {"image": images, "label": arrays[f"y_{split}"].astype(np.int64)}


def fake_tfds(
    monkeypatch: pytest.MonkeyPatch, prepared: bool, failure: Exception | None = None
) -> None:
    module = types.ModuleType("tensorflow_datasets")
    module.builder = (  # type: ignore[attr-defined]
        lambda name, data_dir: FakeBuilder(data_dir, prepared, failure)
    )
    module.as_numpy = lambda arrays: arrays  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", module)


def test_tfds_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tfds(monkeypatch, prepared=True)
    source = datasets.load("mnist", "train", tmp_path)
    assert source.images.shape == (36, 28, 28, 1)
    assert np.array_equal(source.labels, parts("mnist")["y_train"][:36])
    assert source.provenance["source"] == "mnist (TFDS)"
    assert source.provenance["path"] == str(tmp_path)


def test_tfds_that_downloads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tfds(monkeypatch, prepared=False)
    monkeypatch.setattr("datasets.tfds_parts._probe", lambda url: None)
    assert len(datasets.load("mnist", "test", tmp_path)) == 12


def test_tfds_whose_download_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tfds(monkeypatch, prepared=False, failure=RuntimeError("checksum"))
    monkeypatch.setattr("datasets.tfds_parts._probe", lambda url: None)
    with pytest.raises(FileNotFoundError, match=r"RuntimeError: checksum.*--data_path=mnist\.npz"):
        datasets.load("mnist", "test", tmp_path)


def test_no_network_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = AssertionError("TFDS must not be asked to download")
    fake_tfds(monkeypatch, prepared=False, failure=failure)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(FileNotFoundError, match=r"URLError.*--data_path=mnist\.npz"):
        datasets.load("mnist", "train", tmp_path)


def test_the_real_tfds_reads_what_it_prepared(tmp_path: Path) -> None:
    """A small data set in MNIST's place in the data directory, written and read by TFDS itself."""
    tfds = pytest.importorskip("tensorflow_datasets")
    arrays = parts("mnist")
    official = tfds.builder_cls("mnist")

    class Mnist(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = official.VERSION

        def _info(self) -> Any:
            features = {
                "image": tfds.features.Image(shape=(28, 28, 1)),
                "label": tfds.features.ClassLabel(num_classes=10),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager: object) -> dict[str, Any]:
            return {part: self._generate_examples(part) for part in ("train", "test")}

        def _generate_examples(self, part: str) -> Any:
            for index, label in enumerate(arrays[f"y_{part}"]):
                image = arrays[f"x_{part}"][index][..., np.newaxis]
                yield index, {"image": image, "label": int(label)}

    Mnist(data_dir=tmp_path).download_and_prepare()
    sources = [datasets.load("mnist", split, tmp_path) for split in ("train", "validation")]
    images = np.concatenate([source.images for source in sources])
    # TFDS keeps the images in an order of its own.
    assert sorted(map(bytes, images)) == sorted(map(bytes, arrays["x_train"]))
    label_of = dict(zip(map(bytes, arrays["x_train"]), arrays["y_train"], strict=True))
    labels = np.concatenate([source.labels for source in sources])
    assert [label_of[bytes(image)] for image in images] == labels.tolist()


@pytest.mark.real_data
def test_the_real_mnist(shared_data: Path) -> None:
    path = shared_data / "mnist.npz"
    counts = {split: len(datasets.load("mnist", split, path)) for split in datasets.SPLITS}
    assert counts == {"train": 55_000, "validation": 5_000, "test": 10_000}
    test = datasets.load("mnist", "test", path)
    assert test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9], "as in every tutorial"


@pytest.mark.real_data
def test_the_real_cifar10_subset(shared_data: Path) -> None:
    path = shared_data / "cifar10_subset.npz"
    counts = {split: len(datasets.load("cifar10", split, path)) for split in datasets.SPLITS}
    assert counts == {"train": 3_600, "validation": 400, "test": 1_000}
    with np.load(path) as file:
        assert tuple(file["class_names"]) == CIFAR10_CLASSES
        assert np.array_equal(
            datasets.load("cifar10", "test", path).images, file["images"][file["split"] == 1]
        )
