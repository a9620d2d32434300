import math

import numpy as np
import pytest

from bplf_tf.metrics.memorisation import (
    compare_distances,
    memorisation_figures,
    memorised_over_seeds,
    nearest,
    nearest_or_mirrored,
)


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


@pytest.mark.parametrize("channels", [1, 3])
def test_mirrored_neighbours_are_those_of_a_search_one_by_one(channels):
    bank = pictures(40, channels, (6, 5, channels))
    images = pictures(7, 10 + channels, (6, 5, channels))
    images[0] = bank[31]
    images[1] = bank[12][:, ::-1]
    expected = np.array(
        [
            [
                min(
                    math.sqrt(np.sum((one.astype(float) - other) ** 2))
                    for one in (image, image[:, ::-1])
                )
                for other in bank
            ]
            for image in images
        ]
    )
    places, distances = nearest_or_mirrored(images, bank)
    np.testing.assert_allclose(distances, expected.min(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(places, expected.argmin(axis=1))
    assert distances[0] == distances[1] == 0
    assert nearest(images, bank)[1][1] > 0


def test_sets_of_several_seeds():
    rng = np.random.default_rng(0)
    held_out = rng.normal(size=300)
    sets = [rng.normal(size=200) for _ in range(3)]
    found = memorised_over_seeds(sets, held_out)
    for name in ("nearer", "copies"):
        values = [compare_distances(distances, held_out)[name] for distances in sets]
        assert found[name]["values"] == values
        assert found[name]["mean"] == pytest.approx(np.mean(values))
        low, high = found[name]["interval"]
        assert 0 <= low <= found[name]["mean"] <= high <= 1
    # More seeds do not make the held-out images more: their error stays.
    low, high = found["nearer"]["interval"]
    many = memorised_over_seeds([rng.normal(size=2000) for _ in range(10)], held_out)
    wide = np.diff(many["nearer"]["interval"])[0]
    assert 0.5 * (high - low) < wide < high - low


def test_the_interval_of_nearer_covers():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        sets = [rng.exponential(size=40) for _ in range(2)]
        low, high = memorised_over_seeds(sets, rng.exponential(size=60))["nearer"]["interval"]
        hits += low < 0.5 < high
    assert 182 <= hits <= 198  # of 190 expected


def test_copies_alone_are_not_certain_to_be_all():
    found = memorised_over_seeds([np.zeros(20)], np.arange(1.0, 51.0))
    assert found["copies"]["mean"] == found["nearer"]["mean"] == 1
    assert found["copies"]["interval"][0] < 0.9


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
