import numpy as np
import pytest

import datasets
from bplf_tf import BPLF, EMOTIONS, ModelConfig
from trainers import pictures

SMALL = {"image_shape": (16, 16, 1), "levels": 1, "depth": 1, "width": 4}


@pytest.fixture(scope="module")
def source():
    return datasets.load("drawn_faces", "validation", image_size=16, limit=21)


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
