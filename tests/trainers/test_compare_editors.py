"""`trainers.compare_editors` on a few small drawn faces, with a flow that knows little."""

import json

import numpy as np
import pytest
from PIL import Image

import datasets
from bplf_tf import BPLF, EMOTIONS, ModelConfig, PixelSynthesis, load_model
from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from datasets.flags import UserError
from datasets.pairs import load_pairs
from tests.bplf_tf.random_weights import randomise
from tests.datasets.emotionset.fake_source import face
from trainers import compare_editors
from trainers.classifier_fit import ClassifierPlan, fit_classifier
from trainers.compare_editors import CompareSettings

FLOW = ModelConfig(image_shape=(16, 16, 1), classes=EMOTIONS, levels=1, depth=1, width=4)
PEOPLE = 3
NAMES = ["return the input", "paste the mean", "pixel model", "flow, strength 0.5",
         "flow, strength 1"]  # fmt: skip


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.keras"
    randomise(BPLF(FLOW), scale=0.3).save(path)
    return str(path)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """One that has learned to read the faces."""
    path = tmp_path_factory.mktemp("models") / "judge.keras"
    faces = datasets.load("drawn_faces", "train", image_size=16, limit=1400)
    plan = ClassifierPlan("a", epochs=8, batch_size=32, patience=8, flip=False, move=0.0)
    fit_classifier(faces, plan, verbose=0).save(path)
    return str(path)


@pytest.fixture(scope="module")
def any_judge(tmp_path_factory):
    """One that nobody asks anything."""
    path = tmp_path_factory.mktemp("models") / "judge.keras"
    ExpressionClassifier((16, 16, 1), EMOTIONS, "b").save(path)
    return str(path)


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "identity.keras"
    ExpressionClassifier((16, 16, 1), ("ann", "bob"), "b").save(path)
    return str(path)


def run(flow, judge, out, **changes):
    given = {"strengths": ["1", "0.5"], "pairs": 12, "test_people": PEOPLE, **changes}
    settings = CompareSettings(model=flow, judge=judge, out=str(out), **given)
    assert compare_editors.main(settings) == 0
    record = json.loads((out / "editors.json").read_text())
    text = (out / "editors.md").read_text()
    with Image.open(out / "strip.png") as picture:
        assert picture.width > picture.height
    return record, text


@pytest.mark.slow
def test_pairs(flow, judge, identity, tmp_path, capsys):
    record, text = run(flow, judge, tmp_path / "out", identity=identity)
    assert text.strip() in capsys.readouterr().out
    assert (record["cases"], record["people"]) == (6 * PEOPLE, PEOPLE)
    editors = record["editors"]
    assert list(editors) == [*NAMES, "the true face"]
    unchanged = editors["return the input"]
    assert unchanged["gain"]["mean"] == 0
    assert unchanged["ssim_outside"]["mean"] == pytest.approx(1)
    # The figures are those of the editors themselves.
    train, test = (load_pairs("drawn_faces", split, image_size=16, people=count)
                   for split, count in (("train", 12), ("test", PEOPLE)))  # fmt: skip
    pixel = PixelSynthesis().fit(train.of("happy").neutral, {"happy": train.of("happy").expressive})
    model, reader = load_model(flow), ExpressionClassifier.load(judge)
    faces = test.of("happy").neutral
    for name, edited in {
        "pixel model": pixel.transform(faces, "happy"),
        "flow, strength 0.5": model.transfer(faces, "neutral", "happy", 0.5),
    }.items():
        gain = (reader.probabilities(edited) - reader.probabilities(faces))[
            :, EMOTIONS.index("happy")
        ]
        found = editors[name]["per_label"]["happy"]["gain"]
        assert found["mean"] == pytest.approx(gain.mean(), abs=1e-5)
    for name in NAMES:
        assert f"| {name} | " in text
        assert editors[name]["psnr"]["people"] == PEOPLE
    best, worst = (editors[name]["psnr"]["mean"] for name in ("pixel model", "paste the mean"))
    assert best > worst
    # What the judge has learned: it reads the true faces, and in neutral ones no expression.
    true = editors["the true face"]
    assert true["accuracy"]["mean"] > 0.5 > 0.2 > unchanged["accuracy"]["mean"]
    assert true["gain"]["mean"] > 0.4
    assert editors["paste the mean"]["gain"]["mean"] > 0.1
    for name in (*NAMES, "the true face"):
        assert 0 <= editors[name]["verification"]["auc"] <= 1
    assert unchanged["verification"]["auc"] == 1
    assert "| identity, AUC |" in text
    # Differences from what knows nothing stand below, edit by edit.
    assert list(record["minus"]) == NAMES[:2]
    gained = record["minus"]["return the input"]["pixel model"]
    assert gained["gain"] == editors["pixel model"]["gain"]
    assert gained["psnr"]["mean"] == pytest.approx(best - unchanged["psnr"]["mean"])
    assert "| pixel model - paste the mean |" in text
    # The pixel model is kept.
    kept = PixelSynthesis.load(tmp_path / "out" / "pixel.npz")
    np.testing.assert_array_equal(kept.weights["happy"], pixel.weights["happy"])


