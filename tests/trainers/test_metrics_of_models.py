"""Figures of samples, training sets and edits, of generators and editors that are understood."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest

from bplf_tf import BPLF, ModelConfig, PixelSynthesis
from bplf_tf.metrics.expression_classifier import ExpressionClassifier
from datasets.flags import UserError
from datasets.pairs import FacePairs
from tests.trainers.brightness import CLASSES, brightness_source, pictures
from trainers import (
    classification_score,
    edit_metrics,
    evaluate,
    judging,
    over_seeds,
    sample_metrics,
)
from trainers.classifier_fit import ClassifierPlan, fit_classifier
from trainers.evaluate import EvaluateSettings
from trainers.metric_settings import METRICS, OF_SAMPLES
from trainers.sample_metrics import SamplePlan, drawn_like
from trainers.strip_editors import PASTE, RETURN, null_editors

TRAIN = brightness_source()
HELD_OUT = brightness_source("validation", 90, seed=1)


@pytest.fixture(scope="module")
def judge():
    plan = ClassifierPlan("b", epochs=8, batch_size=20, learning_rate=3e-3, seed=1)
    return fit_classifier(TRAIN, plan, verbose=0)


class Generator:
    """A model as far as `sample_metrics` knows one; `draw` makes images of labels."""

    def __init__(self, draw):
        self._draw = draw

    def sample(self, label, n, temperature, seed, label_strength):
        assert (n, temperature, label_strength) == (len(label), 0.7, 1.0)
        return self._draw(np.asarray(label), seed)


OTHERS = brightness_source("validation", 90, seed=2)


def measured(draw, judge, metrics=OF_SAMPLES, **options):
    plan = SamplePlan(metrics, 0.7, (5, 6, 7), 90)
    return sample_metrics.sample_metrics(Generator(draw), judge, HELD_OUT, TRAIN, plan, **options)


@pytest.mark.slow
def test_a_generator_of_the_same_kind(judge):
    result = measured(
        lambda labels, seed: pictures(labels, 100 + seed), judge, chooser=judge, others=OTHERS
    )
    samples = result["samples"]
    for name in ("accuracy", "macro_f1"):
        low, high = result["held_out"][f"{name}_interval"]
        assert 0.8 < low < result["held_out"][name] <= high <= 1
    assert samples["accuracy"]["mean"] > 0.9
    low, high = samples["accuracy"]["interval"]
    assert 0.9 < low < samples["accuracy"]["mean"] <= high <= 1
    assert high - low > 0.001  # even if all are read rightly
    assert samples["accuracy_of_real"]["mean"] == pytest.approx(1, abs=0.1)
    # The real images' error is there too.
    assert np.diff(samples["accuracy_of_real"]["interval"]) > high - low
    assert samples["accuracy_by_the_chooser"] == samples["accuracy"]
    assert len(samples["accuracy"]["values"]) == 3
    assert samples["expression_kid"]["half_width"] > 0
    assert samples["coverage"]["mean"] > 0.9
    assert samples["memorisation"]["pixels"]["nearer"]["mean"] == pytest.approx(0.5, abs=0.15)
    # Other real images are of the same kind too; nobody asks whether they are copies.
    assert result["reference_images"] == {"name": "validation", "count": 90}
    assert "memorisation" not in result["reference"]
    assert result["reference"]["coverage"]["mean"] > 0.9
    assert result["reference"]["accuracy"]["mean"] == pytest.approx(
        np.mean(judge.probabilities(OTHERS.images).argmax(axis=1) == OTHERS.labels)
    )
    # Of 30 images of a label 128 features have no covariance.
    assert "expression_fid" not in samples["per_label"]["dark"]
    assert "expression_kid" in samples["per_label"]["dark"]
    assert set(samples["per_label"]) == set(CLASSES)
    assert samples["per_label"]["dark"]["coverage"]["mean"] > 0.8
    text = sample_metrics.table(result)
    assert "expression-KID" in text
    assert "beside them 90 real images: validation" in text
    assert "memorisation, pixels" in text


@pytest.mark.slow
def test_a_collapsed_generator_is_accurate_and_covers_nothing(judge):
    def draw(labels, seed):
        one = pictures([0, 1, 2], 7)[labels].astype(int)
        return (one + np.random.default_rng(seed).integers(0, 2, one.shape)).astype(np.uint8)

    good = measured(lambda labels, seed: pictures(labels, 100 + seed), judge)["samples"]
    collapsed = measured(draw, judge)["samples"]
    assert collapsed["accuracy"]["mean"] > 0.9
    assert collapsed["coverage"]["mean"] < 0.4 < good["coverage"]["mean"]
    assert collapsed["recall"]["mean"] < 0.3
    assert collapsed["expression_fid"]["mean"] > 3 * good["expression_fid"]["mean"]


@pytest.mark.slow
def test_a_generator_that_mistakes_labels_or_copies(judge):
    mistaken = measured(
        lambda labels, seed: pictures((labels + 1) % 3, seed), judge, ("accuracy",)
    )["samples"]
    assert mistaken["accuracy"]["mean"] < 0.1
    assert "expression_kid" not in mistaken
    for step in (1, -1):  # as they are, and mirrored, as flows are trained with --flip
        copies = measured(
            lambda labels, seed: TRAIN.images[drawn_like(labels, TRAIN, seed), :, ::step],  # noqa: B023
            judge,
            ("memorisation",),
        )["samples"]["memorisation"]
        for figures in copies.values() if step == 1 else (copies["pixels"],):
            assert figures["nearer"]["mean"] == 1
            assert figures["copies"]["mean"] == 1
            assert figures["copies"]["interval"][0] < 1
            assert figures["distance"] == 0


def test_without_further_images_halves_are_compared():
    held_out = brightness_source("validation", 91, seed=1)
    first, second = sample_metrics.reference_images(held_out, None, seed=0)
    assert len(first) + len(second) == 91
    for name, count in first.class_counts().items():
        assert abs(count - second.class_counts()[name]) <= 1
    here, there = ({image.tobytes() for image in of.images} for of in (first, second))
    assert not here & there
    other, _ = sample_metrics.reference_images(held_out, None, seed=1)
    assert (first.images != other.images).any()
    same, drawn = sample_metrics.reference_images(held_out, OTHERS, seed=0)
    assert same is held_out
    assert drawn.class_counts() == OTHERS.class_counts()


def test_images_are_drawn_by_label():
    labels = np.repeat([0, 1, 2], [3, 0, 500])
    chosen = drawn_like(labels, TRAIN, seed=0)
    assert len(set(chosen.tolist())) == len(chosen)
    assert np.bincount(TRAIN.labels[chosen]).tolist() == [3, 0, 60]  # there are no more


def test_figures_over_seeds():
    gathered = over_seeds.over_seeds([{"a": 1, "b": {"c": 2.0}}, {"a": 3, "b": {"c": 2.0}}])
    assert gathered["a"] == {
        "mean": 2,
        "half_width": pytest.approx(12.7062, rel=1e-5),
        "values": [1, 3],
    }
    assert gathered["b"]["c"]["half_width"] is None  # equal values claim nothing
    assert over_seeds.text(gathered["a"], 1) == "2.0 ± 12.7"
    assert over_seeds.text(over_seeds.over_seeds([{"a": 1}])["a"]) == "1.000"


def test_shares_over_seeds():
    rng = np.random.default_rng(0)
    found = [rng.random(200) < 0.9 for _ in range(3)]
    own = over_seeds.share_of_own_images(found)
    assert own["values"] == [one.mean() for one in found]
    low, high = own["interval"]
    assert low < own["mean"] < high
    # The same 200 images read three times are no 600 images.
    same = over_seeds.share_of_the_same_images([found[0]] * 3)
    one = over_seeds.share_of_the_same_images(found[:1])
    assert same["interval"] == pytest.approx(one["interval"])
    assert np.diff(same["interval"]) > 1.5 * (high - low)
    # Seeds that disagree make it wider.
    apart = [rng.random(200) < share for share in (0.6, 0.8, 1.0)]
    assert np.diff(over_seeds.share_of_the_same_images(apart)["interval"]) > 0.3
    all_right = over_seeds.share_of_own_images([np.ones(10, bool)] * 2)
    assert 0.8 < all_right["interval"][0] < 1
    assert over_seeds.text(all_right, 2) == "1.00 (0.84 to 1.00)"


class NearestMean:
    """A classifier that needs no time."""

    def __init__(self, train):
        self._labels = np.unique(train.labels)
        self._means = [train.images[train.labels == label].mean() for label in self._labels]
        self._size = len(train.classes)

    def probabilities(self, images):
        apart = np.abs(images.mean(axis=(1, 2, 3))[:, None] - self._means)
        return np.eye(self._size)[self._labels[apart.argmin(axis=1)]]


def test_what_classifiers_learn_from_generated_images(monkeypatch):
    plans = []

    def fit(train, plan, verbose, kept_back):
        plans.append((len(train), plan.seed, plan.patience, len(kept_back)))
        return NearestMean(train)

    monkeypatch.setattr(classification_score, "fit_classifier", fit)
    wrong = dataclasses.replace(TRAIN, name="generated", labels=(TRAIN.labels + 1) % 3)
    result = classification_score.classification_scores(
        {4: (TRAIN, wrong), 9: (TRAIN, wrong)}, HELD_OUT, ClassifierPlan(epochs=7)
    )
    # All see as many images, none stops sooner, and all are chosen by the same real ones.
    assert plans == [(342, seed, 7, 18) for seed in (4, 9) for _ in range(3)]
    assert result["training_images"]["real"] == dict.fromkeys(CLASSES, 54)
    trained = result["trained_on"]
    assert trained["real"]["accuracy"]["mean"] == 1
    assert trained["real"]["accuracy"]["interval"][0] < 0.99
    assert trained["generated"]["accuracy"]["mean"] == 0
    assert trained["generated"]["accuracy"]["interval"][1] > 0.01
    # Where nothing varies nothing is known of what might.
    assert result["minus"]["real"]["generated"]["accuracy"] == {
        "mean": -1,
        "half_width": None,
        "p_value": None,
    }
    assert result["minus"]["real"]["generated"]["recall"]["dark"]["mean"] == -1
    text = classification_score.table(result)
    assert "real + generated - real" in text


def brightness_pairs(people=12):
    labels = np.tile(np.array([0, 1], np.int32), people)
    neutral = pictures(np.full(people, 2), 3).repeat(2, axis=0)
    shift = np.array([85, -85])[labels][:, None, None, None]
    return FacePairs(
        name="brightness",
        split="test",
        neutral=neutral,
        expressive=(neutral + shift).astype(np.uint8),
        labels=labels,
        people=np.repeat([f"p{i}" for i in range(people)], 2),
        classes=CLASSES,
        provenance={},
    )


@pytest.mark.slow
def test_editors_that_are_understood(judge):
    pairs = brightness_pairs()

    def perfect(images, label, strengths):
        change = {"bright": 85, "dark": -85}[label]
        return np.stack([np.rint(images + t * change) for t in strengths], axis=1).astype(np.uint8)

    editors = {
        **null_editors({name: pairs.of(name).expressive for name in ("bright", "dark")}),
        "perfect": perfect,
    }
    result = edit_metrics.edit_metrics(
        editors, edit_metrics.cases_of_pairs(pairs), judge, identity=judge
    )
    assert list(result["editors"]) == [RETURN, PASTE, "perfect", edit_metrics.TRUE]
    assert (result["cases"], result["people"], result["paired"]) == (24, 12, True)
    lazy, pasted, best, true = result["editors"].values()
    assert lazy["gain"]["mean"] == lazy["monotonicity"]["mean"] == 0
    assert lazy["accuracy"]["mean"] == 0
    assert lazy["ssim_outside"]["mean"] == pytest.approx(1)
    assert lazy["verification"]["auc"] == 1
    assert pasted["accuracy"]["mean"] == 1
    assert pasted["ssim_outside"]["mean"] < 0.9
    assert best["accuracy"]["mean"] == 1
    assert best["gain"]["mean"] > 0.5
    assert best["monotonicity"]["mean"] > 0.8
    assert best["mse"]["mean"] == 0
    assert best["psnr"]["mean"] > pasted["psnr"]["mean"]
    assert best["psnr"]["people"] == 12
    assert set(best["per_label"]) == {"bright", "dark"}
    assert true["accuracy"] == best["accuracy"]
    assert "monotonicity" not in true
    assert best["accuracy"]["interval"][0] < 0.9  # of twelve people, all of them right
    # Paired differences from what knows nothing.
    assert list(result["minus"]) == [RETURN, PASTE]
    gained = result["minus"][RETURN]["perfect"]["gain"]
    assert gained["mean"] == pytest.approx(best["gain"]["mean"])
    kept = result["minus"][PASTE]["perfect"]["ssim_outside"]
    assert kept["mean"] == pytest.approx(
        best["ssim_outside"]["mean"] - pasted["ssim_outside"]["mean"]
    )
    assert kept["half_width"] > 0
    text = edit_metrics.table(result)
    assert "24 edits of 12 people, beside the true faces" in text
    assert "identity, AUC" in text


@pytest.mark.slow
def test_faces_without_pairs(judge):
    cases = edit_metrics.cases_of_faces(HELD_OUT, 4)
    assert len(cases.neutral) == 8
    assert cases.targets.tolist() == [0, 1] * 4
    assert len(set(cases.people)) == 4
    examples = {name: TRAIN.images[TRAIN.labels == i] for i, name in enumerate(CLASSES[:2])}
    result = edit_metrics.edit_metrics(null_editors(examples), cases, judge)
    assert not result["paired"]
    # How well the judge reads real faces of what the edits are to show.
    real = result["editors"][edit_metrics.REAL]
    assert real["accuracy"]["images"] == 60
    rights = [
        np.mean(judge.probabilities(HELD_OUT.images[HELD_OUT.labels == i]).argmax(axis=1) == i)
        for i in (0, 1)
    ]
    assert real["accuracy"]["mean"] == pytest.approx(np.mean(rights))
    assert [of["accuracy"]["mean"] for of in real["per_label"].values()] == pytest.approx(rights)
    assert "psnr" not in result["editors"][PASTE]
    assert "without true faces" in edit_metrics.table(result)
    no_neutral = dataclasses.replace(HELD_OUT, classes=("a", "b", "c"))
    with pytest.raises(ValueError, match="edits start from neutral faces"):
        edit_metrics.cases_of_faces(no_neutral, 4)


def test_a_label_without_training_faces_has_no_mean():
    asked = SimpleNamespace(dataset="folder", edit_people=2)
    flow = SimpleNamespace(config=ModelConfig(image_shape=SHAPE, classes=CLASSES))
    held_out, train = brightness_source("test", 9), brightness_source()
    lacking = dataclasses.replace(train, labels=np.where(train.labels == 1, 2, train.labels))
    with pytest.raises(ValueError, match="brightness has no training images of dark, whose mean"):
        judging._edit_cases(asked, flow, held_out, lacking)
    assert set(judging._edit_cases(asked, flow, held_out, train)[1]) == {"bright", "dark"}


def test_null_editors_fade():
    faces = pictures([2, 2], 0)
    editors = null_editors({"dark": pictures([1, 1, 1], 1)})
    strips = editors[PASTE](faces, "dark", (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(strips[:, 0], faces)
    np.testing.assert_array_equal(strips[0, 2], strips[1, 2])
    middle = (strips[:, 0].astype(float) + strips[:, 2]) / 2
    assert np.abs(strips[:, 1] - middle).max() <= 1
    np.testing.assert_array_equal(editors[RETURN](faces, "dark", (0.0, 1.0))[:, 1], faces)


SHAPE = (16, 16, 1)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A flow, two classifiers that know nothing, and a folder of images."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("files")
    config = ModelConfig(image_shape=SHAPE, classes=CLASSES, levels=1, depth=1, width=4)
    BPLF(config).save(folder / "model.keras")
    for name, architecture in (("judge", "a"), ("chooser", "b")):
        ExpressionClassifier(SHAPE, CLASSES, architecture).save(folder / f"{name}.keras")
    for split, source in (("train", TRAIN), ("validation", HELD_OUT)):
        for i in range(60):
            place = folder / "data" / split / CLASSES[source.labels[i]]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(source.images[i, :, :, 0]).save(place / f"{i}.png")
    return folder


def settings(files, **changes):
    given = {
        "model": str(files / "model.keras"),
        "dataset": "folder",
        "data_path": str(files / "data"),
        "metrics": "all",
        "judge": str(files / "judge.keras"),
        "metric_seeds": 2,
        "edit_people": 3,
        "training_images": 30,
        "classifier_epochs": 1,
    }
    return EvaluateSettings(**{**given, **changes})


def test_all_metrics_from_the_command_line(files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        classification_score, "fit_classifier", lambda train, *_, **__: NearestMean(train)
    )
    out = tmp_path / "figures.json"
    given = settings(
        files,
        classifier=str(files / "chooser.keras"),
        identity=str(files / "chooser.keras"),
        out=str(out),
    )
    assert evaluate.main(given) == 0
    metrics = json.loads(out.read_text())["metrics"]
    assert metrics["seeds"] == [0, 1]
    assert metrics["samples"]["images_each"] == 60
    assert set(metrics["samples"]["samples"]) >= {"accuracy", "expression_kid", "coverage"}
    assert list(metrics["edits"]["editors"]) == [RETURN, PASTE, "flow", "real faces"]
    assert metrics["samples"]["reference_images"]["name"] == "halves of held-out"
    # An untrained flow decodes what it encoded.
    editors = metrics["edits"]["editors"]
    assert editors["flow"] == editors[RETURN]
    assert "no pairs" in metrics["edits"]["note"]
    assert set(metrics["classification_accuracy"]["trained_on"]) == {
        "real",
        "generated",
        "real + generated",
    }
    printed = capsys.readouterr().out
    for part in ("bits/dim", "expression-KID", "real + generated - real", "monotonicity"):
        assert part in printed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"metrics": "kid,taste"},
            f"--metrics must be all or of {', '.join(METRICS)}, got 'taste'",
        ),
        ({"judge": None}, "--metrics needs --judge"),
        ({"metrics": None}, "--judge is there for --metrics, which is not given"),
        ({"judge": "nowhere.keras"}, "no model at nowhere.keras"),
        ({"split": "train"}, "--metrics needs a held-out --split"),
        ({"metric_seeds": 0}, "--metric_seeds must be a positive integer, got 0"),
        ({"pixel_model": "nowhere.npz"}, "--pixel_model=nowhere.npz: there is no such file"),
    ],
)
def test_mistakes(files, changes, message):
    with pytest.raises(UserError, match=message):
        evaluate.main(settings(files, **changes))


def test_judges_that_do_not_fit(files, tmp_path):
    same = {"classifier": str(files / "judge.keras")}
    with pytest.raises(UserError, match="must be another classifier"):
        evaluate.main(settings(files, **same))
    other = tmp_path / "other.keras"
    ExpressionClassifier(SHAPE, ("cat", "dog", "owl"), "b").save(other)
    with pytest.raises(UserError, match="--judge has the labels cat, dog, owl, the model bright"):
        evaluate.main(settings(files, judge=str(other)))
    pixel = tmp_path / "pixel.npz"
    for shape, name, message in (
        ((8, 8, 1), "bright", r"--pixel_model was fitted to images of \(8, 8, 1\), the model to"),
        (SHAPE, "bright", "--pixel_model knows bright, but not dark, which faces are edited to"),
    ):
        faces = np.random.default_rng(0).integers(0, 256, (2, *shape), np.uint8)
        PixelSynthesis().fit_unpaired(faces, {name: faces}).save(pixel)
        with pytest.raises(UserError, match=message):
            evaluate.main(settings(files, pixel_model=str(pixel)))
    with pytest.raises(UserError, match="holds a BPLF, not an ExpressionClassifier"):
        evaluate.main(settings(files, judge=str(files / "model.keras")))
