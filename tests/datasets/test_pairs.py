"""Pairs of drawn people: who is in them, where their eyes are, in which style they are drawn."""

import numpy as np
import pytest

from bplf_tf import EMOTIONS
from datasets.drawn_faces import draw_face, render, sample_person
from datasets.drawn_faces.parallel import draw_many
from datasets.drawn_faces.parameters import ActionUnits
from datasets.drawn_faces.pose import EYE_DISTANCE, EYE_LEVEL, aligned, face_coordinates
from datasets.drawn_faces.styles import STYLES, in_style
from datasets.pairs import FacePairs, load_pairs


def test_each_person_is_neutral_and_shows_every_other_emotion():
    pairs = load_pairs("drawn_faces", "validation", people=2, image_size=16, align=False)
    assert pairs.neutral.shape == pairs.expressive.shape == (12, 16, 16, 1)
    assert pairs.expressions == tuple(name for name in EMOTIONS if name != "neutral")
    for place in range(len(pairs)):
        seed, label = int(pairs.people[place]), int(pairs.labels[place])
        assert seed == 1_000_000_000 + place // 6
        np.testing.assert_array_equal(pairs.neutral[place], draw_face(seed, "neutral", 16))
        np.testing.assert_array_equal(pairs.expressive[place], draw_face(seed, label, 16))


def test_the_same_at_every_call_and_nobody_in_two_splits():
    first, again = (load_pairs("drawn_faces", "train", people=3, image_size=16) for _ in range(2))
    np.testing.assert_array_equal(first.expressive, again.expressive)
    people = [
        set(load_pairs("drawn_faces", split, people=3, image_size=16).people)
        for split in ("train", "validation", "test")
    ]
    assert len(set.union(*people)) == 9


def test_processes_change_nothing():
    alone, together = (
        list(draw_many(5, 21, 16, 1, processes, faces_each=7, align=True)) for processes in (1, 2)
    )
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(alone[8], draw_face(6, 1, 16, align=True))


@pytest.mark.parametrize("seed", range(5))
def test_aligned_eyes_lie_where_they_are_said_to(seed):
    face = aligned(sample_person(seed))
    for side in (-1, 1):
        x = (side * EYE_DISTANCE / 2 - face.shift_x) / face.scale
        y = (EYE_LEVEL - face.shift_y) / face.scale
        found = face_coordinates(face, np.array(x), np.array(y))
        np.testing.assert_allclose(found, (side * face.eye_spacing, face.eye_height), atol=0.02)


def test_alignment_makes_people_more_alike():
    def spread(align):
        faces = [draw_face(seed, "neutral", 32, align=align) for seed in range(12)]
        eyes = np.stack(faces)[:, 6:14, 4:28].astype(float)  # around their level
        eyes -= eyes.mean(axis=(1, 2, 3), keepdims=True)
        return (eyes.std(axis=0) ** 2).mean() / (eyes**2).mean()

    assert spread(True) < spread(False)


def test_aligned_faces_are_drawn_as_any_others():
    face = aligned(sample_person(3))
    np.testing.assert_array_equal(
        draw_face(3, "neutral", 16, align=True).shape, render(face, ActionUnits(), 3, 16).shape
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_styles(channels):
    face = draw_face(0, "happy", 48, channels)
    drawn = {style: in_style(face, style) for style in STYLES}
    for image in drawn.values():
        assert (image.dtype, image.shape) == (np.uint8, face.shape)
    np.testing.assert_array_equal(drawn["photograph"], face)
    assert drawn["pencil"].mean() > face.mean() + 30  # mostly paper
    assert len(np.unique(drawn["painting"])) == 6
    with pytest.raises(ValueError, match="style must be one of photograph, pencil, painting"):
        in_style(face, "cubism")


def some(**changes):
    values = {
        "name": "some",
        "split": "train",
        "neutral": np.zeros([2, 4, 4, 1], np.uint8),
        "expressive": np.ones([2, 4, 4, 1], np.uint8),
        "labels": np.array([0, 1], np.int32),
        "people": np.array(["a", "b"]),
        "classes": ("happy", "sad", "neutral"),
        "provenance": {},
    }
    return FacePairs(**{**values, **changes})


def test_pairs_of_one_expression():
    pairs = some().of("sad")
    assert (len(pairs), list(pairs.people), pairs.expressions) == (1, ["b"], ("sad",))
    assert pairs.image_shape == (4, 4, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"neutral": np.zeros([2, 4, 4, 1])}, "neutral images must be uint8 .* float64"),
        ({"expressive": np.zeros([1, 4, 4, 1], np.uint8)}, "images of one shape"),
        ({"labels": np.array([0, 2], np.int32)}, "must be an expression"),
        ({"labels": np.array([0, 7], np.int32)}, "must be an expression"),
        ({"people": np.array(["a"])}, r"people must have shape \[2\]; got \[2\] and \[1\]"),
        ({"classes": ("happy", "sad")}, "classes must have 'neutral'"),
        ({"split": "all"}, "split must be one of"),
    ],
)
def test_what_are_no_pairs(changes, message):
    with pytest.raises(ValueError, match=message):
        some(**changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mnist", "train"), "no pairs of 'mnist'; there are of drawn_faces, emotionset"),
        (("drawn_faces", "train", None, None, None, 0), "people must be a positive number"),
        (("drawn_faces", "test", None, None, None, 701), "people must be 1 to 700 for test"),
        (("emotionset", "test", None, None, None, None, False), "drawn faces alone"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_pairs(*arguments)
