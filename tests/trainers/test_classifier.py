import dataclasses
import json

import numpy as np
import pytest

import datasets
from bplf_tf.metrics.confidence import share_interval
from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from datasets.flags import UserError
from tests.trainers.brightness import CLASSES, brightness_source, pictures
from trainers import classifier
from trainers.classifier import ClassifierSettings, read_figures, table
from trainers.classifier_fit import ClassifierPlan, augmentation, fit_classifier, kept_apart

QUICK = ClassifierPlan(architecture="b", epochs=8, batch_size=20, learning_rate=3e-3)


def test_it_learns_and_is_measured_on_what_it_has_not_seen():
    fitted = fit_classifier(brightness_source(), QUICK, verbose=0)
    held_out = brightness_source("validation", 60, seed=1)
    figures = read_figures(fitted, held_out)
    assert figures["accuracy"] > 0.9
    low, high = figures["accuracy_interval"]
    assert low <= figures["accuracy"] <= high
    assert figures["images"] == 60
    assert fitted.labels == CLASSES
    wrong = dataclasses.replace(held_out, labels=np.roll(held_out.labels, 1))
    assert read_figures(fitted, wrong)["accuracy"] < 0.1
    text = table(figures, fitted.labels)
    assert "held-out images" in text
    # The rows of the confusion matrix add up to the images of each label.
    rows = [line.split() for line in text.splitlines()[-3:]]
    assert [row[0] for row in rows] == list(CLASSES)
    assert all(sum(map(int, row[1:])) == 20 for row in rows)


def test_what_was_fitted_in_bfloat16_reads_in_float32():
    plan = dataclasses.replace(QUICK, network_dtype="mixed_bfloat16")
    fitted = fit_classifier(brightness_source(), plan, verbose=0)
    assert {layer.compute_dtype for layer in fitted._trunk.layers} == {"float32"}
    held_out = brightness_source("validation", 60, seed=1)
    assert read_figures(fitted, held_out)["accuracy"] > 0.9
    weights = fit_classifier(brightness_source(), QUICK, verbose=0).get_weights()
    assert any(np.any(a != b) for a, b in zip(fitted.get_weights(), weights, strict=True))


def test_a_tenth_of_each_label_is_kept_back():
    labels = np.repeat([0, 1, 2], [100, 50, 9])
    fitted, kept = kept_apart(labels, seed=0)
    np.testing.assert_array_equal(np.sort(np.concatenate([fitted, kept])), np.arange(159))
    assert np.bincount(labels[kept]).tolist() == [10, 5]  # of nine none
    assert not np.array_equal(kept, kept_apart(labels, seed=1)[1])
    with pytest.raises(ValueError, match="5 images are too few"):
        kept_apart(np.zeros(5, int), seed=0)


def test_of_one_label_nothing_can_be_learned():
    source = brightness_source()
    dark = dataclasses.replace(source, labels=np.ones_like(source.labels))
    with pytest.raises(ValueError, match="all 180 training images are labelled dark; a classifier"):
        fit_classifier(dark, QUICK, verbose=0)


def test_every_figure_of_a_label_has_an_interval():
    """A reader that takes one bright picture of two for dark, and never says neutral."""

    class Reader:
        labels = CLASSES

        def probabilities(self, images):
            bright = images.mean(axis=(1, 2, 3)) > 150
            half = np.arange(len(images)) // 3 % 2 == 0
            return np.eye(3)[np.where(bright & half, 0, 1)]

    source = brightness_source("validation", 60)
    figures = read_figures(Reader(), source)
    bright, dark, neutral = figures["per_label"].values()
    assert bright["recall"] == 0.5
    assert bright["recall_interval"] == pytest.approx(share_interval(0.5, 20))
    assert bright["precision_interval"] == pytest.approx(share_interval(1, 10))
    assert dark["precision_interval"] == pytest.approx(share_interval(0.4, 50))
    low, high = bright["f1_interval"]
    assert bright["f1"] == pytest.approx(2 / 3)
    assert 0.3 < low < bright["f1"] < high < 0.9
    assert neutral["precision_interval"] is None  # nothing was read as it
    assert neutral["recall_interval"] == pytest.approx(share_interval(0, 20))
    text = table(figures, CLASSES)
    assert "50.0% (29.9% to 70.1%)" in text
    without = dataclasses.replace(source, labels=np.minimum(source.labels, 1))
    neutral = read_figures(Reader(), without)["per_label"]["neutral"]
    assert neutral["recall_interval"] is neutral["f1_interval"] is None


def test_augmentation_changes_training_images_alone():
    images = pictures(np.arange(6) % 3, 0).astype(np.float32)
    for layer in augmentation(ClassifierPlan()):
        np.testing.assert_array_equal(layer(images, training=False), images)
        assert not np.array_equal(layer(images, training=True), images)
    assert augmentation(ClassifierPlan(flip=False, move=0)) == []


def test_the_command_writes_the_model_and_its_figures(tmp_path, capsys):
    out = tmp_path / "new" / "judge.keras"
    settings = ClassifierSettings(
        out=str(out), image_size=16, limit=70, architecture="b", epochs=1, seed=3
    )
    assert classifier.main(settings) == 0
    record = json.loads(out.with_suffix(".json").read_text())
    assert record["settings"]["seed"] == 3
    assert record["held_out"]["images"] == 70
    assert np.sum(record["held_out"]["confusion"]) == 70
    assert 0 <= record["held_out"]["macro_f1"] <= 1
    loaded = ExpressionClassifier.load(out)
    assert loaded.image_shape == (16, 16, 1)
    assert loaded.architecture == "b"
    printed = capsys.readouterr().out
    assert "macro-F1" in printed
    assert f"wrote {out}" in printed
    with pytest.raises(UserError, match="is there already: give --overwrite"):
        classifier.main(settings)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    settings = ClassifierSettings(out=str(tmp_path / "file" / "judge.keras"))
    with pytest.raises(UserError, match="cannot be made"):
        classifier.main(settings)


def test_images_to_choose_by_can_be_given():
    """All training images are fitted to then, and what chooses is none of them."""
    train, chosen_by = brightness_source(), brightness_source("train", 30, seed=2)
    fitted = fit_classifier(train, QUICK, verbose=0, kept_back=chosen_by)
    assert read_figures(fitted, brightness_source("validation", 60, seed=1))["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out": None}, "--out is required"),
        ({"out": "model.h5"}, r"--out must end in \.keras, got 'model\.h5'"),
        ({"dataset": "faces"}, "--dataset must be one of"),
        ({"split": "train"}, "--split must be one of validation, test"),
        ({"architecture": "c"}, "--architecture must be one of a, b"),
        ({"epochs": 0}, "--epochs must be a positive integer, got 0"),
        ({"max_minutes": 0.0}, "--max_minutes must be a positive number"),
        ({"move": 0.5}, r"--move must lie in \[0, 0\.5\)"),
        ({"seed": -1}, "--seed must not be negative"),
        ({"dataset": "fer2013", "data_path": "nowhere"}, "nowhere"),
    ],
)
def test_mistakes(changes, message, tmp_path):
    given = {"out": str(tmp_path / "model.keras"), **changes}
    with pytest.raises(UserError, match=message):
        classifier.main(ClassifierSettings(**given))


def test_the_first_steps_leave_features_alive():
    source = datasets.load("drawn_faces", "train", limit=350, image_size=24)
    fitted = fit_classifier(source, ClassifierPlan("a", epochs=6, batch_size=32), verbose=0)
    features = fitted.features(source.images)
    assert np.mean(features.max(axis=0) > 0) > 0.8  # without normalisation a quarter
