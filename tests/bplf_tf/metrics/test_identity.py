import numpy as np
import pytest

from bplf_tf.metrics.identity import cosines, verification


def people(count=12, faces=4, noise=0.2, seed=0):
    rng = np.random.default_rng(seed)
    middle = np.repeat(rng.normal(size=(count, 16)), faces, axis=0)
    return middle + noise * rng.normal(size=middle.shape), np.repeat(np.arange(count), faces)


def test_features_of_people_verify_and_noise_does_not():
    features, who = people()
    found = verification(features, who)
    assert found["auc"] > 0.99
    assert found["people"] == 12
    low, high = found["interval"]
    assert low <= found["auc"] <= high <= 1
    strangers = np.random.default_rng(1).normal(size=features.shape)
    low, high = verification(strangers, who)["interval"]
    assert low < 0.5 < high


def test_the_area_by_hand():
    # Directions in the plane; the gallery is one face of each of two people.
    gallery = np.array([[1.0, 0.0], [0.0, 1.0]])
    probes = np.array([[3.0, 1.0], [2.0, 1.0], [0.0, 5.0]])
    found = verification(probes, ["a", "b", "b"], gallery, ["a", "b"])
    # Same: .949 (a), .447 (b), 1 (b); different: .316, .894, 0. Of 9, one is in the wrong order.
    assert found["auc"] == pytest.approx(8 / 9)


def test_a_face_is_no_pair_with_itself():
    features, who = people(noise=5.0)
    alone = verification(features, who)["auc"]
    with_itself = verification(features, who, features, who)["auc"]
    assert with_itself > alone + 0.1


def test_cosines_do_not_see_lengths():
    first = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(cosines(first, 5 * first), cosines(first, first))
    np.testing.assert_allclose(np.diag(cosines(first, first)), 1)
    assert np.isfinite(cosines(np.zeros((1, 4)), first)).all()


def test_mistakes():
    features, _ = people(3, 1)
    for who in (["a", "b", "c"], ["a", "a", "a"]):
        with pytest.raises(ValueError, match="pairs of faces of one person, and of two"):
            verification(features, who)
