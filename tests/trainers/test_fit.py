"""`trainers.fit` from settings to run directory, on drawn faces of 16x16 pixels."""

import contextlib
import csv
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import datasets
from bplf_tf import EMOTIONS, load_model
from datasets.flags import UserError
from datasets.input import training_dataset
from trainers import fit, training
from trainers.averaging import averaged_weights
from trainers.child_processes import InUseError
from trainers.nonfinite import NonFiniteError
from trainers.run_directory import RunDirectory
from trainers.settings import FitSettings

ROOT = Path(__file__).parents[2]
TINY = FitSettings(
    dataset="drawn_faces",
    image_size=16,
    limit=30,
    validation_limit=14,
    preset="bplf_3x3_1x1",
    size="tiny",
    levels=1,
    depth="1",
    width="4",
    batch_size=8,
    max_steps=6,
    warmup_steps=2,
    learning_rate=0.01,
    samples_per_label=2,
)


def settings(run_dir, **changes):
    return dataclasses.replace(TINY, run_dir=str(run_dir), **changes)


class Observer(keras.callbacks.Callback):
    """Keeps what the model held at the end of every epoch and of the last step."""

    def __init__(self):
        super().__init__()
        self.logs, self.averages = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs))
        with averaged_weights(self.model):
            self.averages.append(self.model.get_weights())


def observed(monkeypatch, *more):
    observer = Observer()
    make = training._callbacks
    monkeypatch.setattr(training, "_callbacks", lambda *a: [*make(*a), *more, observer])
    return observer


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run through the command line's `main`: its directory, and what its callbacks saw."""
    run_dir = tmp_path_factory.mktemp("runs") / "finished"
    with pytest.MonkeyPatch.context() as monkeypatch:
        observer = observed(monkeypatch)
        assert fit.main(settings(run_dir)) == 0
    return run_dir, observer


def test_the_run_directory_is_complete(finished):
    run_dir, _ = finished
    files = sorted(str(file.relative_to(run_dir)) for file in run_dir.rglob("*"))
    files = [file for file in files if "step_" not in file]  # the checkpoints, tested elsewhere
    assert files == [
        ".lock",
        "best.keras",
        "checkpoints",
        "config.json",
        "metrics.csv",
        "model.keras",
        "result.json",
        "samples",
        "samples/epoch_001.png",
        "samples/epoch_002.png",
    ]


def test_config_says_everything(finished):
    run_dir, _ = finished
    config = json.loads((run_dir / "config.json").read_text())
    assert config["settings"] == dataclasses.asdict(settings(run_dir))
    assert config["model"]["image_shape"] == [16, 16, 1]
    assert config["model"]["classes"] == list(EMOTIONS)
    assert config["model"]["depth"] == 1
    assert config["steps_per_epoch"] == 4
    assert config["total_steps"] == 6
    assert config["data"]["train"]["images"] == 30
    assert config["data"]["validation"]["source"] == "drawn_faces"
    assert config["versions"]["keras"] == keras.__version__
    assert set(config["versions"]) >= {"python", "tensorflow", "numpy", "tensorflow-probability"}
    assert config["machine"]["cores"] >= 1
    assert config["git"] is None or len(config["git"]["commit"]) == 40


