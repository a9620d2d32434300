import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from bplf_tf import BPLF, ModelConfig
from datasets import ImageSource
from datasets.flags import UserError
from trainers import figures
from trainers.figure_numbers import Asked, grown, of_run
from trainers.figure_tables import controls, growing_tables, smoothness_table
from trainers.figures import FiguresSettings
from trainers.neutral_first import (
    label_means,
    learned_at,
    likeness,
    rank,
    share_like,
    standardised,
)
from trainers.resumable_runs import Cell
from trainers.run_directory import RunDirectory
from trainers.spectrum import high_frequency_share, smoothness

RNG = np.random.default_rng(0)
COMMON = (
    "--image_size=16 --limit=70 --validation_limit=70 --size=tiny --levels=1 --depth=1 --width=4 "
    "--batch_size=8 --steps_per_epoch=20 --samples_per_label=1"
)


def wave(frequency, side=48):
    row = 127 + 100 * np.sin(2 * np.pi * frequency * np.arange(side))
    return np.tile(np.rint(row).astype(np.uint8), (1, side, 1))[..., np.newaxis]


def test_high_frequency_share_of_waves_and_noise():
    for frequency, share in ((0.05, 0.0), (0.2, 0.0), (0.3, 1.0), (0.45, 1.0)):
        for image in (wave(frequency), wave(frequency).transpose(0, 2, 1, 3)):
            assert high_frequency_share(image) == pytest.approx([share], abs=0.01)
    # Of both diagonals of a square, more than the quarter circle below the cut-off.
    noise = RNG.integers(0, 256, (60, 48, 48, 3), np.uint8)
    assert high_frequency_share(noise).mean() == pytest.approx(1 - np.pi / 16, abs=0.01)
    assert high_frequency_share(noise, cut_off=0.4).mean() < 0.55


def test_high_frequency_share_knows_no_border_brightness_or_contrast():
    # Periodic, a ramp has an edge between its ends: without a window its share is not small.
    ramp = np.tile(np.arange(48, dtype=np.uint8) * 5, (1, 48, 1))[..., np.newaxis]
    assert high_frequency_share(ramp)[0] < 1e-4
    face = 100 + wave(0.05) // 4 + RNG.integers(0, 9, (1, 48, 48, 1)).astype(np.uint8)
    share = high_frequency_share(face)
    assert 0.01 < share[0] < 0.5
    assert high_frequency_share(face + 40) == pytest.approx(share)
    assert high_frequency_share(2 * (face - 60)) == pytest.approx(share)


def test_high_frequency_share_refuses():
    flat = np.full((1, 8, 8, 1), 255, np.uint8)
    with pytest.raises(ValueError, match="one value everywhere"):
        high_frequency_share(flat)
    with pytest.raises(ValueError, match=r"must lie in \(0, 0.5\) cycles per pixel, got 0.5"):
        high_frequency_share(wave(0.1), cut_off=0.5)
    assert smoothness(np.concatenate([flat, wave(0.3, 8)]))["flat"] == 1
    assert smoothness(flat) == {"shares": [], "flat": 1}
    corner = np.zeros((1, 48, 48, 1), np.uint8)
    corner[0, 0, 0] = 1
    assert smoothness(corner)["flat"] == 0


def faces_of_labels(count=3, of_each=40, noise=8.0):
    """Images that differ by a pattern of their label, among much else."""
    patterns = RNG.normal(0, 12, (count, 8, 8, 1))
    labels = np.repeat(np.arange(count), of_each).astype(np.int32)
    images = 128 + patterns[labels] + RNG.normal(0, noise, (len(labels), 8, 8, 1))
    return np.clip(images, 0, 255).astype(np.uint8), labels, patterns


def test_standardised_takes_brightness_and_contrast_away():
    images = RNG.integers(50, 90, (3, 4, 4, 1), np.uint8)
    np.testing.assert_allclose(standardised(2 * images + 9), standardised(images))
    assert np.isfinite(standardised(np.full((1, 4, 4, 1), 7, np.uint8))).all()


def test_likeness_tells_labels_and_calls_the_average_none():
    images, labels, _ = faces_of_labels()
    faces = label_means(images, labels, 3)
    others, other_labels = images[::2], labels[::2]
    means = label_means(others, other_labels, 3)
    assert likeness(means, faces).argmax(axis=1).tolist() == [0, 1, 2]
    assert np.diag(likeness(means, faces)).min() > 0.8
    # What lies along no label is like none, however near the average is to one of them.
    elsewhere = faces.mean(axis=0) + RNG.normal(0, 0.01, faces.shape[1])
    assert np.abs(likeness(elsewhere, faces)).max() < 0.5
    np.testing.assert_allclose(likeness(0.2 * faces.mean(axis=0), faces), 0, atol=1e-3)
    with pytest.raises(ValueError, match="no image has the label 1"):
        label_means(images[labels != 1], labels[labels != 1], 3)


