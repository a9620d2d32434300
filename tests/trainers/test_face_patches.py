"""Faces cut out of photographs and put back."""

import numpy as np
import pytest

from datasets.emotionset.detectors import Face
from datasets.emotionset.detectors.face import Detector
from trainers.face_patches import FacePatch, NoFaceError, find_patches, whole_picture


class Given(Detector):
    """Finds what it was told."""

    def __init__(self, *faces):
        self.found = list(faces)

    def faces(self, image):
        return self.found


def picture_of(*shape, seed=0):
    """Smooth, so that being made small and large again leaves it nearly as it was."""
    rng = np.random.default_rng(seed)
    y, x = (np.linspace(0, 3, n) for n in shape[:2])
    waves = np.sin(y[:, None] + x[None] * 1.3)[..., None] + rng.uniform(-0.3, 0.3, 3)
    picture = np.rint(128 + 60 * waves).astype(np.uint8)
    return picture[..., 0] if len(shape) == 2 else picture


LEVEL = Face(60, 40, 80, 80)
TILTED = Face(60, 40, 80, 80, eyes=((80, 70), (120, 90)))


@pytest.mark.parametrize("face", [LEVEL, TILTED])
@pytest.mark.parametrize("shape", [(160, 200), (160, 200, 3)])
@pytest.mark.parametrize("image_shape", [(48, 48, 1), (32, 48, 3), (128, 128, 1)])
def test_nothing_changed_gives_the_photograph(face, shape, image_shape):
    picture = picture_of(*shape)
    (patch,) = find_patches(picture, Given(face), "one", 0.1)
    cut = patch.cut(picture, image_shape)
    assert (cut.shape, cut.dtype) == (image_shape, np.uint8)
    np.testing.assert_array_equal(patch.put_back(picture, cut, cut), picture)
    whole = whole_picture(picture)
    cut = whole.cut(picture, image_shape)
    np.testing.assert_array_equal(whole.put_back(picture, cut, cut), picture)


@pytest.mark.parametrize("face", [LEVEL, TILTED])
def test_a_change_comes_back_where_the_face_is_and_nowhere_else(face):
    picture = picture_of(160, 200, 3)
    (patch,) = find_patches(picture, Given(face), "one", 0.0)
    cut = patch.cut(picture, (48, 48, 1))
    edited = patch.put_back(picture, cut, cut + 40)
    change = edited.astype(int) - picture
    assert (np.abs(change[60:100, 80:120] - 40) <= 1).all()
    outside = np.ones((160, 200), bool)
    reach = 60 if face.eyes else 42  # a square that is turned reaches further
    outside[80 - reach : 80 + reach, 100 - reach : 100 + reach] = False
    assert outside.any()
    assert (change[outside] == 0).all()
    # It fades: no seam.
    assert np.abs(np.diff(change[80], axis=0)).max() < 12


def test_a_spot_comes_back_to_its_place_in_a_turned_face():
    picture = picture_of(160, 200)
    picture[70:74, 118:122] = 255  # near one eye
    (patch,) = find_patches(picture, Given(TILTED), "one", 0.1)
    before = patch.cut(picture, (96, 96, 1))
    after = before.copy()
    spot = np.unravel_index(before.argmax(), before.shape)[:2]
    after[spot[0] - 2 : spot[0] + 3, spot[1] - 2 : spot[1] + 3] = 0
    changed = np.abs(patch.put_back(picture, before, after).astype(int) - picture)
    row, column = np.unravel_index(changed.argmax(), changed.shape)
    assert abs(row - 71.5) <= 2
    assert abs(column - 119.5) <= 2


def test_a_small_face_of_a_large_model():
    picture = picture_of(60, 60)
    (patch,) = find_patches(picture, Given(Face(20, 20, 20, 20)), "one", 0.0)
    cut = patch.cut(picture, (64, 64, 1))
    edited = patch.put_back(picture, cut, cut + 30)
    assert abs(int(edited[30, 30]) - picture[30, 30] - 30) <= 1


def test_a_grey_model_keeps_hues_and_a_colour_model_edits_grey():
    picture = np.full((40, 40, 3), (200, 120, 60), np.uint8)
    whole = whole_picture(picture)
    cut = whole.cut(picture, (16, 16, 1))
    darker = whole.put_back(picture, cut, cut // 2)
    luma = np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(darker @ luma, cut[0, 0, 0] // 2, atol=1)
    np.testing.assert_allclose(darker / darker.sum(-1, keepdims=True), picture / 380, atol=0.01)
    grey = np.full((40, 40), 100, np.uint8)
    whole = whole_picture(grey)
    cut = whole.cut(grey, (16, 16, 3))
    red = cut.copy()
    red[..., 0] += 100
    assert (whole.put_back(grey, cut, red) == 130).all()


def test_which_faces():
    picture, large, small = picture_of(160, 200), LEVEL, Face(10, 10, 20, 20)
    with pytest.raises(NoFaceError, match=r"no face was found; .*--detector=none"):
        find_patches(picture, Given(), "all", 0.1)
    with pytest.raises(NoFaceError, match="2 faces were found; give --faces=largest or"):
        find_patches(picture, Given(small, large), "one", 0.1)
    (patch,) = find_patches(picture, Given(small, large), "largest", 0.0)
    assert (patch.height, patch.width) == (80, 80)
    assert len(find_patches(picture, Given(small, large), "all", 0.0)) == 2
    assert isinstance(patch, FacePatch)
