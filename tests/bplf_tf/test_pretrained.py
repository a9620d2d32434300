"""The model that comes with the library."""

import numpy as np
import pytest

import bplf_tf
import datasets
from bplf_tf import EMOTIONS, load_pretrained, pretrained

MOST_BYTES = 3e6


@pytest.fixture(scope="module")
def model():
    return load_pretrained("drawn_faces")


def test_is_small_and_has_a_card():
    folder = pretrained._FOLDER / "drawn_faces"
    assert (folder / "model.keras").stat().st_size <= MOST_BYTES
    card = (folder / "model_card.md").read_text()
    assert "python -m trainers.fit --flagfile=drawn_faces.flags" in card
    assert "held-out images" in card
    assert "transfer_png" not in card  # which only exports have


def test_knows_drawn_faces(model):
    """Far better than untrained (8 bits) on faces that it was not trained on."""
    faces = datasets.load("drawn_faces", "validation", limit=64)
    assert tuple(faces.classes) == model.config.classes == EMOTIONS
    assert model.bits_per_dim(faces.images, faces.labels).mean() < 4.4


def test_reads_the_expression_of_most_faces(model):
    """By Bayes' rule from the conditional likelihoods: the label matters."""
    faces = datasets.load("drawn_faces", "validation", limit=64)
    scores = np.stack([model.log_prob(faces.images, label) for label in EMOTIONS], axis=1)
    assert (scores.argmax(axis=1) == faces.labels).mean() > 0.8


def test_unknown_name_is_told():
    with pytest.raises(ValueError, match="unknown pretrained model 'faces'; there are drawn_faces"):
        bplf_tf.load_pretrained("faces")
