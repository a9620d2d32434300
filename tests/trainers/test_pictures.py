import numpy as np
import pytest

import datasets
from bplf_tf import BPLF, EMOTIONS, ModelConfig
from trainers import pictures

SMALL = {"image_shape": (16, 16, 1), "levels": 1, "depth": 1, "width": 4}


@pytest.fixture(scope="module")
def source():
    return datasets.load("drawn_faces", "validation", image_size=16, limit=21)


def test_the_nearest_image_is_found_across_parts():
    rng = np.random.default_rng(0)
    among = rng.integers(0, 256, size=(5000, 3, 4, 1), dtype=np.uint8)
    wanted = [4999, 0, 4095, 4096, 17]
    noisy = np.clip(among[wanted].astype(int) + rng.integers(-3, 4, (5, 3, 4, 1)), 0, 255)
    assert pictures.nearest(noisy.astype(np.uint8), among).tolist() == wanted


@pytest.mark.parametrize("classes", [EMOTIONS, ()])
def test_every_picture_is_drawn(source, classes):
    model = BPLF(ModelConfig(classes=classes, **SMALL))
    model.initialize(source.images, source.labels if classes else None)
    drawn = pictures.all_pictures(model, source, source, temperature=0.7, seed=0)
    assert set(drawn) == {
        "samples",
        "temperatures",
        "neighbours",
        "reconstruction",
        "interpolation",
    }
    for picture in drawn.values():
        assert min(picture.size) > 90
        assert len(picture.getcolors(2**24)) > 10


def test_reconstruction_shows_no_difference(source):
    model = BPLF(ModelConfig(classes=EMOTIONS, **SMALL))
    model.initialize(source.images, source.labels)
    labels = source.labels[:8]
    np.testing.assert_array_equal(
        model.decode(model.encode(source.images[:8], labels), labels), source.images[:8]
    )
