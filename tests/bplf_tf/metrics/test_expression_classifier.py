"""The classifier as a Keras model: saved and loaded, its two networks, what it refuses."""

import keras
import numpy as np
import pytest

from bplf_tf import BPLF, ModelConfig
from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from bplf_tf.metrics.networks import ARCHITECTURES, FEATURES

LABELS = ("dark", "middling", "bright")
SHAPE = (12, 9, 1)


def faces(count, shape=SHAPE):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


def moved(classifier):
    """With weights that training might have left, batch statistics among them."""
    rng = np.random.default_rng(1)
    for weight in classifier.weights:
        if weight.dtype == "float32":
            weight.assign(np.abs(weight + rng.normal(scale=0.1, size=weight.shape)))
    return classifier


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_was_saved_is_loaded(architecture, tmp_path):
    classifier = moved(ExpressionClassifier(SHAPE, LABELS, architecture))
    classifier.save(tmp_path / "model.keras")
    for path in (tmp_path, tmp_path / "model.keras"):
        again = ExpressionClassifier.load(path)
        assert again.labels == LABELS
        assert again.image_shape == SHAPE
        assert again.architecture == architecture
        images = faces(5)
        np.testing.assert_array_equal(again.probabilities(images), classifier.probabilities(images))
        np.testing.assert_array_equal(again.features(images), classifier.features(images))


def test_features_are_what_the_logits_are_made_of():
    classifier = moved(ExpressionClassifier(SHAPE, LABELS, "b"))
    # Logits of some 40,000 otherwise, whose rounding alone is more than what is compared below.
    classifier._head.set_weights([weight / 10_000 for weight in classifier._head.get_weights()])
    images = faces(300)  # more than a batch
    features = classifier.features(images)
    assert features.shape == (300, FEATURES)
    assert features.dtype == np.float32
    kernel, bias = (weight.numpy() for weight in classifier._head.weights)
    logits = features @ kernel + bias
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    probabilities = classifier.probabilities(images)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert probabilities.dtype == np.float32
    one_by_one = np.concatenate([classifier.probabilities(images[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(one_by_one, probabilities[:3], atol=1e-5)


def test_the_two_networks_differ_in_more_than_weights():
    first, second = (ExpressionClassifier((48, 48, 1), LABELS, name) for name in ("a", "b"))
    kinds = [
        {type(layer).__name__ for layer in classifier._trunk.layers}
        for classifier in (first, second)
    ]
    assert {"MaxPooling2D", "Flatten"} <= kinds[0] - kinds[1]
    assert {"SeparableConv2D", "Add", "GlobalAveragePooling2D"} <= kinds[1] - kinds[0]


def test_mistakes(tmp_path):
    with pytest.raises(ValueError, match="the architectures are a, b, got 'c'"):
        ExpressionClassifier(SHAPE, LABELS, "c")
    with pytest.raises(ValueError, match="two or more different labels"):
        ExpressionClassifier(SHAPE, ("dark", "dark"))
    with pytest.raises(ValueError, match="8 pixels a side"):
        ExpressionClassifier((7, 9, 1), LABELS)
    classifier = ExpressionClassifier(SHAPE, LABELS)
    with pytest.raises(ValueError, match=r"shape \[B, 12, 9, 1\]"):
        classifier.probabilities(faces(2, (9, 12, 1)))
    with pytest.raises(ValueError, match="uint8"):
        classifier.features(faces(2) / 255)
    with pytest.raises(ValueError, match=r"shape \[B, 12, 9, 1\]"):
        classifier.features(faces(0))

    with pytest.raises(FileNotFoundError, match="no model at"):
        ExpressionClassifier.load(tmp_path / "none.keras")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(ValueError, match=r"is not a \.keras file"):
        ExpressionClassifier.load(tmp_path / "text.keras")
    config = ModelConfig(image_shape=(16, 16, 1), classes=LABELS, levels=1, depth=1, width=4)
    BPLF(config).save(tmp_path / "flow.keras")
    with pytest.raises(ValueError, match="holds a BPLF, not an ExpressionClassifier"):
        ExpressionClassifier.load(tmp_path / "flow.keras")


def test_it_is_an_ordinary_keras_model():
    classifier = ExpressionClassifier(SHAPE, LABELS, "a")
    images = faces(32)
    labels = (np.arange(32) % 3).astype(np.int32)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile("adam", loss, jit_compile=False)
    before = classifier.features(images)
    classifier.fit(images, labels, epochs=1, verbose=0)
    assert not np.array_equal(before, classifier.features(images))
