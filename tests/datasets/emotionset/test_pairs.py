"""Pairs of a built EmotionSet: of the fixtures of CK+, JAFFE and MMI."""

import numpy as np
import pytest

import datasets
from datasets.emotionset.pairs import match
from datasets.pairs import load_pairs
from tests.datasets.emotionset.fixtures import write_fer2013
from tests.datasets.emotionset.test_build_command import run

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def built(tmp_path_factory, manual_folder):
    return run(
        tmp_path_factory.mktemp("built"),
        jaffe=str(manual_folder / "jaffe"),
        ck_plus=str(manual_folder / "ck_plus"),
        mmi=str(manual_folder / "mmi"),
        mmi_neutral=True,
    )


@pytest.fixture(scope="module")
def pairs(built):
    return {split: load_pairs("emotionset", split, built) for split in SPLITS}


def test_all_three_sources_have_pairs_and_nobody_is_in_two_splits(pairs):
    people = [set(one.people) for one in pairs.values()]
    assert {name.partition("/")[0] for name in set.union(*people)} == {"ck_plus", "jaffe", "mmi"}
    assert sum(map(len, people)) == len(set.union(*people))


def test_every_expression_of_somebody_who_was_neutral_is_in_a_pair(built, pairs):
    import tensorflow_datasets as tfds

    for split, found in pairs.items():
        examples = list(
            tfds.as_numpy(tfds.builder_from_directory(str(built)).as_dataset(split=split))
        )
        neutral = datasets.load("emotionset", split, built).classes.index("neutral")
        calm = {one["subject"].decode(): [] for one in examples if one["label"] == neutral}
        for one in examples:
            if one["label"] == neutral:
                calm[one["subject"].decode()].append(one["image"].tobytes())
        wanted = sorted(
            (one["subject"].decode(), int(one["label"]), one["image"].tobytes())
            for one in examples
            if one["label"] != neutral and one["subject"].decode() in calm
        )
        given = sorted(
            (str(person), int(label), image.tobytes())
            for person, label, image in zip(
                found.people, found.labels, found.expressive, strict=True
            )
        )
        assert given == wanted
        for person, image in zip(found.people, found.neutral, strict=True):
            assert image.tobytes() in calm[str(person)]


def test_provenance_and_conversion(built, pairs):
    provenance = pairs["train"].provenance
    assert set(provenance["sources"]) == {"ck_plus", "jaffe", "mmi"}
    assert provenance["pairs"] == len(pairs["train"])
    assert "JAFFE" in provenance["licence"]
    other = load_pairs("emotionset", "train", built, image_size=32, channels=3)
    assert other.image_shape == (32, 32, 3)
    few = load_pairs("emotionset", "train", built, people=1)
    assert len(set(few.people)) == 1
    assert np.isin(few.people, pairs["train"].people).all()


def test_the_neutral_image_of_the_same_sequence_comes_first():
    keys = [
        "ck_plus/S005_001_00000001", "ck_plus/S005_001_00000006", "ck_plus/S005_002_00000001",
        "ck_plus/S005_002_00000006", "ck_plus/S010_001_00000006", "jaffe/KA.HA1.3.tiff",
        "jaffe/KA.NE1.1.tiff", "jaffe/KA.NE2.2.tiff", "mmi/1/S1-001/00000", "mmi/1/S1-001/00007",
        "mmi/2/S1-002/00009",
    ]  # fmt: skip
    people = ["a", "a", "a", "a", "b", "c", "c", "c", "d", "d", "d"]
    neutral = [place in {0, 2, 6, 7, 8} for place in range(len(keys))]
    assert match(keys, people, neutral) == [(0, 1), (2, 3), (6, 5), (8, 9), (8, 10)]


def test_without_people_or_a_built_set(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no EmotionSet that .* built in or below"):
        load_pairs("emotionset", "train", tmp_path)
    fer2013 = write_fer2013(tmp_path / "fer2013")
    place = run(tmp_path / "out", fer2013=str(fer2013.path))
    with pytest.raises(ValueError, match="has no person who is neutral in one image"):
        load_pairs("emotionset", "train", place)
