import numpy as np
import pytest

from bplf_tf.metrics.memorisation import memorisation_figures, nearest


def pictures(count, seed, shape=(6, 6, 1)):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


def test_the_nearest_is_the_nearest():
    images, among = pictures(9, 0), pictures(40, 1)
    among[17] = images[4]
    distances = np.linalg.norm((images[:, None].astype(float) - among).reshape(9, 40, -1), axis=-1)
    places, found = nearest(images, among)
    np.testing.assert_array_equal(places, distances.argmin(axis=1))
    np.testing.assert_allclose(found, distances.min(axis=1))
    assert found[4] == 0


def test_copies_of_the_training_images_are_flagged():
    train, held_out = pictures(200, 0), pictures(100, 1)
    noise = np.random.default_rng(2).integers(-2, 3, (100, 6, 6, 1))
    copies = np.clip(train[:100].astype(int) + noise, 0, 255).astype(np.uint8)
    found = memorisation_figures(copies, held_out, train)
    assert found["nearer"] == 1
    assert found["copies"] == 1
    assert found["distance"] < found["held_out_distance"] / 10
    some = np.concatenate([copies[:30], pictures(70, 3)])
    assert memorisation_figures(some, held_out, train)["copies"] == pytest.approx(0.3, abs=0.03)


def test_new_images_of_the_same_kind_are_not():
    train = pictures(200, 0)
    found = memorisation_figures(pictures(300, 1), pictures(300, 2), train)
    assert found["nearer"] == pytest.approx(0.5, abs=0.07)
    assert found["copies"] < 0.04


def test_the_probability_by_hand():
    train, held_out = np.zeros((1, 1)), np.array([[2.0], [4.0]])
    # Distances 1, 2 and 5 against 2 and 4: nearer in 1<2, 1<4, 2<4, and half of 2 = 2, of 6 pairs.
    found = memorisation_figures(np.array([[1.0], [2.0], [5.0]]), held_out, train)
    assert found["nearer"] == pytest.approx(3.5 / 6)


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="one shape"):
        nearest(pictures(2, 0), pictures(2, 0, (5, 5, 1)))