@pytest.mark.slow
def test_faces_of_nobody_in_particular(flow, judge, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "trainers.image_grid.image_grid",
        lambda rows, heads: shown.append((rows, heads)) or Image.new("L", (9, 3)),
    )
    record, text = run(flow, judge, tmp_path / "out", unpaired=True, limit=70, test_people=5)
    assert (record["cases"], record["people"]) == (30, 5)
    assert list(record["editors"]) == [*NAMES, "real faces"]
    real = record["editors"]["real faces"]
    assert real["accuracy"]["mean"] > 0.5
    assert real["accuracy"]["images"] == 60  # of 70 test faces, all but the neutral ones
    assert "| real faces | " in text
    assert "PSNR" not in text
    assert "identity" not in text
    assert "read as wanted" in text
    ((_, heads),) = shown
    assert heads[:2] == ("drawn", "paste the mean")


@pytest.mark.slow
def test_a_strip_never_shows_a_photograph(flow, judge, tmp_path, monkeypatch):
    """Of data that are not drawn, faces of the flow are shown, and no mean of photographs."""
    folder = tmp_path / "photographs"
    for label in EMOTIONS:
        for split in ("train", "test"):
            (folder / split / label).mkdir(parents=True)
            for seed in range(4):
                pixels = face(seed, label, 16)
                Image.fromarray(pixels).save(folder / split / label / f"{seed}.png")
    shown = []
    monkeypatch.setattr(
        "trainers.image_grid.image_grid",
        lambda rows, heads: shown.append((rows, heads)) or Image.new("L", (9, 3)),
    )
    given = {"dataset": "folder", "data_path": str(folder), "test_people": 3}
    run(flow, judge, tmp_path / "out", **given)
    ((rows, heads),) = shown
    assert heads == ("generated", "pixel model", "flow, strength 0.5", "flow, strength 1")
    expected = load_model(flow).sample("neutral", n=3, temperature=0.7, seed=0)
    assert len(rows) == 6
    for _, blocks in rows:
        np.testing.assert_array_equal(blocks[0], expected)


def test_users_mistakes(flow, any_judge, tmp_path):
    other = tmp_path / "other.keras"
    ExpressionClassifier((16, 16, 1), ("happy", "sad")).save(other)
    small = tmp_path / "small.keras"
    ExpressionClassifier((8, 8, 1), EMOTIONS, "b").save(small)
    unlabelled, one = tmp_path / "unlabelled.keras", tmp_path / "one.keras"
    for path, classes in ((unlabelled, ()), (one, ("neutral",))):
        BPLF(
            ModelConfig(image_shape=(16, 16, 1), classes=classes, levels=1, depth=1, width=4)
        ).save(path)
    only_happy = tmp_path / "only_happy"
    for split in ("train", "test"):
        for label in EMOTIONS:
            (only_happy / split / label).mkdir(parents=True)
        for seed in range(3):
            Image.fromarray(face(seed, "happy", 16)).save(
                only_happy / split / "happy" / f"{seed}.png"
            )
    for changes, message in [
        ({"model": None}, "--model is required"),
        ({"judge": None}, "--judge is required"),
        ({"out": str(tmp_path)}, "exists: remove it or choose another folder"),
        ({"dataset": "faces"}, "--dataset must be one of"),
        ({"strengths": ["much"]}, "--strengths must be numbers, got much"),
        ({"strengths": ["0.5", "5"]}, r"above 0 and at most 4, got 0\.5,5"),
        ({"strengths": []}, "above 0 and at most 4, got none"),
        ({"split": "train"}, "--split must be one of"),
        ({"test_people": 1}, "--test_people must be at least 2, got 1"),
        ({"ridge": "0"}, "--ridge must be a positive number or cross_validation, got 0"),
        ({"ridge": "chosen"}, "--ridge must be a positive number or cross_validation, got chosen"),
        ({"model": "pixel.npz"}, "is a pixel model; a flow is wanted"),
        ({"model": "none.keras"}, "no model at none.keras"),
        ({"judge": str(other)}, "reads happy, sad from images of shape"),
        ({"identity": str(small)}, r"was trained on images of \(8, 8, 1\), the flow on"),
        ({"identity": "none.keras"}, "no model at none.keras"),
        ({"model": str(unlabelled)}, "must have the label neutral and another one; it has none"),
        ({"model": str(one)}, "must have the label neutral and another one; it has neutral"),
        (
            {"dataset": "folder", "data_path": str(only_happy)},
            "the class folder anger .* has no images",
        ),
    ]:
        given = {"model": flow, "judge": any_judge, "out": str(tmp_path / "out"), **changes}
        with pytest.raises(UserError, match=message):
            compare_editors.main(CompareSettings(**given))
    assert not (tmp_path / "out").exists()


def test_data_of_one_class_alone(flow, any_judge, tmp_path, monkeypatch):
    from datasets.source import ImageSource

    def all_happy(name, split, **_):
        labels = np.full(6, EMOTIONS.index("happy"), np.int32)
        return ImageSource(name, split, np.zeros((6, 16, 16, 1), np.uint8), labels, EMOTIONS, {})

    monkeypatch.setattr(datasets, "load", all_happy)
    settings = CompareSettings(
        model=flow, judge=any_judge, out=str(tmp_path / "out"), dataset="fer2013"
    )
    message = "every label needs two training images or more; got 0 of anger, 0 of disgust"
    with pytest.raises(UserError, match=message):
        compare_editors.main(settings)
