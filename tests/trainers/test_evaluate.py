import json

import numpy as np
import pytest
from PIL import Image

import datasets
from bplf_tf import BPLF, EMOTIONS, ModelConfig
from bplf_tf.svd import truncate_images
from datasets import ImageSource
from datasets.flags import UserError
from trainers import evaluate
from trainers.evaluate import EvaluateSettings
from trainers.measure import (
    gap,
    importance_weighted,
    latent_statistics,
    measure,
    spread,
    table,
)
from trainers.nonfinite import NONFINITE, NonFiniteError, check_finite

SMALL = {"image_shape": (16, 16, 1), "levels": 1, "depth": 1, "width": 4}


@pytest.fixture(scope="module")
def source():
    return datasets.load("drawn_faces", "validation", image_size=16, limit=14)


@pytest.fixture(scope="module")
def model(source):
    model = BPLF(ModelConfig(classes=EMOTIONS, **SMALL))
    model.initialize(source.images, source.labels)
    return model


def test_every_image_counts_once_whatever_the_batch(model, source):
    bits = model.bits_per_dim(source.images, source.labels, seed=5)
    for batch_size in (4, 14, 100):
        figures = measure(model, source, batch_size=batch_size, seed=5, inverse_images=3)
        assert figures["images"] == 14
        assert figures["bits_per_dim"] == pytest.approx(float(np.mean(bits)), abs=1e-5)
        assert figures["inverse_error_images"] == 3
        assert figures["images_per_second"] > 0


def test_draws_are_averaged(model, source):
    figures = measure(model, source, draws=3)
    bits = model.bits_per_dim(source.images, source.labels, draws=3)
    assert figures["bits_per_dim"] == pytest.approx(float(np.mean(bits)), abs=1e-5)


def test_labels_reach_the_model(source):
    model = BPLF(ModelConfig(classes=EMOTIONS, **SMALL))
    model.initialize(source.images, source.labels)
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(weight + rng.normal(scale=0.05, size=weight.shape))
    shuffled = ImageSource(
        name="shuffled",
        split="validation",
        images=source.images,
        labels=np.roll(source.labels, 1),
        classes=EMOTIONS,
        provenance={},
    )
    assert measure(model, source)["bits_per_dim"] != measure(model, shuffled)["bits_per_dim"]


def test_figures_per_label_and_standard_error(model, source):
    bits = model.bits_per_dim(source.images, source.labels)
    figures = measure(model, source, inverse_images=2)
    assert figures["standard_error"] == pytest.approx(bits.std(ddof=1) / np.sqrt(14), rel=1e-4)
    assert set(figures["per_label"]) == {EMOTIONS[i] for i in source.labels}
    assert sum(of["images"] for of in figures["per_label"].values()) == 14
    for name, of_label in figures["per_label"].items():
        chosen = bits[source.labels == EMOTIONS.index(name)]
        assert of_label["bits_per_dim"] == pytest.approx(float(chosen.mean()), abs=1e-5)


def test_importance_weighted_bound_is_the_log_of_the_mean_likelihood():
    rng = np.random.default_rng(0)
    bits = rng.normal(4, 0.01, size=(8, 5))
    likelihoods = 2.0 ** -(bits * 16)
    expected = -np.log2(likelihoods.mean(axis=0)) / 16
    np.testing.assert_allclose(importance_weighted(bits, 16), expected, rtol=1e-12)
    assert np.all(importance_weighted(bits, 16) < bits.mean(axis=0))
    # Far below the smallest float, where the plain formula gives infinity.
    assert np.all(np.isfinite(importance_weighted(bits, 10_000)))


def test_several_draws_give_the_bound(model, source):
    figures = measure(model, source, draws=4, inverse_images=2)
    assert figures["importance_weighted_bits_per_dim"] < figures["bits_per_dim"]
    of_draws = model.bits_per_draw(source.images, source.labels, draws=4)
    bound = importance_weighted(of_draws, model.config.dimensions)
    error = figures["importance_weighted_bits_per_dim_standard_error"]
    assert error == pytest.approx(bound.std(ddof=1) / np.sqrt(14), rel=1e-4)
    assert "importance_weighted_bits_per_dim" not in measure(model, source, inverse_images=2)


def test_figures_of_truncated_images_have_an_error(source):
    model = BPLF(ModelConfig(classes=EMOTIONS, svd_protocol="paper", **SMALL))
    model.initialize(source.images, source.labels)
    figures = measure(model, source, draws=2, inverse_images=2)
    images = truncate_images(source.images, model.config.rank).numpy()
    bits = model.bits_per_dim(images, source.labels, draws=2)
    assert figures["bits_per_dim_truncated"] == pytest.approx(float(bits.mean()), abs=1e-5)
    error = figures["bits_per_dim_truncated_standard_error"]
    assert error == pytest.approx(bits.std(ddof=1) / np.sqrt(14), rel=1e-3)


