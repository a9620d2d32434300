"""No image and no person in two splits, and the check that would notice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.emotionset.record import Record
from datasets.emotionset.splits import SplitError, assign, prove


def record(place, subject=None, official=None, source="test", digest=None):
    return Record(
        key=f"{source}/{place}",
        source=source,
        label="happy",
        subject=subject,
        official_split=official,
        digest=digest or f"digest {place}",
        picture_digest=f"picture {place}",
    )


def test_official_splits_are_kept():
    records = [record(i, official=name) for i, name in enumerate(("test", "train", "validation"))]
    assign(records, 0.5, 0.4)
    assert [one.split for one in records] == ["test", "train", "validation"]


def test_people_are_shared_out():
    records = [record(i, subject=f"person {i % 20}") for i in range(200)]
    assign(records, 0.1, 0.2)
    people = {split: {r.subject for r in records if r.split == split} for split in
              ("train", "validation", "test")}  # fmt: skip
    assert {split: len(names) for split, names in people.items()} == {
        "train": 14, "validation": 2, "test": 4,
    }  # fmt: skip
    prove(records)


@pytest.mark.parametrize(("people", "held_out"), [(10, 1), (3, 1), (2, 0), (1, 0)])
def test_few_people(people, held_out):
    records = [record(i, subject=f"person {i}") for i in range(people)]
    assign(records, 0.1, 0.1)
    for split in ("validation", "test"):
        assert sum(one.split == split for one in records) == held_out


def test_nobodys_images_go_by_their_pixels():
    records = [record(i, digest=f"{i % 1000}") for i in range(2000)]
    assign(records, 0.1, 0.1)
    assert [one.split for one in records[:1000]] == [one.split for one in records[1000:]]
    for split in ("validation", "test"):
        assert 70 < sum(one.split == split for one in records[:1000]) < 130


def test_what_is_dropped_moves_nobody():
    def splits(dropped):
        records = [record(i, subject=f"person {i}") for i in range(30)]
        for place in dropped:
            records[place].drop("face", "no_face", "none")
        assign(records, 0.2, 0.2)
        return [one.split for one in records]

    assert splits(range(10)) == splits(()) == splits(range(5, 30))


SUBJECTS = st.one_of(st.none(), st.integers(0, 8).map(lambda number: f"person {number}"))
DIGESTS = st.integers(0, 30).map(str)


@given(st.lists(st.tuples(SUBJECTS, DIGESTS), max_size=60), st.floats(0, 0.5), st.floats(0, 0.45))
def test_every_image_has_a_split_and_every_person_one(images, validation, test):
    records = [record(i, subject=one) for i, (one, _) in enumerate(images)]
    assign(records, validation, test)
    proof = prove(records)
    assert proof["kept"] == len(images)
    assert proof["people"] == len({one for one, _ in images if one})
    # In any other order too.
    again = [record(i, subject=one) for i, (one, _) in enumerate(images)][::-1]
    assign(again, validation, test)
    assert [one.split for one in again[::-1]] == [one.split for one in records]


def planted(**second):
    records = [record(0, "anna", "train"), record(1, "berta", "test")]
    assign(records, 0.1, 0.1)
    for name, value in second.items():
        setattr(records[1], name, value)
    return records


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"digest": "digest 0"}, "the same image is in two splits: test/0 in train and test/1"),
        ({"picture_digest": "picture 0"}, "the same finished picture is in two splits"),
        ({"subject": "anna"}, "the same person is in two splits"),
        ({"split": None}, r"test/1 is in no split \(None\)"),
        ({"split": "all"}, "in no split"),
    ],
)
def test_a_leak_is_noticed(second, message):
    prove(planted())
    with pytest.raises(SplitError, match=message):
        prove(planted(**second))
    dropped = planted(**second)
    dropped[1].drop("face", "no_face", "none")
    prove(dropped)
