"""EmotionSet as a TFDS data set."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

from bplf_tf import EMOTIONS
from datasets.emotionset import parallel, pipeline
from datasets.emotionset.builder import EmotionSet, make_config
from datasets.emotionset.settings import CleaningSettings
from datasets.emotionset.shards import with_many_shards
from datasets.emotionset.source import SourceError
from tests.datasets.emotionset.fake_source import FakeSource, Given, example, face

ROOT = Path(__file__).parents[3]
NO_FACES_SOUGHT = CleaningSettings(steps=("blank", "duplicates"))
VOTES = {"happiness": 3, "neutral": 1, "NF": 1}


def build(folder, *sources, settings=NO_FACES_SOUGHT):
    work = folder / "work"
    work.mkdir(parents=True)
    worker = pipeline.processes(1)
    built, _ = pipeline.run(sources, settings, work, worker=worker, bars=False)
    builder = EmotionSet.for_built(built, str(folder / "data"))
    builder.download_and_prepare()
    return builder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    given = Given([example(100, votes=VOTES, split="test"), example(101, image=face(0, "fear"))])
    return build(tmp_path_factory.mktemp("built"), FakeSource(people=10), given)


def test_every_kept_image_is_in_its_split(built):
    found = {}
    for split in built.info.splits:
        for one in tfds.as_numpy(built.as_dataset(split=split)):
            found[one["key"].decode()] = (split, one)
    kept = {}
    report = json.loads((Path(built.data_dir) / "report" / "report.json").read_text())
    assert report["all"]["kept"] == len(found) == 71
    assert {name: info.num_examples for name, info in built.info.splits.items()} == {
        "train": 56,
        "validation": 7,
        "test": 8,
    }
    for person in range(10):
        for label in EMOTIONS:
            split, one = found[f"fake/person{person:03d}/{label}"]
            assert kept.setdefault(person, split) == split
            np.testing.assert_array_equal(one["image"][..., 0], face(person, label))
            assert EMOTIONS[one["label"]] == label
            assert one["soft_label"].tolist() == [float(name == label) for name in EMOTIONS]
            assert one["source"] == b"fake"
            assert one["subject"] == f"fake/person{person:03d}".encode()
    split, voted = found["given/100_happy"]
    assert split == "test"
    assert voted["subject"] == b""
    assert voted["soft_label"][EMOTIONS.index("happy")] == pytest.approx(0.75)
    assert "given/101_happy" not in found


def test_tfds_reads_it_by_name(built):
    data_dir = Path(built.data_dir).parents[2]
    images = tfds.load("emotion_set/48_gray", split="test", data_dir=data_dir, as_supervised=True)
    image, label = next(iter(tfds.as_numpy(images)))
    assert image.shape == (48, 48, 1)
    assert label in range(7)
    # Where `datasets.emotionset.builder` was not imported, TFDS reads the files alone.
    files = tfds.core.read_only_builder.builder_from_files(
        "emotion_set", config="48_gray", data_dir=str(data_dir)
    )
    assert files.info.splits["test"].num_examples == 8


def test_the_configurations():
    names = list(EmotionSet.builder_configs)
    assert names[0] == "48_gray"
    assert {f"{size}_{colour}{source}" for size in (32, 48, 64) for colour in ("gray", "rgb")
            for source in ("", "_jaffe", "_ck_plus", "_fer2013", "_mmi")} == set(names)  # fmt: skip
    for name in ("JAFFE", "CK+", "FER2013", "MMI", "fer2013new.csv", "datasets/README.md"):
        assert name in EmotionSet.MANUAL_DOWNLOAD_INSTRUCTIONS


def test_other_sizes_colours_and_labels(tmp_path):
    settings = CleaningSettings(image_size=40, channels=3, steps=(), contempt="keep")
    builder = build(tmp_path, Given([example(1), example(2, "contempt")]), settings=settings)
    assert builder.builder_config.name == "40_rgb"
    examples = [
        one for split in builder.info.splits for one in tfds.as_numpy(builder.as_dataset(split))
    ]
    assert {one["image"].shape for one in examples} == {(40, 40, 3)}
    assert sorted(one["label"] for one in examples) == [EMOTIONS.index("happy"), 7]
    assert builder.info.features["label"].names == [*EMOTIONS, "contempt"]


def test_an_eighth_label_is_read_by_the_builders_code_too(tmp_path):
    settings = CleaningSettings(steps=(), contempt="keep")
    built = build(tmp_path, Given([example(2, "contempt", split="train")]), settings=settings)
    by_name = tfds.builder("emotion_set/48_gray", data_dir=str(Path(built.data_dir).parents[2]))
    assert isinstance(by_name, EmotionSet)
    assert by_name.info.features["label"].names == [*EMOTIONS, "contempt"]
    (one,) = tfds.as_numpy(by_name.as_dataset(split="train"))
    assert one["soft_label"].tolist() == [0.0] * 7 + [1.0]


def test_from_the_manual_folder(tmp_path, manual_folder, monkeypatch):
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    config = tfds.download.DownloadConfig(manual_dir=str(manual_folder))
    images = tfds.load(
        "emotion_set/32_gray_jaffe",
        split="train",
        data_dir=str(tmp_path),
        download_and_prepare_kwargs={"download_config": config},
    )
    examples = list(tfds.as_numpy(images))
    assert {one["source"] for one in examples} == {b"jaffe"}
    assert {one["image"].shape for one in examples} == {(32, 32, 1)}
    assert not list(tmp_path.rglob("*work*"))


def test_an_empty_manual_folder(tmp_path):
    (tmp_path / "manual").mkdir()
    (tmp_path / "manual" / "other.txt").write_text("")
    config = tfds.download.DownloadConfig(manual_dir=str(tmp_path / "manual"))
    builder = EmotionSet(config="48_gray_mmi", data_dir=str(tmp_path / "data"))
    with pytest.raises(SourceError, match="manual has nothing named mmi"):
        builder.download_and_prepare(download_config=config)
    assert not list((tmp_path / "data").rglob("*.tfrecord*"))
    assert not list((tmp_path / "data").rglob("*incomplete*"))


def test_many_small_shards_unless_told_otherwise():
    config = with_many_shards(tfds.download.DownloadConfig(ignore_duplicates=True))
    assert config.ignore_duplicates
    shards = config.get_shard_config()
    assert shards.get_number_shards(30 << 20, 15_000) == 16
    assert shards.get_number_shards(60_000, 33) == 1
    chosen = tfds.download.DownloadConfig(num_shards=3)
    assert with_many_shards(chosen) is chosen


def test_only_what_is_in_it_is_cited(built):
    assert built.info.citation == "nobody: nothing\nnobody: nothing"  # of both sources
    mmi = EmotionSet(config="48_gray_mmi", data_dir="nowhere").info.citation
    assert "Pantic" in mmi
    assert "Goodfellow" not in mmi


def test_make_config_names_what_it_holds():
    config = make_config(48, 3, "mmi")
    assert config.name == "48_rgb_mmi"
    assert config.description == "48x48 pixels, RGB, MMI"


# The command imports all of TFDS' commands, some of which need these.
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("apache_beam", "mlcroissant")),
    reason="needs the extra tfds_build",
)
def test_tfds_build_on_the_command_line(tmp_path, manual_folder):
    # As the command `tfds` does, -P leaves the working directory out of where modules are sought.
    command = [
        sys.executable, "-P", "-m", "tensorflow_datasets.scripts.cli.main", "build",
        "emotion_set/48_gray_fer2013", "--imports=datasets.emotionset.builder",
        f"--manual_dir={manual_folder}", f"--data_dir={tmp_path}",
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": "."})
    assert list(tmp_path.glob("emotion_set/48_gray_fer2013/1.0.0/*.tfrecord*"))
