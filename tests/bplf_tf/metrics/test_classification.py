import numpy as np
import pytest

from bplf_tf.metrics.classification import (
    accuracy,
    classification_figures,
    figures_of_confusion,
    macro_f1,
)

LABELS = ("cat", "dog", "owl")


def test_by_hand():
    true, read = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    found = classification_figures(true, read, LABELS)
    assert found["accuracy"] == accuracy(true, read) == 0.75
    # cat: precision 1, recall 1/2, F1 2/3; dog: precision 2/3, recall 1, F1 4/5. No owl occurs.
    assert found["per_label"]["cat"] == pytest.approx(
        {"precision": 1, "recall": 0.5, "f1": 2 / 3, "images": 2}
    )
    assert found["per_label"]["dog"]["f1"] == pytest.approx(0.8)
    assert found["per_label"]["owl"] == {"precision": 0, "recall": 0, "f1": 0, "images": 0}
    assert found["macro_f1"] == macro_f1(true, read) == pytest.approx((2 / 3 + 0.8) / 2)
    assert found["confusion"] == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]


def test_figures_of_counts_are_those_of_images():
    rng = np.random.default_rng(0)
    true, read = rng.integers(0, 2, 50), rng.choice([0, 1, 3], 50)  # 2 neither occurs nor is read
    found = classification_figures(true, read, "abcd")
    right, macro, recall, f1 = figures_of_confusion(np.array(found["confusion"]))
    assert (right, macro) == pytest.approx((found["accuracy"], found["macro_f1"]))
    for values, name in ((recall, "recall"), (f1, "f1")):
        np.testing.assert_allclose(values, [of[name] for of in found["per_label"].values()])


def test_a_label_never_read_counts_as_nothing():
    assert macro_f1(np.array([0, 1]), np.array([0, 0])) == pytest.approx((2 / 3 + 0) / 2)


def test_mistakes():
    for true, read in (([0, 1], [0]), ([], [])):
        with pytest.raises(ValueError, match="must be"):
            classification_figures(np.array(true), np.array(read), LABELS)
