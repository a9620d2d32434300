"""No space left: nothing half-written, nothing lost, and a message that says how to go on."""

import keras
import numpy as np
import pytest

from datasets.files import WriteError
from tests.trainers.test_checkpoints import trained
from tests.trainers.test_fit import observed, settings
from trainers import callbacks, fit
from trainers.checkpoints import Checkpoints, Progress
from trainers.run_files import MetricsFile, ModelFile


@pytest.fixture(scope="module")
def model():
    return trained(seed=0)


def metrics(folder, model):
    file = MetricsFile(folder / "metrics.csv")
    return lambda epoch: file.on_epoch_end(epoch, {"val_bits_per_dim": 4.0})


def model_file(folder, model):
    file = ModelFile(folder / "model.keras")
    file.set_model(model)
    return file.on_epoch_end


def picture(folder, model):
    images = np.zeros((8, 8, 8, 1), np.uint8)
    grid = callbacks.SampleGrid(
        lambda _: folder / "epoch.png", images, np.arange(8) % 7, samples_per_label=8
    )
    grid.set_model(model)
    return grid.on_epoch_end


def checkpoint(folder, model):
    checkpoints = Checkpoints(folder / "checkpoints", {})
    return lambda epoch: checkpoints.save(model, Progress(epoch + 1))


WRITERS = {
    "metrics.csv": (metrics, 0),
    "model.keras": (model_file, 4096),
    "epoch.png": (picture, 4096),
    "step_000000002": (checkpoint, 4096),
}


def contents(folder):
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file: file.read_bytes() for file in files}


@pytest.mark.parametrize("name", WRITERS)
def test_what_was_written_before_is_as_it_was(disk, model, name):
    make, left = WRITERS[name]
    write = make(disk.path, model)
    write(0)
    before = contents(disk.path)
    assert before
    with disk.full(left), pytest.raises(WriteError, match=f"could not write .*{name}: ") as raised:
        write(1)
    assert contents(disk.path) == before
    assert disk.reason in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "{{" not in str(raised.value)  # TensorFlow's name for the place in the graph
    write(1)


class Filled(keras.callbacks.Callback):
    """Fills the disk as the given step begins."""

    def __init__(self, disk, step):
        super().__init__()
        self.disk, self.step = disk, step

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            self.disk.fill()


@pytest.mark.parametrize(
    ("step", "file"),
    [
        (5, "metrics.csv"),
        pytest.param(4, r"checkpoints/step_000000005", marks=pytest.mark.slow),
    ],
)
def test_a_run_stops_with_the_command_that_goes_on(small_disk, monkeypatch, capsys, step, file):
    run_dir = small_disk.path / "run"
    changes = {"max_steps": 6, "checkpoint_steps": 5 if step == 4 else 4}
    with monkeypatch.context() as patch:
        observed(patch, Filled(small_disk, step))
        assert fit.main(settings(run_dir, **changes)) == 2
    message = capsys.readouterr().err
    assert f"error: could not write {run_dir / file}: No space left on device" in message.replace(
        "the checkpoint ", ""
    )
    assert message.strip().splitlines()[-1].endswith("--resume")
    assert not list(run_dir.rglob("*.partial*"))
    small_disk.free()
    assert fit.main(settings(run_dir, resume=True, **changes)) == 0
    shown = capsys.readouterr()
    assert "Going on after step 4" in shown.out
    assert shown.err == ""
    assert len((run_dir / "metrics.csv").read_text().splitlines()) == 3


def test_no_room_for_tensorboard(small_disk, tmp_path, capsys):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "tensorboard").symlink_to(small_disk.path)
    with small_disk.full():
        assert fit.main(settings(run_dir, tensorboard=True)) == 2
    message = capsys.readouterr().err
    assert f"error: could not write {run_dir / 'tensorboard'}: No space left on device" in message
    assert message.strip().splitlines()[-1].endswith("--resume")


def test_no_room_from_the_start(small_disk, capsys):
    small_disk.fill()
    run_dir = small_disk.path / "run"
    assert fit.main(settings(run_dir)) == 2
    assert f"could not write {run_dir / 'config.json'}: No space left" in capsys.readouterr().err
    assert not (run_dir / "config.json").exists()
