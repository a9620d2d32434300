"""The steps that look at all images together."""

import zlib

import numpy as np
import pytest

from datasets.emotionset import set_steps
from datasets.emotionset.duplicates import Groups, exact_copies
from datasets.emotionset.record import Record
from datasets.emotionset.settings import CleaningSettings


def record(key, digest, label="happy", split="train", **fields):
    fields = {"source": "test", "picture_digest": f"p{digest}", **fields}
    # Far apart from each other, unless a test says otherwise.
    number = int.from_bytes(np.random.default_rng(zlib.crc32(key.encode())).bytes(8), "big")
    return Record(
        key=key, label=label, split=split, digest=digest, perceptual_hash=number, **fields
    )


def run(records, **settings):
    set_steps.run(records, CleaningSettings(**settings), lambda places: np.empty((0, 48, 48)))
    return {one.key: one.reason for one in records}


def test_of_copies_the_first_stays():
    records = [record("a", "1"), record("b", "2"), record("c", "1"), record("d", "1")]
    assert run(records) == {"a": None, "b": None, "c": "exact_copy", "d": "exact_copy"}
    assert records[2].detail == "copy of a"
    assert records[2].copy_of == "a"
    assert records[2].step == "duplicates"


def test_of_copies_across_splits_the_held_out_one_stays():
    records = [
        record("a", "1"),
        record("b", "1", split="validation"),
        record("c", "2", split="validation"),
        record("d", "2", split="test"),
        record("e", "1"),
        record("f", "1", split="validation"),
    ]
    assert run(records) == {
        "a": "exact_copy_across_splits",
        "b": None,
        "c": "exact_copy_across_splits",
        "d": None,
        "e": "exact_copy_across_splits",
        "f": "exact_copy",
    }
    assert records[0].detail == "copy of b in validation"


def test_across_splits_they_go_even_without_the_step():
    records = [record("a", "1"), record("b", "1"), record("c", "1", split="test")]
    assert run(records, steps=()) == {
        "a": "exact_copy_across_splits",
        "b": "exact_copy_across_splits",
        "c": None,
    }
    assert run([record("a", "1"), record("b", "1")], steps=()) == {"a": None, "b": None}


def test_equal_pictures_of_different_originals_are_copies():
    records = [record("a", "1", picture_digest="p"), record("b", "2", picture_digest="p")]
    assert run(records)["b"] == "exact_copy"


def test_what_is_dropped_already_is_nobodys_copy():
    records = [record("a", "1"), record("b", "1")]
    records[0].drop("face", "no_face", "none")
    assert run(records) == {"a": "no_face", "b": None}


def test_copies_with_different_labels_all_go():
    records = [record("a", "1"), record("b", "1", "sad", split="test"), record("c", "2")]
    assert run(records) == {"a": "exact_copy_across_splits", "b": "conflicting_labels", "c": None}
    assert records[1].detail == "its copies have happy, sad"
    records = [record("a", "1"), record("b", "1", "sad")]
    steps = ("duplicates",)
    assert run(records, steps=steps) == {"a": None, "b": "exact_copy"}
    records = [record("a", "1"), record("b", "1", "sad")]
    conflicts = {"a": "conflicting_labels", "b": "conflicting_labels"}
    assert run(records, steps=("conflicts",)) == conflicts


def test_agreement_with_the_votes():
    votes = {"happiness": 4, "neutral": 5, "unknown": 1}
    records = [
        record("a", "1", "happy", votes=votes),
        record("b", "2", "neutral", votes=votes),
        record("c", "3", "neutral", votes=None),
        record("d", "4", "sad", votes=votes),
        record("e", "5", "sad", votes={"sadness": 0}),
    ]
    assert run(records, min_agreement=0.5) == {
        "a": "low_agreement", "b": None, "c": None, "d": "low_agreement", "e": "low_agreement",
    }  # fmt: skip
    assert records[0].detail == "40% of FER+'s votes are for happy"
    records = [record("a", "1", "happy", votes=votes)]
    assert run(records) == {"a": None}


def test_near_copies_join_exact_ones():
    hashes = {"a": 2, "b": 2, "c": 3}
    records = [record(key, digest) for key, digest in zip("abc", "112", strict=True)]
    for one in records:
        one.perceptual_hash = hashes[one.key]
    records[1].label = "sad"
    image = np.random.default_rng(0).integers(0, 255, (48, 48), np.uint8)
    settings = CleaningSettings()
    set_steps.run(records, settings, lambda places: np.stack([image] * len(places)))
    # c is like a, and a's copy b has another label.
    assert [one.reason for one in records] == ["conflicting_labels", "exact_copy", "near_copy"]
    assert records[2].step == "near_duplicates"


def test_what_is_counted_of_exact_copies():
    records = [
        record("a", "1"),
        record("b", "1", "sad"),
        record("c", "2"),
        record("d", "2", split="test"),
        record("e", "2"),
        record("f", "3"),
    ]
    records[0].drop("face", "no_face", "counted all the same")
    found = exact_copies(records)
    assert found.to_dict() == {
        "groups": 2, "images": 5, "conflicting_labels": 1, "across_splits": 1,
    }  # fmt: skip


def test_groups_are_the_connected_parts():
    groups = Groups(7)
    for pair in ((5, 1), (1, 3), (6, 0)):
        groups.join(*pair)
    assert groups.of_several() == [[0, 6], [1, 3, 5]]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_order_of_joining_does_not_matter(order):
    pairs = [(0, 4), (4, 8), (2, 8), (5, 6)]
    groups = Groups(9)
    for place in order:
        groups.join(*pairs[place])
    assert groups.of_several() == [[0, 2, 4, 8], [5, 6]]
