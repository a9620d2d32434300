"""The steps on single images: what each drops, and what happens to the pixels."""

import dataclasses

import numpy as np
import pytest

from datasets.emotionset.hashes import digest
from datasets.emotionset.image_steps import ImageSteps
from datasets.emotionset.settings import CleaningSettings
from tests.datasets.emotionset.fake_source import example, face

NO_FACE = np.random.default_rng(0).integers(0, 255, (48, 48), np.uint8)


def run(one, crops=True, **settings):
    return ImageSteps(CleaningSettings(**settings), crops).run(one, "fake")


def found_face() -> int:
    """A seed whose face the default cascade finds, at 48x48."""
    for seed in range(20):
        if run(example(seed))[0].kept:
            return seed
    raise AssertionError("the cascade finds no drawn face at all")


@pytest.mark.parametrize(
    ("changes", "step", "reason"),
    [
        ({"image": np.zeros((48, 48), np.uint8)}, "blank", "blank"),
        ({"image": np.full((48, 48, 3), 255, np.uint8)}, "blank", "blank"),
        ({"image": 90 + NO_FACE // 100}, "blank", "nearly_constant"),
        ({"image": NO_FACE}, "face", "no_face"),
        ({"image": NO_FACE[:15]}, "read", "too_small"),
        ({"label": "contempt"}, "labels", "contempt"),
        ({"label": "bored"}, "labels", "unknown_label"),
        ({"votes": {"happiness": 5, "NF": 5}}, "not_a_face", "not_a_face"),
    ],
)
def test_what_is_dropped(changes, step, reason):
    record, finished = run(dataclasses.replace(example(found_face()), **changes))
    assert (record.step, record.reason) == (step, reason)
    assert record.detail
    assert finished is None
    assert record.digest, "also what is dropped counts when copies are counted"


@pytest.mark.parametrize("votes", [None, {"happiness": 6, "NF": 4}, {"happiness": 0, "NF": 0}])
def test_votes_that_leave_a_face(votes):
    assert run(example(found_face(), votes=votes))[0].kept


@pytest.mark.parametrize(
    "changes",
    [
        {"image": np.zeros((48, 48), np.uint8)},
        {"image": NO_FACE},
        {"votes": {"NF": 10}},
    ],
)
def test_without_the_steps_everything_stays(changes):
    record, finished = run(example(1, **changes), steps=())
    assert record.kept
    assert finished.picture.shape == (48, 48, 1)


def test_contempt_can_be_kept():
    assert run(example(1, "contempt"), contempt="keep", steps=())[0].kept
    assert not run(example(1, "bored"), contempt="keep", steps=())[0].kept


def test_a_crop_keeps_its_pixels():
    one = example(found_face())
    record, finished = run(one)
    np.testing.assert_array_equal(finished.picture[..., 0], one.image)
    assert record.provenance["face"]["detector"] == "haar"
    assert record.picture_digest == digest(finished.picture) == record.digest


def test_a_photograph_is_cut_to_the_face():
    head = face(found_face(), "happy", 96)
    photograph = np.full((300, 400, 3), 128, np.uint8)
    photograph[120:216, 200:296] = head[..., None]
    record, finished = run(example(0, image=photograph), crops=False, image_size=64, channels=3)
    assert record.kept, record.detail
    left, top, width, height = record.provenance["face"]["box"]
    assert 190 < left < left + width < 306
    assert 110 < top < top + height < 226
    assert finished.picture.shape == (64, 64, 3)
    assert finished.thumbnail.shape == (48, 48)
    # Hardly any of the flat surroundings are left.
    assert np.mean(finished.picture == 128) < 0.4


def test_the_source_image_and_example_are_not_changed():
    one = example(found_face(), provenance={"row": 3})
    before = one.image.copy()
    run(one)
    np.testing.assert_array_equal(one.image, before)
    assert one.provenance == {"row": 3}
