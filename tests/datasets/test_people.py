"""People of known identity: drawn ones, and the Olivetti faces in both forms."""

import dataclasses

import joblib
import numpy as np
import pytest

from bplf_tf.metrics.memorisation import nearest
from datasets.drawn_faces.parameters import FACE_RANGES
from datasets.drawn_faces.people import OF_A_PHOTOGRAPH, draw_people
from datasets.drawn_faces.render import render
from datasets.drawn_faces.sampling import sample_expression, sample_person
from datasets.people import load_people


def test_a_person_stays_while_photographs_change():
    images, names = draw_people("train", people=3, photographs=4, size=16)
    assert images.shape == (12, 16, 16, 1)
    assert names == ["0"] * 4 + ["1"] * 4 + ["2"] * 4
    _, distances = nearest(images, np.roll(images, 1, axis=0))
    assert (distances > 0).sum() == 0  # the same pictures, in another order
    assert len({image.tobytes() for image in images}) == 12
    # The second photograph of the third person, put together by hand.
    seed = 500_000_000 + 2 * 4 + 1
    other = sample_person(seed)
    changed = {name: getattr(other, name) for name in OF_A_PHOTOGRAPH}
    face = dataclasses.replace(sample_person(2), **changed)
    expected = render(face, sample_expression(seed, (2 + 1) % 7), seed, 16, 1)
    np.testing.assert_array_equal(images[9], expected)


def test_what_a_photograph_changes():
    kept = set(FACE_RANGES) - set(OF_A_PHOTOGRAPH)
    assert {"head_width", "eye_spacing", "nose_length", "skin_tone", "hair_part", "beard"} <= kept
    assert {"yaw", "scale", "gaze_x", "light_azimuth", "background", "grain"} <= set(
        OF_A_PHOTOGRAPH
    )


def test_no_person_is_in_two_splits():
    parts = [
        load_people("drawn_faces", split, people=4, photographs=2, image_size=16)
        for split in ("train", "test")
    ]
    assert not set(parts[0].classes) & set(parts[1].classes)
    assert len(parts[0].classes) == 4
    assert parts[0].class_counts() == dict.fromkeys(parts[0].classes, 2)


def olivetti(people=13):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (people * 3, 20, 20), np.uint8)
    return images, np.repeat(np.arange(people), 3).astype(np.uint8)


def test_an_npz_of_olivetti_faces(tmp_path):
    images, labels = olivetti()
    path = tmp_path / "olivetti.npz"
    np.savez(path, images=images, labels=labels)
    train, held_out = (load_people("olivetti", split, path) for split in ("train", "test"))
    assert train.classes == ("person 0", "person 1", "person 2")
    assert len(held_out.classes) == 10
    np.testing.assert_array_equal(train.images[..., 0], images[:9])
    np.testing.assert_array_equal(held_out.images[..., 0], images[9:])
    assert load_people("olivetti", "train", path, image_size=16).image_shape == (16, 16, 1)


def test_olivetti_faces_as_scikit_learn_keeps_them(tmp_path):
    """Its file holds 400 rows of 64x64, columns first, ten of each of 40 people."""
    faces = np.random.default_rng(0).random((400, 4096), np.float32)
    faces[0, :2] = 0, 1
    joblib.dump(faces, tmp_path / "olivetti_py3.pkz", compress=6)
    train = load_people("olivetti", "train", tmp_path)
    assert len(train) == 300
    expected = np.rint(255 * faces[0].reshape(64, 64).T)
    np.testing.assert_array_equal(train.images[0, ..., 0], expected)
    assert train.class_counts()["person 7"] == 10


@pytest.mark.real_data
def test_the_real_olivetti_faces(shared_data):
    train = load_people("olivetti", "train", shared_data / "olivetti.npz")
    assert len(train) == 300
    assert train.image_shape == (64, 64, 1)


def test_mistakes(tmp_path):
    with pytest.raises(ValueError, match="there are no people of 'mnist'"):
        load_people("mnist", "train")
    with pytest.raises(FileNotFoundError, match="need --data_path"):
        load_people("olivetti", "train")
    with pytest.raises(FileNotFoundError, match="has no Olivetti faces"):
        load_people("olivetti", "train", tmp_path)
    with pytest.raises(ValueError, match="needs people and photographs, got 0 and 2"):
        load_people("drawn_faces", "train", people=0, photographs=2)
    images, labels = olivetti(4)
    np.savez(tmp_path / "few.npz", images=images, labels=labels)
    with pytest.raises(ValueError, match="has 4 people; more than 10"):
        load_people("olivetti", "train", tmp_path / "few.npz")
    np.savez(tmp_path / "other.npz", x=images)
    with pytest.raises(ValueError, match="needed are images and labels"):
        load_people("olivetti", "train", tmp_path / "other.npz")
