"""The drawn faces as a data set: processes, TFDS builder, arrays, preview."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bplf_tf.config import EMOTIONS
from datasets.drawn_faces import arrays, parallel
from datasets.drawn_faces.arrays import load_arrays
from datasets.drawn_faces.builder import DrawnFaces, make_config
from datasets.drawn_faces.parallel import draw_many
from datasets.drawn_faces.preview import contact_sheet
from datasets.drawn_faces.render import draw_face
from datasets.drawn_faces.splits import SPLITS


def test_importing_needs_no_tensorflow():
    code = "import sys, datasets.drawn_faces; assert 'tensorflow' not in sys.modules"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_processes_draw_the_same_faces_in_order():
    alone = list(draw_many(7, 9, 24, 1, processes=1))
    shared = list(draw_many(7, 9, 24, 1, processes=2))
    np.testing.assert_array_equal(alone, shared)
    np.testing.assert_array_equal(alone[3], draw_face(10, 3, 24, 1))


def test_a_failing_process_is_reported(monkeypatch):
    monkeypatch.setattr(parallel, "_ROOT", Path("nowhere"))
    monkeypatch.chdir("/")
    monkeypatch.setenv("PYTHONPATH", "")
    with pytest.raises(RuntimeError, match="ended early"):
        list(draw_many(0, 4, 24, 1, processes=2))


def test_splits_share_no_seed():
    seeds = [set(range(s.first_seed, s.first_seed + s.count)) for s in SPLITS.values()]
    assert sum(map(len, seeds)) == len(set().union(*seeds))


def test_load_arrays_with_a_small_limit_draws_at_once(tmp_path):
    images, labels = load_arrays("validation", size=32, channels=3, limit=10, data_dir=tmp_path)
    assert images.shape == (10, 32, 32, 3)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int32
    assert labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 1, 2]
    seed = SPLITS["validation"].first_seed
    np.testing.assert_array_equal(images[4], draw_face(seed + 4, "neutral", 32, 3))
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data directory with a small data set under the name of the default one."""
    directory = tmp_path_factory.mktemp("tfds")
    config = make_config(24, 1, counts={"train": 21, "validation": 7, "test": 7})
    builder = DrawnFaces(config=config, data_dir=str(directory))
    builder.download_and_prepare()
    return directory, builder


def test_builder_round_trip(prepared):
    _, builder = prepared
    assert builder.info.features["label"].names == list(EMOTIONS)
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        "train": 21, "validation": 7, "test": 7,
    }  # fmt: skip
    for split in SPLITS:
        examples = list(builder.as_dataset(split=split).as_numpy_iterator())
        for index, example in enumerate(examples):
            assert example["image"].dtype == np.uint8
            assert example["seed"].dtype == np.int64
            assert example["seed"] == SPLITS[split].first_seed + index
            expected = draw_face(int(example["seed"]), int(example["label"]), 24, 1)
            np.testing.assert_array_equal(example["image"], expected)
        counts = np.bincount([example["label"] for example in examples], minlength=7)
        assert counts.min() == counts.max()


def test_load_arrays_reads_what_the_builder_prepared(prepared, monkeypatch):
    directory, _ = prepared
    monkeypatch.setattr(arrays, "_FEW", 0)
    images, labels = load_arrays("train", size=24, limit=14, data_dir=directory)
    assert images.shape == (14, 24, 24, 1)
    assert labels.tolist() == list(range(7)) * 2
    np.testing.assert_array_equal(images[13], draw_face(13, "surprise", 24, 1))


def test_incomplete_data_is_reported(prepared, monkeypatch):
    directory, _ = prepared
    monkeypatch.setattr(arrays, "_FEW", 0)
    with pytest.raises(RuntimeError, match="holds 7 faces in test, expected 70"):
        load_arrays("test", size=24, limit=70, data_dir=directory)


def test_registered_with_tfds():
    tfds = pytest.importorskip("tensorflow_datasets")
    builder = tfds.builder("drawn_faces/48_gray")
    assert builder.info.features["image"].shape == (48, 48, 1)
    assert tfds.builder("drawn_faces").builder_config.name == "48_gray"
    assert set(DrawnFaces.builder_configs) == {
        f"{size}_{colour}" for size in (32, 48, 64) for colour in ("gray", "rgb")
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "training"}, "train, validation, test, got 'training'"),
        ({"split": "train", "size": 4}, "got 4"),
        ({"split": "train", "channels": 4}, "got 4"),
        ({"split": "train", "limit": 0}, "limit"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_arrays(**arguments)


def test_unknown_split_in_a_configuration():
    with pytest.raises(ValueError, match="'dev'"):
        make_config(24, 1, counts={"dev": 3})


def test_contact_sheet_has_a_row_per_emotion():
    sheet = contact_sheet(columns=2, size=24, zoom=2)
    assert sheet.mode == "RGB"
    assert sheet.height == 7 * 24 * 2
    assert sheet.width > 2 * 24 * 2


def test_preview_writes_a_picture(tmp_path):
    out = tmp_path / "new" / "sheet.png"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "datasets.drawn_faces.preview", f"--out={out}", "--columns=1"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert out.is_file()
    assert str(out) in done.stdout
