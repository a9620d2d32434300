import json

import numpy as np
import pytest
from PIL import Image

from datasets.flags import UserError
from tests.trainers.brightness import CLASSES, brightness_source, pictures
from tests.trainers.test_metrics_of_models import NearestMean
from trainers import augmentation, classification_score
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
        classification_score, "fit_classifier", lambda train, plan, verbose: NearestMean(train)
    )
    out = folders / "figures.json"
    assert augmentation.main(settings(folders, out=str(out))) == 0
    record = json.loads(out.read_text())
    assert record["training_images"]["generated"] == {"bright": 0, "dark": 12, "neutral": 0}
    assert record["training_images"]["real + generated"]["dark"] == 22
    assert record["test_images"] == 30
    assert record["trained_on"]["real + generated"]["accuracy"]["mean"] == 1
    # Of one label nothing but that label is learned.
    assert record["trained_on"]["generated"]["per_label"]["dark"]["recall"]["mean"] == 1
    assert record["trained_on"]["generated"]["accuracy"]["mean"] == pytest.approx(1 / 3)
    assert "macro-F1" in capsys.readouterr().out


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