def test_learned_first_and_last():
    # Labels 0, 1, 2 at four snapshots: 2 is right from the first on, 0 from the third, 1 never.
    liked = np.array([[2, 2, 2], [0, 2, 2], [0, 2, 2], [0, 2, 2]])
    assert learned_at(liked) == [1, None, 0]
    assert [rank(learned_at(liked), label) for label in range(3)] == [2.0, None, 1.0]
    np.testing.assert_allclose(share_like(liked, 2), [1.0, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(share_like(liked, 0), [0, 0, 0, 0])
    assert rank([1, 1, 0], 0) == 2.5
    # Right in between does not count where it is wrong at the end.
    assert learned_at(np.array([[0], [1]])) == [None]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory as `trainers.fit --snapshots` leaves it, of models that were not trained."""
    directory = RunDirectory(tmp_path_factory.mktemp("run") / "seed_0")
    config = ModelConfig(
        image_shape=(8, 8, 1), classes=("a", "b", "neutral"), levels=1, depth=1, width=4
    )
    images, labels, _ = faces_of_labels()
    directory.snapshots.mkdir(parents=True)
    for step, path in ((8, directory.snapshot(8)), (16, directory.snapshot(16)), (20, None)):
        model = BPLF(config)
        model.initialize(images[:32], labels[:32])
        model.prior.mean.assign(model.prior.mean + step / 100)
        model.save(path or directory.model)
    directory.result.write_text(json.dumps({"steps": 20}))
    source = ImageSource("any", "validation", images, labels, config.classes, {})
    return Cell("bplf_labels", 0, "--flags", directory), source


def test_numbers_of_a_run_are_those_of_its_models_and_kept(run, monkeypatch):
    cell, source = run
    faces = label_means(source.images, source.labels, 3)
    asked = Asked((0.5, 1.0), 0.7, count=5, per_label=4)
    told = of_run(cell, asked, faces, source)
    assert list(told["smoothness"]) == ["0.5", "1"]
    assert len(told["smoothness"]["1"]["shares"]) + told["smoothness"]["1"]["flat"] == 5
    assert list(told["growing"]) == ["8", "16", "20"]
    assert np.shape(told["growing"]["20"]) == (3, 3)
    assert told["growing"]["8"] != told["growing"]["16"]

    from bplf_tf import load_model

    model = load_model(cell.directory.model)
    seen = {step: model.prior.mean.numpy().mean() for step in grown(model, cell.directory)}
    assert seen == pytest.approx({8: 0.08, 16: 0.16, 20: 0.2})
    expected = load_model(cell.directory.model).sample("b", 4, 0.7, 0)
    np.testing.assert_array_equal(model.sample("b", 4, 0.7, 0), expected)
    of_b = likeness(standardised(expected).mean(axis=0), faces)
    np.testing.assert_allclose(told["growing"]["20"][1], of_b)

    monkeypatch.setattr("trainers.figure_numbers.load_model", lambda path: pytest.fail("again"))
    assert of_run(cell, asked, faces, source) == told
    with pytest.raises(pytest.fail.Exception):
        of_run(cell, dataclasses.replace(asked, count=6), faces, source)


def told_of(shares, growing=None):
    numbers = {"smoothness": {"0.7": {"shares": shares, "flat": 1}}, "growing": growing or {}}
    return json.loads(json.dumps(numbers))


def test_smoothness_table_pairs_by_seed():
    told = {
        ("glow_labels", 0): told_of([0.3, 0.5]),
        ("glow_labels", 1): told_of([0.5, 0.5]),
        ("bplf_labels", 0): told_of([0.2, 0.2]),
        ("bplf_labels", 1): told_of([0.31, 0.31]),
        ("bplf_no_labels", 0): told_of([0.1, 0.3]),
    }
    references = {"bplf_labels": "glow_labels", "bplf_no_labels": "glow_no_labels"}
    text = "\n".join(smoothness_table(told, [0.7], references, wave(0.3)))
    assert "| glow_labels | 0.4500 ± " in text
    assert "| bplf_labels | 0.2550 ± " in text
    assert "* bplf_labels less glow_labels, temperature 0.7: -0.1950 ± 0.0635, p 0.0" in text
    assert "| bplf_no_labels | 0.2000 ± 1." in text  # over two images
    assert "less glow_no_labels" not in text
    assert "| 1 held-out faces | 0.99" in text
    assert "* 5 samples of one grey level" in text


def test_growing_table_can_go_against_the_claim():
    neutral = np.array([[0.1, 0.2, 0.9], [0.1, 0.2, 0.9], [0.0, 0.1, 0.8]])
    own = np.eye(3)
    happy = neutral[:, [2, 1, 0]]
    growing = {"8": neutral.tolist(), "16": neutral.tolist(), "20": own.tolist()}
    for_it = {("m", seed): told_of([1], growing) for seed in (0, 1)}
    text = "\n".join(growing_tables(for_it, ("happy", "sad", "neutral"), 2))
    assert "m, 2 seeds:" in text
    assert "| 8 | 1.00 | 0.33 | 0.90 | " in text
    assert "| the end | 0.00 | 1.00 | 0.00 | 1.00 |" in text
    assert "(2 by chance): 1.00 of 3" in text
    against = {("m", 0): told_of([1], {"8": happy.tolist(), "16": own.tolist()})}
    text = "\n".join(growing_tables(against, ("happy", "sad", "neutral"), 2))
    assert "| 8 | 0.00 | 0.33 | " in text
    assert "(2 by chance): 2.50 of 3" in text


def test_controls_tell_what_the_measure_can():
    images, labels, _ = faces_of_labels()
    classes = ("a", "b", "c")
    frequent = np.concatenate([np.arange(len(images)), np.flatnonzero(labels == 1)])
    train = ImageSource("any", "train", images[frequent], labels[frequent], classes, {})
    held_out = ImageSource("any", "validation", images, labels, classes, {})
    faces = label_means(train.images, train.labels, 3)
    first, second = controls(faces, train, held_out, 10)
    assert "the means of 3 of 3 labels are most like their own" in first
    assert second.endswith("is most like b.")


def settings(tmp_path, **changes):
    values = {
        "minutes": 0.2, "seeds": 1, "common": COMMON, "measured": 10, "per_label": 4,
        "out": str(tmp_path / "runs"), "pictures": str(tmp_path / "docs"),
    }  # fmt: skip
    return FiguresSettings(**{**values, **changes})


@pytest.mark.slow
def test_figures_of_a_tiny_plan(tmp_path, capsys):
    assert figures.main(settings(tmp_path, plan_only=True)) == 0
    assert capsys.readouterr().out.count("to do ") == 4
    assert figures.main(settings(tmp_path, most_runs=2)) == 0
    printed = capsys.readouterr().out
    assert "2 runs are left" in printed
    text = (tmp_path / "docs/drawn_faces.md").read_text()
    assert text in printed
    assert "| glow_labels | 0." in text
    assert "* bplf_3x3_1x1_labels less glow_labels, temperature 1: " in text
    assert "| the end | " in text
    pictures = {path.name for path in (tmp_path / "docs").glob("*.png")}
    assert pictures == {
        f"drawn_faces_{preset}_{what}.png"
        for preset in ("glow", "bplf_3x3_1x1")
        for what in ("labels", "growing")
    }
    with Image.open(tmp_path / "docs/drawn_faces_glow_labels.png") as image:
        assert len(np.unique(np.asarray(image))) > 10


def test_samples_without_labels_are_drawn_beside_each_other(tmp_path, capsys):
    given = settings(tmp_path, temperatures="0.5,1.0")
    given.folder.mkdir()
    cells = [cell for cell in figures.plan(given) if cell.method.endswith("_no_labels")]
    images, _, _ = faces_of_labels()
    for seed, cell in enumerate(cells):
        config = ModelConfig(
            image_shape=(8, 8, 1), classes=(), levels=1, depth=1, width=4, seed=seed
        )
        model = BPLF(config)
        model.initialize(images[:32])
        cell.directory.path.mkdir(parents=True)
        model.save(cell.directory.model)
        cell.directory.result.write_text("{}")
    figures._draw(given, cells)
    path = tmp_path / "docs/drawn_faces_no_labels.png"
    assert capsys.readouterr().out == f"{path}\n"
    with Image.open(path) as drawn:
        both = np.asarray(drawn.convert("L"))
    assert len(np.unique(both)) > 10
    # Of one model alone, the picture has half of the rows.
    cells[1].directory.result.unlink()
    figures._draw(given, cells)
    with Image.open(path) as drawn:
        alone = np.asarray(drawn.convert("L"))
    assert alone.shape[0] < both.shape[0]
    assert alone.shape[1] <= both.shape[1]


def test_plan_compares_like_with_like(tmp_path):
    cells = figures.plan(settings(tmp_path, seeds=2, data_path="/somewhere"))
    assert [cell.method for cell in cells[:4]] == [
        "glow_labels", "bplf_3x3_1x1_labels", "glow_no_labels", "bplf_3x3_1x1_no_labels",
    ]  # fmt: skip
    assert [cell.seed for cell in cells] == [0] * 4 + [1] * 4
    assert all("--nopixel_logit" in cell.flags for cell in cells)
    assert not any("somewhere" in cell.flags for cell in cells)
    assert figures.references(settings(tmp_path)) == {
        "bplf_3x3_1x1_labels": "glow_labels",
        "bplf_3x3_1x1_no_labels": "glow_no_labels",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"presets": "glow,flow"}, "--presets must be one of"),
        ({"presets": "glow,glow"}, "--presets has a name twice"),
        ({"minutes": 0.0}, "--minutes must be a positive number, got 0.0"),
        ({"seeds": 0}, "--seeds must be a positive integer, got 0"),
        ({"temperatures": "0.5,hot"}, "--temperatures must be numbers with commas"),
        ({"temperatures": "-1"}, "temperatures must not be negative"),
        ({"neutral": "calm"}, "--neutral=calm: the labels are anger"),
        ({"common": "--preset=nice"}, "--common holds --preset, which is chosen here"),
        ({"common": "--width=0"}, "width must be a positive integer, got 0"),
    ],
)
def test_mistakes_are_told_before_any_run(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        figures.main(settings(tmp_path, **changes))
    assert not (tmp_path / "runs").exists()
