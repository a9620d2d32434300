import csv

import numpy as np

from bplf_tf import load_model
from trainers.averaging import averaged_weights
from trainers.run_files import MetricsFile, ModelFile, Snapshots


def test_model_file_holds_the_average_and_no_optimizer(averaging_model, tmp_path):
    model, path = averaging_model, tmp_path / "model.keras"
    raw = model.get_weights()
    with averaged_weights(model):
        wanted = model.get_weights()
    file = ModelFile(path)
    file.set_model(model)
    file.on_epoch_end(0, {})
    loaded = load_model(path)
    assert getattr(loaded, "optimizer", None) is None
    assert loaded.initialized
    for got, want in zip(loaded.get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(got, want)
    for got, want in zip(model.get_weights(), raw, strict=True):
        np.testing.assert_array_equal(got, want)
    assert list(tmp_path.iterdir()) == [path]


def test_the_best_model_is_that_of_the_lowest_figure(averaging_model, tmp_path):
    path, best = tmp_path / "model.keras", tmp_path / "best.keras"

    def write(file, figures):
        file.set_model(averaging_model)
        written = []
        for epoch, figure in enumerate(figures):
            before = best.stat().st_mtime_ns if best.exists() else None
            file.on_epoch_end(epoch, {"val_bits_per_dim": figure})
            written.append(best.stat().st_mtime_ns != before)
            if written[-1]:
                assert best.read_bytes() == path.read_bytes()
        return written

    assert write(ModelFile(path, best), (5.0, 4.0, 4.0, 4.5, 3.9)) == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert write(ModelFile(path, best, lowest=3.9), (4.0, 3.8)) == [False, True]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["best.keras", "model.keras"]


def test_snapshots_hold_the_average_after_powers_of_two(averaging_model, tmp_path):
    with averaged_weights(averaging_model):
        wanted = averaging_model.get_weights()
    keep = Snapshots(lambda step: tmp_path / "models" / f"{step}.keras")
    keep.set_model(averaging_model)
    iterations = averaging_model.optimizer.iterations
    before = iterations.numpy()
    for step in (7, 8, 9, 12, 16):
        iterations.assign(step)
        keep.on_train_batch_end(step)
    iterations.assign(before)
    assert sorted(path.name for path in tmp_path.rglob("*.keras")) == ["16.keras", "8.keras"]
    loaded = load_model(tmp_path / "models" / "16.keras")
    for got, want in zip(loaded.get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(got, want)


def test_metrics_file_keeps_every_column_of_every_row(tmp_path):
    path = tmp_path / "metrics.csv"
    file = MetricsFile(path)
    file.on_epoch_end(0, {"loss": 5.0, "bits_per_dim": 5.0, "val_loss": 6.0, "step": 4})
    file.on_epoch_end(1, {"bits_per_dim": 4.0, "step": 8, "images_per_second": 100.0})
    with path.open() as opened:
        rows = list(csv.DictReader(opened))
    assert [list(row) for row in rows] == [
        ["epoch", "step", "bits_per_dim", "images_per_second"]
    ] * 2
    assert rows[0] == {"epoch": "1", "step": "4", "bits_per_dim": "5.0", "images_per_second": ""}
    assert rows[1]["images_per_second"] == "100.0"
