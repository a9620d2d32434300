"""The drawn faces as pictures: shapes, seeds, pairs, and every parameter's influence."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bplf_tf.config import EMOTIONS
from datasets.drawn_faces.parameters import FACE_RANGES, UNIT_NAMES, ActionUnits, FaceParameters
from datasets.drawn_faces.render import draw_face, pair, render
from datasets.drawn_faces.sampling import sample_expression, sample_person

# Everything that can hide is shown, and nothing hides the rest: folds are deep, the hair is long
# enough to fall beside the face, yet no fringe covers the brows.
SHOWN = dataclasses.replace(
    FaceParameters(),
    beard=0.5, moustache=0.5, stubble=0.0, glasses=0.6, hair_fringe=0.2, hair_length=0.6,
    hair_greyness=0.3, skin_tone=0.3, scale=1.1, yaw=0.1, light_azimuth=0.4,
    background_gradient=0.1,
)  # fmt: skip


def _difference(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.abs(first.astype(np.float64) - second.astype(np.float64))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [16, 31, 48, 64, 100])
def test_shape_and_type(size, channels):
    face = draw_face(3, "happy", size=size, channels=channels)
    assert face.shape == (size, size, channels)
    assert face.dtype == np.uint8
    assert face.std() > 15


def test_grey_is_the_luminance_of_the_colours():
    quiet = dataclasses.replace(SHOWN, grain=0.0, light_warmth=0.0)
    colour = render(quiet, ActionUnits(), channels=3).astype(np.float64)
    grey = render(quiet, ActionUnits(), channels=1).astype(np.float64)
    assert np.abs(colour @ [0.299, 0.587, 0.114] - grey[..., 0]).mean() < 4


def test_sizes_show_the_same_face():
    small = draw_face(11, "sad", size=32).astype(np.float64)
    large = draw_face(11, "sad", size=64).astype(np.float64)
    reduced = large.reshape(32, 2, 32, 2, 1).mean(axis=(1, 3))
    assert np.abs(reduced - small).mean() < 5
    assert np.corrcoef(reduced.ravel(), small.ravel())[0, 1] > 0.97


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**63 - 1), st.integers(0, 6))
def test_any_seed_gives_the_same_face_twice(seed, emotion):
    face = draw_face(seed, emotion)
    np.testing.assert_array_equal(face, draw_face(seed, EMOTIONS[emotion]))
    assert face.std() > 5
    assert len(np.unique(face)) > 25
    # Clear of both ends of the range, where a density model would meet a wall.
    assert np.mean((face == 0) | (face == 255)) < 0.01


def test_same_face_in_another_process():
    code = (
        "import sys; from datasets.drawn_faces.render import draw_face;"
        "sys.stdout.buffer.write(draw_face(5, 'fear').tobytes())"
    )
    root = Path(__file__).parents[2]
    other = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
    assert other.stdout == draw_face(5, "fear").tobytes()


def test_seeds_differ():
    faces = np.stack([draw_face(seed, "neutral") for seed in range(12)]).astype(np.float64)
    for first in range(12):
        for second in range(first):
            assert np.abs(faces[first] - faces[second]).mean() > 8


def test_emotions_of_one_person_differ():
    faces = [draw_face(4, emotion) for emotion in EMOTIONS]
    for first in range(len(EMOTIONS)):
        for second in range(first):
            assert _difference(faces[first], faces[second]).max() > 25


def test_no_flat_region():
    """Everywhere there is grain: no 4x4 block is constant."""
    for seed in range(5):
        face = draw_face(seed, "neutral")[..., 0].astype(np.float64)
        blocks = face.reshape(12, 4, 12, 4).transpose(0, 2, 1, 3).reshape(144, 16)
        assert blocks.std(axis=1).min() > 0.4


@pytest.mark.parametrize("emotion", [e for e in EMOTIONS if e != "neutral"])
def test_pair_differs_where_the_expression_is(emotion):
    """The same person and photograph: what changes lies around brows, eyes, nose and mouth."""
    inside, outside = [], []
    for seed in range(8):
        # Upright and in place, so that the face's parts are where the window is.
        person = dataclasses.replace(
            sample_person(seed), scale=1.2, shift_x=0.0, shift_y=-0.1, roll=0.0, yaw=0.0
        )
        change = _difference(
            render(person, sample_expression(seed, "neutral"), seed),
            render(person, sample_expression(seed, emotion), seed),
        )[..., 0]
        window = np.zeros((48, 48), bool)
        window[8:48, 9:39] = True
        inside.append(change[window].mean())
        outside.append(change[~window].mean())
    assert np.mean(inside) > 3
    assert np.mean(inside) > 3 * np.mean(outside)


def test_pair_is_two_drawn_faces():
    neutral, expressive = pair(9, "surprise", size=32, channels=3)
    np.testing.assert_array_equal(neutral, draw_face(9, "neutral", 32, 3))
    np.testing.assert_array_equal(expressive, draw_face(9, "surprise", 32, 3))


def test_pair_has_the_same_background_and_grain():
    small = dataclasses.replace(FaceParameters(), scale=0.9, hair_length=0.2)
    neutral = render(small, ActionUnits(), seed=2)
    expressive = render(small, sample_expression(2, "surprise"), seed=2)
    np.testing.assert_array_equal(neutral[:6, :6], expressive[:6, :6])
    assert neutral[:6, :6].std() > 0.5


def test_at_least_25_continuous_parameters():
    assert len(FACE_RANGES) + len(UNIT_NAMES) >= 25
    assert all(low < high for low, high in FACE_RANGES.values())


@pytest.mark.parametrize("name", FACE_RANGES)
def test_every_parameter_changes_the_picture(name):
    low, high = FACE_RANGES[name]
    base = SHOWN
    if name == "stubble":
        base = dataclasses.replace(base, beard=0.0, moustache=0.0)
    channels = 3 if name in ("light_warmth", "skin_redness") else 1
    first, second = (
        render(dataclasses.replace(base, **{name: value}), ActionUnits(), channels=channels)
        for value in (low, high)
    )
    assert _difference(first, second).max() >= 5, f"{name} has no visible effect"


@pytest.mark.parametrize("name", UNIT_NAMES)
def test_every_action_unit_changes_the_picture(name):
    rest = {"lips_part": 0.6} if name == "lips_part" else {}
    shown = dataclasses.replace(SHOWN, glasses=0.0, beard=0.0, moustache=0.0)
    first = render(shown, ActionUnits())
    second = render(shown, ActionUnits(**{name: 1.0} | rest))
    assert _difference(first, second).max() >= 15, f"{name} has no visible effect"


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_parameters_act_continuously(data):
    """A small step of any parameter makes a small change."""
    name = data.draw(st.sampled_from(sorted(FACE_RANGES)))
    low, high = FACE_RANGES[name]
    place = data.draw(st.floats(0.0, 0.99))
    # Below their thresholds these are not drawn at all; they start there with little opacity.
    start, step = low + place * (high - low), 0.004 * (high - low)
    first, second = (
        render(dataclasses.replace(SHOWN, **{name: value}), ActionUnits())
        for value in (start, start + step)
    )
    assert _difference(first, second).mean() < 1.5


def test_person_lies_in_the_ranges():
    for seed in range(50):
        person = sample_person(seed)
        for name, value in dataclasses.asdict(person).items():
            low, high = FACE_RANGES[name]
            slack = 0.5 * (high - low)  # types of people shift some ranges a little
            assert low - slack <= value <= high + slack, name


def test_person_is_independent_of_the_emotion_and_expressions_vary():
    units = [sample_expression(seed, "anger") for seed in range(20)]
    assert len(set(units)) == 20
    bare = [unit.teeth_bare > 0.3 for unit in units]
    assert any(bare)
    assert not all(bare)
    neutral = sample_expression(0, "neutral")
    assert max(dataclasses.asdict(neutral).values()) < 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"emotion": "joy"}, "anger, disgust"),
        ({"emotion": 7}, r"\[0, 7\)"),
        ({"emotion": -1}, r"\[0, 7\)"),
        ({"emotion": True}, "True"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"size": 8}, r"\[16, 512\], got 8"),
        ({"size": 48.5}, "48.5"),
        ({"channels": 2}, "1 .grey. or 3"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_face(**({"seed": 0, "emotion": "happy"} | arguments))
