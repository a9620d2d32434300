import json

import numpy as np
import pytest

from bplf_tf import BPLF, EMOTIONS, ModelConfig
from datasets import ImageSource
from datasets.flags import UserError
from trainers import label_accuracy
from trainers.label_accuracy import LabelAccuracySettings, judge, train_classifier

TINY = {"levels": 1, "depth": 1, "width": 4}


def brightness_source(count=200, side=16):
    """Two labels that anyone can tell apart: dark and bright."""
    rng = np.random.default_rng(0)
    labels = (np.arange(count) % 2).astype(np.int32)
    images = rng.integers(0, 100, (count, side, side, 1)) + 120 * labels[:, None, None, None]
    return ImageSource(
        name="brightness",
        split="train",
        images=images.astype(np.uint8),
        labels=labels,
        classes=("bright", "dark")[::-1],
        provenance={"source": "made by this test"},
    )


def test_accuracy_tells_right_labels_from_wrong_ones():
    source = brightness_source()
    classifier = train_classifier(source, epochs=6, seed=0)
    model = BPLF(ModelConfig(image_shape=(16, 16, 1), classes=source.classes, **TINY))
    model.compile("adam")
    model.fit(source.images, source.labels, batch_size=50, epochs=1, verbose=0)
    # The start knows no labels; a prior that is dark or bright by label does.
    settings = LabelAccuracySettings(per_label=20, temperature=0.2)
    unlearned = judge(model, classifier, source, settings)
    assert unlearned["test_accuracy"] > 0.95
    latents = model.encode(source.images, source.labels)
    means = np.stack([latents[source.labels == label].mean(axis=0) for label in (0, 1)])
    model.prior.mean.assign(means)
    right = judge(model, classifier, source, settings)
    model.prior.mean.assign(means[::-1])
    wrong = judge(model, classifier, source, settings)
    assert right["sample_accuracy"] > 0.9 > 0.1 > wrong["sample_accuracy"]
    assert right["samples"] == 40
    assert set(right["per_label"]) == {"dark", "bright"}


def test_the_command_writes_its_figures(tmp_path, capsys):
    model = tmp_path / "model.keras"
    BPLF(ModelConfig(image_shape=(16, 16, 1), classes=EMOTIONS, **TINY)).save(model)
    out = tmp_path / "figures.json"
    settings = LabelAccuracySettings(
        model=str(model), limit=28, epochs=1, per_label=2, out=str(out)
    )
    assert label_accuracy.main(settings) == 0
    figures = json.loads(out.read_text())
    assert figures["samples"] == 14
    assert figures["test_images"] == 28
    assert "rightly read by the classifier" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "--model is required"),
        ({"model": "x", "per_label": 0}, "--per_label must be a positive integer, got 0"),
        ({"model": "x", "temperature": -1.0}, "--temperature must not be negative"),
        ({"model": "absent.keras"}, "no model at absent.keras"),
    ],
)
def test_mistakes(changes, message):
    with pytest.raises(UserError, match=message):
        label_accuracy.main(LabelAccuracySettings(**changes))


def test_a_model_without_labels_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    BPLF(ModelConfig(image_shape=(16, 16, 1), classes=(), **TINY)).save(path)
    with pytest.raises(UserError, match="was trained without labels"):
        label_accuracy.main(LabelAccuracySettings(model=str(path)))