def test_the_gap_has_the_error_of_a_difference():
    held_out = {"bits_per_dim": 4.5, "standard_error": 0.03}
    train = {"bits_per_dim": 4.25, "standard_error": 0.04}
    assert gap(held_out, train) == {
        "bits_per_dim": 0.25,
        "standard_error": pytest.approx(0.05),
    }
    one_image = {"bits_per_dim": 4.25, "standard_error": None}
    assert gap(held_out, one_image) == {"bits_per_dim": 0.25, "standard_error": None}


def test_latents_of_data_that_the_model_drew_are_standard_normal(source):
    """Samples of an untrained flow, seen as data, are what it calibrates to by definition."""
    model = BPLF(ModelConfig(classes=EMOTIONS, image_shape=(16, 16, 1), levels=2, depth=1, width=4))
    model.initialize(source.images, source.labels)
    labels = np.arange(350, dtype=np.int32) % 7
    drawn = model.sample(labels, n=350, temperature=1.0, seed=1)
    data = ImageSource("drawn", "test", drawn, labels, EMOTIONS, {})
    levels = latent_statistics(model, data)
    assert [of["level"] for of in levels] == [0, 1]
    for of_level in levels:
        assert abs(of_level["mean"]) < 0.05
        assert abs(of_level["variance"] - 1) < 0.15
        assert abs(of_level["kurtosis"]) < 0.6


def test_latent_sizes_are_those_of_the_levels():
    config = ModelConfig(classes=(), image_shape=(16, 24, 3), levels=3, depth=1, width=4)
    model = BPLF(config)
    assert model.latent_sizes == [576, 288, 288]


def test_table():
    figures = {
        "images": 3589,
        "bits_per_dim": 4.32109,
        "bits_per_dim_truncated": 3.1,
        "inverse_error": 2.34e-6,
        "inverse_error_images": 1000,
        "images_per_second": 812.3,
    }
    lines = table(figures).splitlines()
    assert lines[0] == "bits/dim      4.3211 on 3589 images"
    assert "2.3e-06 of the pixel range" in lines[1]
    assert "812" in lines[2]
    assert "not comparable" in lines[3]


def test_table_of_figures_with_their_errors():
    lines = table(
        {
            "images": 3589,
            "bits_per_dim": 4.32109,
            "standard_error": 0.01,
            "importance_weighted_bits_per_dim": 4.3,
            "importance_weighted_bits_per_dim_standard_error": 0.02,
            "bits_per_dim_truncated": 3.1,
            "bits_per_dim_truncated_standard_error": 0.03,
            "train": {"images": 3000, "bits_per_dim": 4.3, "standard_error": 0.04},
            "train_gap": {"bits_per_dim": 0.02109, "standard_error": 0.0412},
            "inverse_error": 2.34e-6,
            "inverse_error_images": 1000,
            "images_per_second": 812.3,
        }
    ).splitlines()
    assert "4.3211 +- 0.0100 on 3589" in lines[0]
    assert "4.3000 +- 0.0200 bits/dim, importance-weighted" in lines[3]
    assert "3.1000 +- 0.0300 bits/dim of truncated images" in lines[4]
    assert "4.3000 +- 0.0400 on 3000" in lines[5]
    assert lines[5].endswith("the held-out ones cost 0.0211 +- 0.0412 more")


def test_a_subset_is_spread_over_a_sorted_source(source):
    some = spread(source, 5)
    assert len(some) == 5
    np.testing.assert_array_equal(some.images[[0, -1]], source.images[[0, -1]])
    assert spread(source, 14) is source


def test_the_arithmetic_of_the_networks_can_be_chosen(model, tmp_path, capsys):
    path = tmp_path / "model.keras"
    model.save(path)
    results = {}
    for dtype in (None, "mixed_bfloat16"):
        out = tmp_path / "figures.json"
        settings = EvaluateSettings(
            model=str(path), dataset="drawn_faces", limit=14, network_dtype=dtype, out=str(out)
        )
        assert evaluate.main(settings) == 0
        results[dtype] = json.loads(out.read_text())
    assert results[None]["network_dtype"] == "float32"
    assert results["mixed_bfloat16"]["network_dtype"] == "mixed_bfloat16"
    difference = results[None]["bits_per_dim"] - results["mixed_bfloat16"]["bits_per_dim"]
    assert abs(difference) < 0.05
    assert "bits/dim" in capsys.readouterr().out


