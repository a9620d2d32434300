"""`datasets.balance`: sets that are read as any others, and what they say of each face."""

import csv
import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

import datasets
from bplf_tf import EMOTIONS, load_model
from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from datasets import balance
from datasets.balance import BalanceSettings
from datasets.balancing import image_folder
from datasets.flags import UserError
from tests.started_flow import few_faces, started_flow

REAL = 4  # of each label and split
WANTED = 7


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "model.keras"
    started_flow(few_faces()).save(path)
    return path


def run(model, out, /, **changes):
    given = BalanceSettings(
        model=str(model), out=str(out), dataset="drawn_faces", limit=7 * REAL, counts=str(WANTED),
        min_log_prob_quantile=0.0, min_distance=1.0,
    )  # fmt: skip
    return balance.main(dataclasses.replace(given, **changes))


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("balanced") / "set"
    assert run(model, out) == 0
    return out


@pytest.fixture(scope="module")
def records(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("balanced") / "set"
    assert run(model, out, form="tfds") == 0
    return out


@pytest.mark.parametrize("form", ["folder", "tfds"])
def test_the_set_is_read_as_any_other(form, folder, records):
    name, place = ("folder", folder) if form == "folder" else ("emotionset", records)
    assert [path.name for path in place.parent.iterdir()] == ["set"]
    train = datasets.load(name, "train", data_path=place)
    assert train.classes == EMOTIONS
    assert train.image_shape == (16, 16, 1)
    assert train.class_counts() == dict.fromkeys(EMOTIONS, WANTED)
    here = {(image.tobytes(), int(label)) for image, label in _pairs(train)}
    drawn = datasets.load("drawn_faces", "train", image_size=16, limit=7 * REAL)
    assert {(image.tobytes(), int(label)) for image, label in _pairs(drawn)} < here
    for split in ("validation", "test"):
        held_out = datasets.load(name, split, data_path=place)
        expected = datasets.load("drawn_faces", split, image_size=16, limit=7 * REAL)
        assert sorted(image.tobytes() for image in held_out.images) == sorted(
            image.tobytes() for image in expected.images
        )


def _pairs(source):
    return zip(source.images, source.labels, strict=True)


def test_every_file_says_where_it_comes_from(folder):
    with (folder / "report" / "images.csv").open(newline="") as file:
        rows = {row["key"]: row for row in csv.DictReader(file)}
    files = sorted(folder.glob("*/*/*.png"))
    assert len(files) == len(rows) == 7 * (WANTED + 2 * REAL)
    generated = 0
    for path in files:
        with Image.open(path) as picture:
            about = json.loads(picture.text[image_folder.PROVENANCE])
        kind, middle, number = path.stem.split("_")
        row = rows[f"{kind}/{middle}/{number}"]
        assert (row["split"], row["label"]) == (path.parts[-3], path.parts[-2])
        assert row["generated"] == str(about["generated"]) == str(kind == "generated")
        if about["generated"]:
            generated += 1
            assert path.parts[-3] == "train"
            assert about["distance"] >= 1.0
            assert (about["temperature"], about["label_strength"]) == (0.7, 1.0)
            assert rows[about["nearest"]]["generated"] == "False"
            for name in ("seed", "number", "model", "log_prob", "distance"):
                assert row[name] == str(about[name])
    assert generated == 7 * (WANTED - REAL)


def test_every_record_says_where_it_comes_from(records, model):
    (place,) = records.glob("balanced_faces/16_gray/*")
    report = json.loads((place / "report" / "report.json").read_text())
    train = tfds.builder_from_directory(str(place)).as_dataset(split="train")
    seen = []
    for one in train.as_numpy_iterator():
        about = json.loads(one["provenance"])
        assert about["generated"] == bool(one["generated"])
        assert one["source"] == (b"generated" if about["generated"] else b"drawn_faces")
        assert one["soft_label"][one["label"]] == one["soft_label"].sum() == 1
        seen.append(about["generated"])
        if about["generated"]:
            assert about["model"] == report["model_sha256"][:16]
            # The label's own seed, and a number, draw it again.
            again = _sample(model, int(one["label"]), about)
            assert np.abs(again.astype(int) - one["image"]).max() <= 1
    assert (len(seen), sum(seen)) == (7 * WANTED, 7 * (WANTED - REAL))
    provenance = datasets.load("emotionset", "train", data_path=records).provenance
    assert provenance["source"] == "balanced_faces"
    assert provenance["fallback"] is False
    assert "datasets.balance" in provenance["reason"]
    assert provenance["sources"]["generated"]["images"] == 7 * (WANTED - REAL)
    assert provenance["sources"]["drawn_faces"]["images"] == 7 * REAL
    assert "Apache-2.0" in provenance["licence"]


def _sample(path, label, about):
    images = load_model(path).sample(
        label, n=about["number"] + 1, temperature=about["temperature"], seed=about["seed"]
    )
    return images[about["number"]]


def test_the_report_counts(folder, capsys, model, tmp_path):
    content = json.loads((folder / "report" / "report.json").read_text())
    assert content["short"] == []
    for name in EMOTIONS:
        one = content["counts"][name]
        assert (one["real"], one["wanted"], one["made"]) == (REAL, WANTED - REAL, WANTED - REAL)
        assert one["attempts"] == one["made"] + sum(one["rejected"].values())
    assert content["temperature"] == 0.7
    assert len(content["model_sha256"]) == 64
    # The same again, byte for byte.
    assert run(model, tmp_path / "again") == 0
    printed = capsys.readouterr().out
    assert "likelihood  confidence  copy  repetition" in printed
    assert "-m trainers.fit --dataset=folder" in printed
    for path in folder.rglob("*.*"):
        assert (tmp_path / "again" / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_generated_faces_alone(model, tmp_path):
    for form, name in (("folder", "folder"), ("tfds", "emotionset")):
        out = tmp_path / form
        counts = f"happy={20 + REAL},sad={10 + REAL}"
        assert run(model, out, form=form, include_real=False, counts=counts) == 0
        train, validation = (datasets.load(name, s, data_path=out) for s in ("train", "validation"))
        assert train.class_counts()["happy"] == 18
        assert train.class_counts()["sad"] == 9
        assert validation.class_counts()["happy"] == 2
        assert len(train) + len(validation) == 30
        (file,) = out.rglob("images.csv")
        assert "False" not in file.read_text()
        if form == "tfds":
            assert list(train.provenance["sources"]) == ["generated"]


def test_labels_that_cannot_be_filled_are_told(model, tmp_path, capsys):
    # At temperature 0 all faces of a label are one.
    assert run(model, tmp_path / "out", counts="sad=9,fear=8", temperature=0.0) == 0
    said = [one for one in capsys.readouterr().err.splitlines() if one.startswith("warning")]
    assert [line.split(":")[:2] for line in said] == [["warning", " fear"], ["warning", " sad"]]
    assert "sad: 1 of 5 were generated in 100 attempts" in said[1]
    assert "99 because it is too near to one that was generated before" in said[1]
    content = json.loads((tmp_path / "out" / "report" / "report.json").read_text())
    assert content["short"] == ["fear", "sad"]
    train = datasets.load("folder", "train", data_path=tmp_path / "out")
    assert train.class_counts() == {**dict.fromkeys(EMOTIONS, REAL), "fear": 5, "sad": 5}


def test_where_nothing_is_accepted_nothing_is_written(model, tmp_path):
    with pytest.raises(UserError, match=r"nothing was written: anger: 0 of 3 .*--max_attempts"):
        run(model, tmp_path / "out", min_distance=200.0, max_attempts=1)
    assert not any(tmp_path.iterdir())


def test_a_classifier_chooses(model, tmp_path):
    keras.utils.set_random_seed(0)
    chooser = tmp_path / "chooser.keras"
    ExpressionClassifier((16, 16, 1), EMOTIONS).save(chooser)  # it knows nothing
    given = {"classifier": str(chooser), "counts": f"happy={REAL + 9}"}
    assert run(model, tmp_path / "free", min_confidence=0.0, **given) == 0
    with (tmp_path / "free" / "report" / "images.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["generated"] == "True"]
    # Between the fifth and the sixth of the nine faces that it accepts where nothing is asked.
    least = float(np.mean(sorted(float(row["confidence"]) for row in rows)[3:5]))
    given["counts"] = f"happy={REAL + 5}"
    assert run(model, tmp_path / "out", min_confidence=least, **given) == 0
    content = json.loads((tmp_path / "out" / "report" / "report.json").read_text())
    assert len(content["classifier_sha256"]) == 64
    assert content["limits"]["confidence"] == least
    assert content["counts"]["happy"]["rejected"]["confidence"] > 0
    accepted = [int(row["key"][-6:]) for row in rows if float(row["confidence"]) >= least]
    files = sorted(tmp_path.glob("out/train/happy/generated_*.png"))
    assert [int(path.stem[-6:]) for path in files] == accepted[:5]
    for path in files:
        with Image.open(path) as picture:
            said = json.loads(picture.text[image_folder.PROVENANCE])["confidence"]
            pixels = np.asarray(picture)[np.newaxis, :, :, np.newaxis]
        happy = ExpressionClassifier.load(chooser).probabilities(pixels)[0, EMOTIONS.index("happy")]
        assert said == pytest.approx(happy, rel=1e-4)
        assert said >= least
    with pytest.raises(UserError, match="because the classifier is not sure enough"):
        run(model, tmp_path / "none", min_confidence=1.0, max_attempts=2, **given)
    other = tmp_path / "other.keras"
    ExpressionClassifier((16, 16, 1), ("happy", "sad")).save(other)
    with pytest.raises(UserError, match="knows happy, sad, but not anger, disgust, fear, neutral"):
        run(model, tmp_path / "none", classifier=str(other))
    ExpressionClassifier((24, 24, 1), EMOTIONS).save(other)
    with pytest.raises(UserError, match=r"reads images of shape \(24, 24, 1\), the model's have"):
        run(model, tmp_path / "none", classifier=str(other))
    assert not (tmp_path / "none").exists()


def test_without_a_least_distance_held_out_faces_tell_it(model, tmp_path, capsys):
    from datasets.balancing.neighbours import usual_distance

    given = {"min_distance": None, "counts": "sad=6", "include_real": False}
    assert run(model, tmp_path / "out", **given) == 0
    train, held_out = (
        datasets.load("drawn_faces", split, image_size=16, limit=7 * REAL).images
        for split in ("train", "validation")
    )
    expected = usual_distance(held_out, train, seed=0)
    content = json.loads((tmp_path / "out" / "report" / "report.json").read_text())
    assert content["limits"]["distance"] == expected > 4
    assert f"--min_distance={expected:.1f} grey levels" in capsys.readouterr().out
    # The validation images are looked at and not written.
    assert not any((tmp_path / "out").rglob("real_*.png"))


@pytest.mark.parametrize("form", ["folder", "tfds"])
def test_an_interruption_leaves_nothing(form, model, tmp_path, monkeypatch):
    def interrupted(folder, *_):
        assert any(tmp_path.rglob("*.png")) or any(tmp_path.rglob("*.tfrecord*"))
        raise KeyboardInterrupt

    monkeypatch.setattr("datasets.balancing.report.write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(model, tmp_path / "out", form=form, counts="sad=5")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": None}, "--model is required"),
        ({"model": "none.keras"}, "no model at none.keras"),
        ({"out": None}, "--out is required"),
        ({"dataset": "faces"}, "--dataset must be one of cifar10, .*; got 'faces'"),
        ({"form": "zip"}, "--form must be one of folder, tfds; got 'zip'"),
        ({"counts": "all"}, "--counts must be max"),
        ({"counts": "joy=9"}, "the labels are anger, .*, not 'joy'"),
        ({"counts": "4"}, "no more than there is: 4 anger"),
        ({"temperature": -1.0}, "--temperature must be 0 or more"),
        ({"temperature": float("nan")}, "--temperature must be 0 or more"),
        ({"label_strength": -0.5}, "--label_strength must be 0 or more, got -0.5"),
        ({"min_log_prob_quantile": 1.0}, r"must lie in \[0, 1\), got 1.0"),
        ({"min_confidence": 0.5}, "give --classifier too"),
        ({"classifier": "none.keras"}, "no model at none.keras"),
        ({"classifier": "none.keras", "min_confidence": 2.0}, r"must lie in \[0, 1\], got 2.0"),
        ({"min_distance": -1.0}, "0 to 255 grey levels, got -1.0"),
        ({"max_attempts": 0}, "--max_attempts must be at least 1"),
        ({"limit": 0}, "--limit must be at least 1"),
        ({"seed": -1}, "--seed must be from 0"),
    ],
)
def test_users_mistakes(model, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        run(model, tmp_path / "out", **changes)
    assert not any(tmp_path.iterdir())


def test_data_with_other_labels(model, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for i in range(20):
            Image.new("L", (16, 16), i).save(tmp_path / "faces" / name / f"{i}.png")
    with pytest.raises(UserError, match=r"labels are anger, .*those of --dataset=folder are a, b"):
        run(model, tmp_path / "out", dataset="folder", data_path=str(tmp_path / "faces"))


def test_a_folder_that_exists_is_not_touched(model, folder):
    with pytest.raises(UserError, match="exists: remove it or choose another folder"):
        run(model, folder)
