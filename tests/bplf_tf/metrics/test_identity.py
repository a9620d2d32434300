import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

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


def test_the_area_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    features, who = rng.integers(0, 3, (40, 2)), rng.integers(0, 9, 40)
    scores, apart = cosines(features, features), ~np.eye(40, dtype=bool)
    assert len(np.unique(scores)) < 20  # many pairs are as alike as each other
    expected = roc_auc_score((who[:, None] == who)[apart], scores[apart])
    assert verification(features, who, resamples=2)["auc"] == pytest.approx(expected)


def simulated(rng, count=15, faces=3, noise=1.5):
    middle = np.repeat(rng.normal(size=(count, 8)), faces, axis=0)
    who = np.repeat(np.arange(count), faces)
    return middle + noise * rng.normal(size=middle.shape), who


def test_intervals_cover_what_other_people_would_give():
    rng = np.random.default_rng(0)
    truth = np.mean([verification(*simulated(rng), resamples=2)["auc"] for _ in range(400)])
    assert 0.6 < truth < 0.9
    hits = 0
    for _ in range(100):
        low, high = verification(*simulated(rng), resamples=200)["interval"]
        hits += low < truth < high
    assert 86 <= hits <= 99  # of 95 expected; few people cost some


def test_intervals_cover_with_a_gallery():
    """People are who is drawn on both sides: the gallery's faces would be others too."""
    rng = np.random.default_rng(1)

    def found(resamples):
        features, who = simulated(rng, count=20)
        before = np.arange(len(who)) % 3 == 0
        return verification(
            features[~before], who[~before], features[before], who[before], resamples
        )

    truth = np.mean([found(2)["auc"] for _ in range(400)])
    hits = 0
    for _ in range(100):
        low, high = found(200)["interval"]
        hits += low < truth < high
    assert 86 <= hits <= 99


def test_who_is_always_recognised_is_not_recognised_for_certain():
    features, who = people(noise=0.0)
    found = verification(features, who)
    assert found["auc"] == 1
    low, high = found["interval"]
    assert 0.6 < low < 0.9 < high <= 1  # of twelve people


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
