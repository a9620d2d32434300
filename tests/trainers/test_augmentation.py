import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from datasets.flags import UserError
from tests.trainers.brightness import CLASSES, brightness_source, pictures
from tests.trainers.test_metrics_of_models import NearestMean
from trainers import augmentation, classification_score, training_arms
from trainers.augmentation import AugmentationSettings


def write(folder, images, names):
    for i, (image, name) in enumerate(zip(images, names, strict=True)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / name / f"{i}.png")


@pytest.fixture
def folders(tmp_path):
    for split, seed in (("train", 0), ("validation", 1)):
        source = brightness_source(split, 30, seed)
        names = [CLASSES[label] for label in source.labels]
        write(tmp_path / "real" / split, source.images, names)
    write(tmp_path / "generated" / "train", pictures([1] * 12, 5), ["dark"] * 12)
    write(tmp_path / "generated" / "validation", pictures([1] * 2, 6), ["dark"] * 2)
    return tmp_path


def settings(folders, **changes):
    given = {
        "dataset": "folder",
        "data_path": str(folders / "real"),
        "generated_path": str(folders / "generated"),
        "seeds": 2,
    }
    return AugmentationSettings(**{**given, **changes})


def test_generated_images_that_fill_up_one_label(folders, monkeypatch, capsys):
    monkeypatch.setattr(
        classification_score, "fit_classifier", lambda train, *_, **__: NearestMean(train)
    )
    out = folders / "figures.json"
    assert augmentation.main(settings(folders, out=str(out))) == 0
    record = json.loads(out.read_text())
    # Of ten images of each label one is kept back. Of one label nothing but that would be learned,
    # so that there are no classifiers of generated images alone.
    assert list(record["training_images"]) == ["real", "real, repeated", "real + generated"]
    assert record["training_images"]["real"] == {"bright": 9, "dark": 9, "neutral": 9}
    assert record["training_images"]["real + generated"]["dark"] == 21
    assert record["test_images"] == 30
    assert record["settings"]["architecture"] == "a"
    assert record["trained_on"]["real + generated"]["accuracy"]["mean"] == 1
    low, high = record["trained_on"]["real + generated"]["accuracy"]["interval"]
    assert 0.85 < low < 0.9  # of 30 images, all read rightly
    assert high == 1
    assert list(record["minus"]) == ["real", "real, repeated"]
    assert list(record["minus"]["real, repeated"]) == ["real + generated"]
    printed = capsys.readouterr().out
    assert "macro-F1" in printed
    assert "real + generated - real, repeated" in printed


def test_arms_differ_in_what_they_show_alone():
    real, generated = brightness_source(count=90), brightness_source(count=60, seed=3)
    rare = np.flatnonzero((real.labels != 1) | (np.arange(90) < 36))  # 12 dark ones
    real = dataclasses.replace(real, images=real.images[rare], labels=real.labels[rare])
    arms = training_arms.training_arms(real, generated, 0, repeated=True)
    assert list(arms.sets) == ["real", "real, repeated", "generated", "real + generated"]
    assert arms.counts["real"] == {"bright": 27, "dark": 11, "neutral": 27}
    assert arms.counts["real + generated"] == {"bright": 47, "dark": 31, "neutral": 47}
    assert {len(one) for one in arms.sets.values()} == {125}
    repeated, real_alone = arms.sets["real, repeated"], arms.sets["real"]
    assert repeated.class_counts() == arms.counts["real + generated"]
    kept = {image.tobytes() for image in arms.kept_back.images}
    assert arms.kept_back.class_counts() == {"bright": 3, "dark": 1, "neutral": 3}
    for one in (repeated, real_alone, arms.sets["real + generated"]):
        assert not kept & {image.tobytes() for image in one.images}
    # Nothing is repeated much more often than anything else.
    for one, count in ((real_alone, 65), (arms.sets["generated"], 60)):
        _, times = np.unique(one.images.reshape(125, -1), axis=0, return_counts=True)
        assert (len(times), times.max() - times.min()) == (count, 1)
    other = dataclasses.replace(real, classes=("a", "b", "c"))
    with pytest.raises(ValueError, match="generated ones"):
        training_arms.training_arms(other, generated, 0, repeated=True)


def test_differences_know_of_seeds_and_of_images():
    """Of reads that are simulated: a rare label's gain is less certain than a common one's."""
    rng = np.random.default_rng(0)
    true = np.repeat([0, 1, 2], [300, 300, 30])

    def reads(right):
        return [np.where(rng.random(len(true)) < right, true, (true + 1) % 3) for _ in range(8)]

    found = classification_score.compare_readings(
        {"real": reads(0.6), "real + generated": reads(0.75)}, true, CLASSES, resamples=300
    )
    minus = found["minus"]["real"]["real + generated"]
    assert minus["accuracy"]["mean"] == pytest.approx(0.15, abs=0.05)
    assert minus["accuracy"]["p_value"] < 0.05
    common, rare = minus["recall"]["bright"], minus["recall"]["neutral"]
    assert rare["half_width"] > 1.5 * common["half_width"]
    for of in minus["recall"].values():
        assert of["p_value"] <= of["p_holm"] <= 1
    for of in found["trained_on"]["real"]["per_label"].values():
        low, high = of["recall"]["interval"]
        assert 0 <= low < of["recall"]["mean"] < high <= 1
    # All classifiers read the same images, whose own difficulty leaves the difference.
    hard = rng.random(len(true)) < 0.5
    both = [np.where(hard, (true + 1) % 3, true)] * 3
    better = [read.copy() for read in both]
    for read in better:
        read[np.flatnonzero(hard)[:20]] = true[np.flatnonzero(hard)[:20]]
    paired = classification_score.compare_readings(
        {"real": both, "real + generated": better}, true, CLASSES, resamples=300
    )
    width = paired["minus"]["real"]["real + generated"]["accuracy"]["half_width"]
    low, high = paired["trained_on"]["real"]["accuracy"]["interval"]
    assert width < 0.5 * (high - low) / 2


def test_real_images_among_the_generated_ones_are_told(folders):
    held_out = brightness_source("validation", 30, 1)
    write(folders / "generated" / "train", held_out.images[1:2], ["dark"])
    with pytest.raises(UserError, match=r"1 of the \d+ images in .* are real ones"):
        augmentation.main(settings(folders))


def test_a_label_that_the_real_images_do_not_have(folders):
    write(folders / "generated" / "train", np.zeros((1, 16, 16, 1), np.uint8), ["bored"])
    with pytest.raises(UserError, match="has the label 'bored'"):
        augmentation.main(settings(folders))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": None}, "--dataset is required"),
        ({"generated_path": None}, "--generated_path is required"),
        ({"split": "train"}, "--split must be one of validation, test"),
        ({"seeds": 0}, "--seeds must be a positive integer"),
        ({"out": "nowhere/a.json"}, "there is no folder nowhere"),
    ],
)
def test_mistakes(changes, message, tmp_path):
    with pytest.raises(UserError, match=message):
        augmentation.main(settings(tmp_path, **changes))
