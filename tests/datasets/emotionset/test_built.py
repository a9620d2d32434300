"""`emotionset` finds what was built, and its provenance says where the faces come from."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import datasets
from bplf_tf import EMOTIONS
from datasets.build import RunSettings
from datasets.emotionset.assembly import build
from datasets.emotionset.built import BuiltSet, find_built
from datasets.emotionset.settings import CleaningSettings
from tests.datasets.emotionset.fake_source import FakeSource, face


def make(out, size=48, channels=1, people=10):
    settings = CleaningSettings(image_size=size, channels=channels, steps=("blank",))
    run = dataclasses.replace(RunSettings(), out=str(out), processes=1, bars=False)
    return build(run, settings, (FakeSource(people=people),), {})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return make(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("above", range(4))
def test_a_built_set_is_read(built, above):
    place = built if not above else built.parents[above - 1]
    source = datasets.load("emotionset", "train", place)
    assert (source.name, source.split, source.classes) == ("emotionset", "train", EMOTIONS)
    assert source.image_shape == (48, 48, 1)
    assert len(source) == 56
    assert source.class_counts() == dict.fromkeys(EMOTIONS, 8)
    drawn = {face(seed, EMOTIONS[label]).tobytes() for seed in range(10) for label in range(7)}
    assert {image.tobytes() for image in source.images} <= drawn


def test_its_provenance_says_what_the_model_sees(built):
    provenance = datasets.load("emotionset", "validation", built, limit=3).provenance
    assert provenance["sources"] == {
        "fake": {
            "title": "Fake faces",
            "images": 7,
            "licence": "drawn by a test",
            "citation": "nobody: nothing",
        }
    }
    assert provenance["path"] == str(built.resolve())
    assert provenance["fallback"] is False
    assert provenance["images"] == 3
    assert provenance["licence"] == "Fake faces: drawn by a test"
    assert provenance["settings"]["steps"] == ["blank"]
    assert "datasets.build" in provenance["reason"]
    json.dumps(provenance)


def test_the_order_is_the_same_each_time(built):
    first, second = (datasets.load("emotionset", "train", built) for _ in range(2))
    np.testing.assert_array_equal(first.images, second.images)
    few = datasets.load("emotionset", "train", built, limit=5)
    np.testing.assert_array_equal(few.images, first.images[:5])


def test_it_is_resized_and_coloured_as_asked(built):
    source = datasets.load("emotionset", "test", built, image_size=32, channels=3)
    assert source.image_shape == (32, 32, 3)


def test_a_split_that_is_not_there(tmp_path):
    place = make(tmp_path, people=2)
    with pytest.raises(ValueError, match="has no test split; it has train"):
        datasets.load("emotionset", "test", place)


def write_csv(folder):
    pixels = " ".join(["7"] * 2304)
    folder.mkdir(exist_ok=True)
    (folder / "fer2013.csv").write_text(f"emotion,pixels,Usage\n3,{pixels},Training\n")


def test_a_built_set_before_a_csv(built, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BPLF_DATA", raising=False)
    write_csv(tmp_path / "data")
    assert datasets.load("emotionset", "train").provenance["source"] == "fer2013"
    shutil.copytree(built.parents[1], tmp_path / "data" / "deep" / "emotion_set")
    assert datasets.load("emotionset", "train").provenance["source"] == "emotion_set"
    shutil.rmtree(tmp_path / "data" / "deep")
    monkeypatch.setenv("BPLF_DATA", str(built.parents[2]))
    assert datasets.load("emotionset", "train").provenance["source"] == "emotion_set"
    only_csv = datasets.load("emotionset", "train", tmp_path / "data" / "fer2013.csv")
    assert only_csv.provenance["source"] == "fer2013"


def pretend(out, *names):
    for name in names:
        folder = out / "emotion_set" / name
        (folder / "report").mkdir(parents=True)
        (folder / "dataset_info.json").write_text("{}")
        (folder / "report" / "report.json").write_text("{}")


@pytest.mark.parametrize(
    ("size", "channels", "expected"),
    [
        (None, None, "48_gray/1.1.0"),
        ((48, 48), 3, "48_rgb/1.0.0"),
        ((64, 64), 1, "64_gray/1.0.0"),
        ((40, 32), 1, "48_gray/1.1.0"),
        ((128, 128), 1, "64_gray/1.0.0"),
        ((16, 16), None, "32_gray/1.0.0"),
    ],
)
def test_which_of_several_is_read(tmp_path, size, channels, expected):
    pretend(
        tmp_path,
        "32_gray/1.0.0", "48_gray/1.0.0", "48_gray/1.1.0", "48_gray_jaffe/1.0.0",
        "48_rgb/1.0.0", "64_gray/1.0.0",
    )  # fmt: skip
    found = find_built([Path("nowhere"), tmp_path], size, channels)
    assert isinstance(found, BuiltSet)
    assert found.path == tmp_path / "emotion_set" / expected


def test_other_data_sets_of_tfds_are_not_taken(tmp_path):
    folder = tmp_path / "mnist" / "48_gray" / "1.0.0"
    (folder / "report").mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    (folder / "report" / "report.json").write_text("{}")
    (tmp_path / "emotion_set" / "48_gray" / "1.0.0").mkdir(parents=True)
    assert find_built([tmp_path], None, None) is None


def test_a_balanced_set_is_taken_where_it_alone_is_there_and_nothing_unfinished(tmp_path):
    def pretend(*parts):
        place = tmp_path.joinpath(*parts, "48_gray", "1.0.0")
        (place / "report").mkdir(parents=True)
        (place / "dataset_info.json").touch()
        (place / "report" / "report.json").touch()
        return place

    pretend(".set.12.partial", "balanced_faces")
    assert find_built([tmp_path], None, None) is None
    balanced = pretend("set", "balanced_faces")
    found = find_built([tmp_path], None, None)
    assert (found.path, found.name) == (balanced, "balanced_faces")
    original = pretend("z", "emotion_set")
    assert find_built([tmp_path], None, None).path == original
    assert find_built([tmp_path / "set"], None, None).path == balanced