def test_all_that_can_be_asked_for(tmp_path, capsys):
    model = BPLF(ModelConfig(classes=("cat", "dog"), **SMALL))
    rng = np.random.default_rng(0)
    for split, count in (("train", 5), ("validation", 3)):
        for name, mean in (("cat", 90), ("dog", 160)):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for i, image in enumerate(rng.normal(mean, 20, (count, 16, 16)).astype(np.uint8)):
                Image.fromarray(image).save(folder / f"{i}.png")
    source = datasets.load("folder", "train", data_path=tmp_path / "data")
    model.initialize(source.images, source.labels)
    model.save(tmp_path / "model.keras")
    out, pictures = tmp_path / "figures.json", tmp_path / "new" / "pictures"
    settings = EvaluateSettings(
        model=str(tmp_path), dataset="folder", data_path=str(tmp_path / "data"),
        importance_samples=3, train_gap=True, latents=True, seed=2, pictures=str(pictures),
        temperature=0.5, out=str(out),
    )  # fmt: skip
    assert evaluate.main(settings) == 0

    result = json.loads(out.read_text())
    assert (result["draws"], result["seed"], result["images"]) == (3, 2, 6)
    assert result["importance_weighted_bits_per_dim"] < result["bits_per_dim"]
    validation = datasets.load("folder", "validation", data_path=tmp_path / "data")
    held_out = model.bits_per_dim(validation.images, validation.labels, seed=2, draws=3)
    assert result["bits_per_dim"] == pytest.approx(float(held_out.mean()), abs=1e-5)
    some = spread(source, 6)
    bits = model.bits_per_dim(some.images, some.labels, seed=2, draws=3)
    assert result["train_gap"] == {
        "bits_per_dim": pytest.approx(float(held_out.mean() - bits.mean()), abs=1e-5),
        "standard_error": pytest.approx(
            np.sqrt((held_out.var(ddof=1) + bits.var(ddof=1)) / 6), rel=1e-3
        ),
    }
    assert result["train"]["images"] == 6
    assert result["train"]["bits_per_dim"] == pytest.approx(float(bits.mean()), abs=1e-5)
    assert [list(of) for of in result["latents"]] == [["level", "mean", "variance", "kurtosis"]]
    assert {name: of["images"] for name, of in result["per_label"].items()} == {"cat": 3, "dog": 3}

    shown = capsys.readouterr().out
    for text in ("+-", "weighted ", "training data ", "latents 0 ", "  cat ", "  dog "):
        assert text in shown
    names = ("interpolation", "neighbours", "reconstruction", "samples", "temperatures")
    assert sorted(path.name for path in pictures.iterdir()) == [f"{name}.png" for name in names]


def test_figures_that_are_not_finite_are_no_result(model, source, tmp_path, capsys):
    broken = BPLF(model.config)
    broken.set_weights(model.get_weights())
    weight = broken.trainable_variables[0]
    weight.assign(np.full(weight.shape, np.nan))
    broken.save(tmp_path / "model.keras")
    out = tmp_path / "figures.json"
    settings = EvaluateSettings(model=str(tmp_path), dataset="drawn_faces", limit=14, out=str(out))
    assert evaluate.main(settings) == NONFINITE
    assert "error: bits/dim of 14 of 14 images are not finite" in capsys.readouterr().err
    assert not out.exists()


def test_which_images_are_not_finite():
    bits = np.ones([2, 5])
    check_finite(bits)
    bits[0, 2], bits[1, 4] = np.nan, np.inf
    with pytest.raises(NonFiniteError, match="2 of 5 images are not finite"):
        check_finite(bits)


def test_users_mistakes(model, tmp_path):
    path = tmp_path / "model.keras"
    BPLF(ModelConfig(classes=("cat", "dog"), **SMALL)).save(path)
    for changes, message in [
        ({"model": str(tmp_path / "none.keras")}, "none.keras"),
        ({"dataset": "faces"}, "--dataset must be one of cifar10,"),
        ({}, "the model's labels are cat, dog; those of drawn_faces are anger"),
        ({"network_dtype": "int8"}, "must be one of"),
        ({"split": "public"}, "split must be one of"),
        ({"train_gap": True, "split": "train"}, "--train_gap needs a held-out --split"),
        ({"importance_samples": 1}, "--importance_samples must be 2 or more, got 1"),
        ({"label_strength": -1.0}, "--label_strength must not be negative, got -1.0"),
        ({"temperature": -1.0}, "--temperature must not be negative, got -1.0"),
        ({"pictures": str(path)}, r"model\.keras is not a folder"),
    ]:
        settings = {"model": str(path), "dataset": "drawn_faces", "limit": 14, **changes}
        with pytest.raises(UserError, match=message):
            evaluate.main(EvaluateSettings(**settings))