def test_metrics_hold_a_row_per_epoch(finished):
    run_dir, observer = finished
    with (run_dir / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["4", "6"]
    for row, logs in zip(rows, observer.logs, strict=True):
        for name in ("bits_per_dim", "val_bits_per_dim", "inverse_error", "learning_rate"):
            assert float(row[name]) == logs[name]
        assert float(row["images_per_second"]) > 0
    assert float(rows[0]["minutes"]) < float(rows[1]["minutes"])


def test_the_saved_model_has_the_average_and_the_validated_figure(finished):
    run_dir, observer = finished
    model = load_model(run_dir / "model.keras")
    for got, want in zip(model.get_weights(), observer.averages[-1], strict=True):
        np.testing.assert_array_equal(got, want)
    # All 14 validation images were scored after the epoch too, with the same stateless noise.
    result = json.loads((run_dir / "result.json").read_text())
    assert result["images"] == 14
    assert result["bits_per_dim"] == pytest.approx(observer.logs[-1]["val_bits_per_dim"], abs=1e-4)
    source = datasets.load("drawn_faces", "validation", image_size=16, limit=14)
    bits = model.bits_per_dim(source.images, source.labels)
    assert np.mean(bits) == pytest.approx(result["bits_per_dim"], abs=1e-4)
    assert 0 < result["inverse_error"] < 1e-3
    assert (result["steps"], result["rollbacks"]) == (6, 0)
    assert "svd_rank" not in result


def test_the_pictures_have_a_row_per_label(finished):
    run_dir, _ = finished
    with Image.open(run_dir / "samples" / "epoch_002.png") as picture:
        assert picture.height > 7 * 90
        assert picture.width > (2 + 2) * 90


def test_a_run_is_not_overwritten_unless_told(finished):
    run_dir, _ = finished
    before = {file: file.stat().st_mtime_ns for file in run_dir.rglob("*.*")}
    with pytest.raises(UserError, match=r"already holds a run.*--overwrite"):
        fit.main(settings(run_dir))
    assert {file: file.stat().st_mtime_ns for file in run_dir.rglob("*.*")} == before
    fit.prepare(settings(run_dir, overwrite=True))
    assert {file: file.stat().st_mtime_ns for file in run_dir.rglob("*.*")} == before


IN_USE = r"another process trains in .*run; wait for it or choose another --run_dir"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
@pytest.mark.parametrize("change", ["resume", "overwrite"])
def test_a_directory_in_use_is_left_alone(tmp_path, monkeypatch, change):
    run_dir = tmp_path / "run"
    live = run_dir / "checkpoints" / ".step_000000004.99.partial"
    live.mkdir(parents=True)
    monkeypatch.setattr(fit, "_load", lambda *_: pytest.fail("it read the data"))
    with RunDirectory(run_dir).alone(), pytest.raises(UserError, match=IN_USE):
        fit.main(settings(run_dir, **{change: True}))
    assert live.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_a_directory_that_came_into_use_while_the_data_was_read(tmp_path, monkeypatch):
    run_dir = tmp_path / "run"
    monkeypatch.setattr(training, "train", lambda _: pytest.fail("it trained"))
    load, held = fit._load, contextlib.ExitStack()

    def slow_load(*arguments):
        held.enter_context(RunDirectory(run_dir).alone())
        monkeypatch.setattr(fit, "_load", load)
        return load(*arguments)

    monkeypatch.setattr(fit, "_load", slow_load)
    with held, pytest.raises(UserError, match=IN_USE):
        fit.main(settings(run_dir))


def test_a_run_that_was_made_while_the_data_was_read_is_not_overwritten(tmp_path, monkeypatch):
    run_dir = tmp_path / "run"
    monkeypatch.setattr(training, "train", lambda _: pytest.fail("it trained"))
    load = fit._load

    def slow_load(*arguments):
        run_dir.mkdir(exist_ok=True)
        (run_dir / "config.json").write_text("{}")
        return load(*arguments)

    monkeypatch.setattr(fit, "_load", slow_load)
    with pytest.raises(UserError, match="already holds a run"):
        fit.main(settings(run_dir))


def test_a_run_has_its_directory_to_itself_and_gives_it_back(tmp_path, monkeypatch):
    directory = RunDirectory(tmp_path / "run")

    def train(run):
        if sys.platform != "win32":
            with pytest.raises(InUseError):
                run.directory.check_unused()
        raise NonFiniteError("seen")

    monkeypatch.setattr(training, "train", train)
    assert fit.main(settings(directory.path)) == fit.NONFINITE
    directory.check_unused()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "faces"}, "--dataset must be one of cifar10,"),
        ({"dataset": "folder", "data_path": "/nowhere"}, "/nowhere"),
        ({"dataset": "fer2013", "data_path": "/nowhere.csv"}, "/nowhere.csv"),
        ({"image_size": 20, "levels": 3}, "use levels=2, with one depth"),
        ({"preset": "glo"}, "the presets are"),
    ],
)
def test_users_mistakes_cost_no_time_and_leave_nothing(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        fit.main(settings(tmp_path / "run", **changes))
    assert list(tmp_path.iterdir()) == []


class Poison(keras.callbacks.Callback):
    """Puts a NaN into a weight before the given step."""

    def __init__(self, step, times=1):
        super().__init__()
        self.step = step
        self.times = times

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step and self.times:
            self.times -= 1
            weight = next(w for w in self.model.trainable_variables if "level_0" in w.path)
            weight.assign(np.full(weight.shape, np.nan))


def test_a_non_finite_loss_stops_the_run_and_says_where(tmp_path, monkeypatch, capsys):
    observer = observed(monkeypatch, Poison(step=5))
    run_dir = tmp_path / "run"
    assert fit.main(settings(run_dir)) == fit.NONFINITE
    message = capsys.readouterr().err
    assert "non-finite loss or gradient at step 5" in message
    assert "level_0" in message
    assert "holds the model of the last finished epoch; the last checkpoint is of step 4" in message
    assert message.strip().endswith("--resume --on_nonfinite=rollback")
    assert not (run_dir / "result.json").exists()
    model = load_model(run_dir / "model.keras")
    for got, want in zip(model.get_weights(), observer.averages[0], strict=True):
        np.testing.assert_array_equal(got, want)
    assert len((run_dir / "metrics.csv").read_text().splitlines()) == 2


def test_tensorboard_gets_curves_pictures_and_histograms(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run_dir = tmp_path / "run"
    changes = {"tensorboard": True, "log_scale_histograms": True, "bits_per_label": True}
    assert fit.main(settings(run_dir, **changes)) == 0
    found = {}
    for folder in {path.parent for path in run_dir.glob("tensorboard/**/events*")}:
        events = EventAccumulator(str(folder)).Reload()
        found[folder.name] = events.Tags()["tensors"]
    assert "epoch_bits_per_dim" in found["train"]
    assert found["pictures"] == ["samples"]
    assert "level_0/log_scale_2" in found["log_scales"]
    header = (run_dir / "metrics.csv").read_text().splitlines()[0].split(",")
    assert "val_bits_per_dim_happy" in header


def test_rollback_goes_on_from_the_last_checkpoint_with_a_lower_rate(tmp_path, monkeypatch, capsys):
    observed(monkeypatch, Poison(step=5))
    run_dir = tmp_path / "run"
    changes = {"on_nonfinite": "rollback", "checkpoint_steps": 2, "epochs": None, "max_steps": 9}
    assert fit.main(settings(run_dir, **changes)) == 0
    message = capsys.readouterr().err
    assert "non-finite loss or gradient at step 5" in message
    assert "Going back to step 4 with 0.5 times the learning rate" in message
    result = json.loads((run_dir / "result.json").read_text())
    assert (result["steps"], result["rollbacks"]) == (9, 1)
    states = [json.loads(p.read_text()) for p in run_dir.glob("checkpoints/step_*/state.json")]
    assert {(state["rollbacks"], state["rate"]) for state in states if state["step"] > 4} == {
        (1, 0.5)
    }
    assert np.isfinite(load_model(run_dir / "model.keras").get_weights()[0]).all()


class Shares(keras.callbacks.Callback):
    """Keeps how far the annealing of the rank was in each step."""

    def __init__(self):
        super().__init__()
        self.shares = []

    def on_train_batch_end(self, batch, logs=None):
        self.shares.append(float(self.model.annealing.share.numpy()))


@pytest.mark.parametrize("by_minutes", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_rank_grows_with_a_share_of_the_run(tmp_path, monkeypatch, by_minutes):
    shares = Shares()
    observed(monkeypatch, shares)
    changes = {"svd_protocol": "anneal", "svd_anneal_share": 0.5}
    if by_minutes:
        changes |= {"max_steps": None, "max_minutes": 0.05}
    assert fit.main(settings(tmp_path / "run", **changes)) == 0
    if by_minutes:
        assert shares.shares == sorted(shares.shares)
        assert shares.shares[0] < 1
    else:
        assert shares.shares == pytest.approx([0, 1 / 3, 2 / 3, 1, 1, 1])
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["svd_rank"] == 16  # of images of 16 x 16
    assert result["bits_per_dim_truncated"] != result["bits_per_dim"]


def test_rollback_gives_up(tmp_path, monkeypatch, capsys):
    observed(monkeypatch, Poison(step=5, times=9))
    changes = {"on_nonfinite": "rollback", "checkpoint_steps": 2, "epochs": None, "max_steps": 9}
    assert fit.main(settings(tmp_path / "run", **changes)) == fit.NONFINITE
    message = capsys.readouterr().err
    assert message.count("Going back to step 4") == 3
    assert "gave up after 3 rollbacks" in message
    # The epoch ended there, so that it may be the best one, however often the run goes back to it.
    [row] = csv.DictReader((tmp_path / "run" / "metrics.csv").read_text().splitlines())
    state = (tmp_path / "run" / "checkpoints" / "step_000000004" / "state.json").read_text()
    assert json.loads(state)["figure"] == float(row["val_bits_per_dim"])


def test_rollback_without_a_checkpoint_stops(tmp_path, monkeypatch, capsys):
    observed(monkeypatch, Poison(step=1))
    assert fit.main(settings(tmp_path / "run", on_nonfinite="rollback")) == fit.NONFINITE
    assert "there is no checkpoint to go back to" in capsys.readouterr().err


def test_the_batch_of_the_failing_step_is_found_again(tmp_path, monkeypatch):
    run = fit.prepare(settings(tmp_path / "run", flip=True, seed=3))
    seen = []

    class Stub:
        def explain_nonfinite(self, images, labels, step):
            seen.append((images, labels, step))
            return "level 1, step 2, affine layer"

    message = training._explain_nonfinite(run, Stub(), 9)
    assert (
        message
        == "non-finite loss or gradient at step 9; it arises at: level 1, step 2, affine layer"
    )
    batches = training_dataset(run.train, 8, seed=3, flip=True).as_numpy_iterator()
    images, labels = [next(batches) for _ in range(10)][9]
    np.testing.assert_array_equal(seen[0][0], images)
    np.testing.assert_array_equal(seen[0][1], labels)


def test_non_finite_validation_keeps_the_last_good_model(tmp_path, monkeypatch):
    class PoisonAverage(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                average = self.model.optimizer._model_variables_moving_average[0]
                average.assign(np.full(average.shape, np.nan))

    observer = observed(monkeypatch, PoisonAverage())
    run = fit.prepare(settings(tmp_path / "run"))
    with pytest.raises(NonFiniteError, match="val_bits_per_dim"):
        training.train(run)
    model = load_model(run.directory.model)
    for got, want in zip(model.get_weights(), observer.averages[0], strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_truncating_model_reports_both_figures(tmp_path):
    run_dir = tmp_path / "run"
    changes = {"preset": "bplf_3x3_1x1_svd", "network_dtype": "mixed_bfloat16"}
    assert fit.main(settings(run_dir, max_steps=3, optimizer="adamax", flip=True, **changes)) == 0
    result = json.loads((run_dir / "result.json").read_text())
    with (run_dir / "metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    for name in ("bits_per_dim", "bits_per_dim_truncated"):
        assert result[name] == pytest.approx(float(row[f"val_{name}"]), abs=1e-4)
    assert result["bits_per_dim"] != result["bits_per_dim_truncated"]


@pytest.mark.slow
def test_the_clock_ends_a_run_of_a_model_without_labels(tmp_path):
    run_dir = tmp_path / "run"
    changes = {"max_steps": None, "max_minutes": 1e-4, "conditional": False}
    assert fit.main(settings(run_dir, **changes)) == 0
    result = json.loads((run_dir / "result.json").read_text())
    assert result["steps"] == 1
    assert result["minutes"] > 1e-4
    assert load_model(run_dir / "model.keras").config.classes == ()


def test_drawn_faces_in_place_of_emotionset_are_announced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BPLF_DATA", raising=False)
    run = fit.prepare(settings(tmp_path / "run", dataset="emotionset"))
    fit._print_fallback(run)
    shown = capsys.readouterr().out
    assert "!!!!" in shown
    assert "Drawn faces instead of emotionset" in shown
    assert "not figures of real faces" in shown


def test_the_sources_of_a_built_set_are_named(tmp_path, capsys):
    run = fit.prepare(settings(tmp_path / "run"))
    source = {"title": "FER2013", "images": 13989, "licence": "research use only"}
    provenance = {**run.train.provenance, "sources": {"fer2013": source}}
    run = dataclasses.replace(run, train=dataclasses.replace(run.train, provenance=provenance))
    fit._print_fallback(run)
    fit._print_start(run)
    shown = capsys.readouterr().out
    assert "FER2013: 13989 images to train on; research use only" in shown
    assert "Drawn faces instead" not in shown


def flags_of(chosen):
    defaults = FitSettings()
    for field in dataclasses.fields(chosen):
        value = getattr(chosen, field.name)
        if value != getattr(defaults, field.name):
            yield f"--{field.name}={value}"


@pytest.mark.slow
def test_fit_sample_and_evaluate_as_programs(tmp_path):
    """The whole way as a user goes it: three programs, in a folder of one's own."""

    # This process has set it by importing TensorFlow.
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}

    def program(*arguments):
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    run_dir = tmp_path / "run"
    fitted = program("trainers.fit", *flags_of(settings(run_dir, max_steps=2)))
    assert fitted.returncode == 0, fitted.stderr
    assert fitted.stderr == ""  # TensorFlow's notices are held back
    for text in ("bits_per_dim:", "images/s", "inverse error", str(run_dir / "model.keras")):
        assert text in fitted.stdout

    model = f"--model={run_dir / 'model.keras'}"
    out = tmp_path / "grid.png"
    drawn = program("trainers.sample", model, "--label=happy", "--n=4", f"--out={out}")
    assert drawn.returncode == 0, drawn.stderr
    assert out.exists()

    figures = tmp_path / "figures.json"
    measured = program(
        "trainers.evaluate", model, "--dataset=drawn_faces", "--limit=14", "--draws=2",
        "--network_dtype=mixed_bfloat16", f"--out={figures}",
    )  # fmt: skip
    assert measured.returncode == 0, measured.stderr
    assert "bits/dim" in measured.stdout
    result = json.loads(figures.read_text())
    assert result["network_dtype"] == "mixed_bfloat16"
    assert result["images"] == 14
    trained = json.loads((run_dir / "result.json").read_text())
    assert result["bits_per_dim"] == pytest.approx(trained["bits_per_dim"], abs=0.05)
