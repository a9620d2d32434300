"""From labels to condition vectors."""

import numpy as np
import pytest

from bplf_tf.labels import condition_vectors

CLASSES = ("anger", "happy", "sad")


@pytest.mark.parametrize("label", ["happy", 1, np.int64(1), [0.0, 1.0, 0.0]])
def test_one_label(label: object) -> None:
    np.testing.assert_array_equal(condition_vectors(label, CLASSES, "float32"), [0, 1, 0])


@pytest.mark.parametrize("labels", [["sad", "anger"], [2, 0], np.array([2, 0], np.uint8)])
def test_several_labels(labels: object) -> None:
    vectors = condition_vectors(labels, CLASSES, "float64")
    np.testing.assert_array_equal(vectors, [[0, 0, 1], [1, 0, 0]])
    assert vectors is not None
    assert vectors.dtype == np.float64


def test_mixtures_pass_as_they_are() -> None:
    mixture = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    np.testing.assert_array_equal(condition_vectors(mixture, CLASSES, "float64"), mixture)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("joy", "unknown label 'joy'; the classes are anger, happy, sad"),
        (["sad", "joy"], "unknown label 'joy'"),
        (3, r"label 3 is out of range 0\.\.2"),
        ([0, -1], r"label -1 is out of range 0\.\.2"),
        ([[0, 1]], "integer labels must have shape"),
        ([0.5, 0.5], "a condition vector has 3 floats"),
        ([np.nan, 0.0, 1.0], "NaN or infinite"),
        (None, "a label is needed; the classes are"),
        (True, "a label is a name, an integer or a vector"),
    ],
)
def test_bad_labels_are_refused(label: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        condition_vectors(label, CLASSES, "float32")


def test_unconditional_models_take_no_label() -> None:
    assert condition_vectors(None, (), "float32") is None
    with pytest.raises(ValueError, match="unconditional"):
        condition_vectors("happy", (), "float32")
