"""`trainers.checkpoints`: whole or not at all, several generations, and a way past damage."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from bplf_tf import BPLF
from datasets.files import WriteError
from tests.checkout import ROOT
from trainers.averaging import Adam
from trainers.checkpoints import CheckpointError, Checkpoints, Progress

IDENTITY = {"width": 4, "classes": ["a", "b"]}


def trained(seed):
    """A compiled model after one step, so that the optimizer has slots that matter."""
    model = BPLF.from_preset(
        "bplf_3x3_1x1", "tiny", (8, 8, 1), levels=1, depth=1, width=4, seed=seed
    )
    model.compile(optimizer=Adam(1e-2, use_ema=True, ema_momentum=0.9))
    model.optimizer.build(model.trainable_variables)
    images = np.random.default_rng(seed).integers(0, 256, (8, 8, 8, 1)).astype(np.uint8)
    model.fit(images, np.arange(8) % 7, batch_size=8, verbose=0)
    return model


def state(model):
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.fixture(scope="module")
def models():
    return trained(seed=0), trained(seed=1)


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", IDENTITY, keep=2)


def test_restores_every_tensor_and_the_progress(models, checkpoints):
    first, other = models
    checkpoints.save(first, Progress(5, 1.5, [{"epoch": 1, "bits_per_dim": 4.5}]))
    progress, complaints = checkpoints.restore(other)
    assert (progress, complaints) == (Progress(5, 1.5, [{"epoch": 1, "bits_per_dim": 4.5}]), [])
    for expected, actual in zip(state(first), state(other), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_nothing_there_is_the_beginning(models, checkpoints):
    assert checkpoints.restore(models[0]) == (Progress(), [])


def test_keeps_the_last_and_the_best(models, checkpoints):
    for step, figure in ((1, 5.0), (2, 4.0), (3, None), (4, 4.5), (5, 4.6)):
        checkpoints.save(models[0], Progress(step), figure)
    assert checkpoints.steps() == [2, 4, 5]


def test_the_best_one_is_kept_through_going_back_to_it(models, checkpoints):
    checkpoints.save(models[0], Progress(100), 4.2)
    checkpoints.save(models[0], Progress(100, rollbacks=1), checkpoints.figure(100))
    for step, figure in ((200, 4.5), (300, 4.4), (400, 4.3), (500, 4.35)):
        checkpoints.save(models[0], Progress(step), figure)
    assert checkpoints.steps() == [100, 400, 500]
    assert checkpoints.figure(100) == 4.2


DAMAGES = [
    "truncated", "flipped", "missing", "no index", "half an index", "no state", "half a state",
    "a state without a field", "a state that is no object", "empty",
]  # fmt: skip


def spoil(place, damage):
    data = next(place.glob("tensors.data-*"))
    content = data.read_bytes()
    if damage == "truncated":
        data.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        middle = len(content) // 2
        data.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
    elif damage == "missing":
        data.unlink()
    elif damage == "no index":
        (place / "tensors.index").unlink()
    elif damage == "half an index":
        index = (place / "tensors.index").read_bytes()
        (place / "tensors.index").write_bytes(index[: len(index) // 2])
    elif damage == "no state":
        (place / "state.json").unlink()
    elif damage == "half a state":
        (place / "state.json").write_text('{"step": 2, ')
    elif damage == "a state without a field":
        state = json.loads((place / "state.json").read_text())
        del state["minutes"]
        (place / "state.json").write_text(json.dumps(state))
    elif damage == "a state that is no object":
        (place / "state.json").write_text("[]")
    else:
        for file in place.iterdir():
            file.write_bytes(b"")


@pytest.mark.parametrize("damage", DAMAGES)
def test_goes_back_past_a_damaged_checkpoint(models, checkpoints, damage):
    first, other = models
    checkpoints.save(first, Progress(1))
    checkpoints.save(first, Progress(2))
    spoil(checkpoints.folder / "step_000000002", damage)
    progress, complaints = checkpoints.restore(other)
    assert progress.step == 1
    assert len(complaints) == 1
    assert "step_000000002 is damaged" in complaints[0]
    for expected, actual in zip(state(first), state(other), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_all_damaged_is_an_error(models, checkpoints):
    checkpoints.save(models[0], Progress(1))
    shutil.rmtree(checkpoints.folder / "step_000000001")
    (checkpoints.folder / "step_000000001").mkdir()
    with pytest.raises(CheckpointError, match=r"no checkpoint can be read: .*step_000000001"):
        checkpoints.restore(models[0])


def test_refuses_another_configuration_and_shows_the_difference(models, checkpoints):
    checkpoints.save(models[0], Progress(1))
    other = Checkpoints(checkpoints.folder, {**IDENTITY, "width": 8})
    with pytest.raises(CheckpointError, match="width is 8, there 4"):
        other.restore(models[0])


def test_an_option_that_the_checkpoint_does_not_know_had_its_default(models, checkpoints):
    checkpoints.save(models[0], Progress(1))
    for dropout, fits in ((0.0, True), (0.2, False)):
        identity = {**IDENTITY, "dropout": dropout}
        later = Checkpoints(checkpoints.folder, identity, defaults={"dropout": 0.0, "width": 64})
        if fits:
            assert later.restore(models[0])[0].step == 1
        else:
            with pytest.raises(CheckpointError, match=r"dropout is 0\.2, there 0\.0\."):
                later.restore(models[0])


@pytest.mark.parametrize("keep", [1, 2])
def test_what_is_written_after_going_back_is_kept(models, tmp_path, keep):
    checkpoints = Checkpoints(tmp_path, IDENTITY, keep=keep)
    for step in (1, 8, 9):
        Checkpoints(tmp_path, IDENTITY, keep=9).save(models[0], Progress(step))
    for step in (8, 9):
        spoil(checkpoints._place(step), "truncated")
    assert checkpoints.restore(models[0])[0].step == 1
    checkpoints.save(models[0], Progress(4))
    assert checkpoints.steps() == [1, 4][-keep:]


def test_folders_of_other_names_are_left_alone(models, checkpoints):
    checkpoints.save(models[0], Progress(1))
    for name in ("step_000000001 (copy)", "step_best", "notes"):
        (checkpoints.folder / name).mkdir()
    assert checkpoints.steps() == [1]
    assert checkpoints.restore(models[0])[0].step == 1


@pytest.mark.parametrize("chief", [True, False])
def test_a_failed_write_leaves_the_earlier_one_and_no_rest(models, checkpoints, chief, monkeypatch):
    checkpoints.save(models[0], Progress(1))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tensorflow.train.Checkpoint.write", full)
    failing = Checkpoints(checkpoints.folder, IDENTITY, chief=chief)
    with pytest.raises(WriteError, match=r"step_000000002: No space left.*step_000000001"):
        failing.save(models[0], Progress(2))
    assert [path.name for path in checkpoints.folder.iterdir()] == ["step_000000001"]


# Saves step 5 over itself and is killed, without TensorFlow, after so many of the renames.
KILLED = """
import os, sys
from pathlib import Path
from trainers import checkpoints
from trainers.checkpoints import Checkpoints, Progress

folder, left = Path(sys.argv[1]), [int(sys.argv[2])]
rename = Path.rename
def renamed(*paths):
    if not left[0]:
        os._exit(9)
    left[0] -= 1
    return rename(*paths)
checkpoints._write_tensors = lambda model, folder: (folder / "tensors").write_text("x")
if left[0] == 2:
    checkpoints.shutil.rmtree = lambda path, **_: path.exists() and os._exit(9)
Path.rename = renamed
Checkpoints(folder, {}).save(None, Progress(5, rollbacks=1))
"""


@pytest.mark.parametrize(("renames", "rollbacks"), [(0, 0), (1, 0), (2, 1)])
@pytest.mark.parametrize("keep", [1, 3])
def test_killed_while_one_takes_the_place_of_another(
    tmp_path, monkeypatch, keep, renames, rollbacks
):
    monkeypatch.setattr("trainers.checkpoints._write_tensors", lambda *_: None)
    monkeypatch.setattr("trainers.checkpoints._load_tensors", lambda *_: None)
    checkpoints = Checkpoints(tmp_path / "checkpoints", {}, keep)
    checkpoints.save(None, Progress(5), 4.2)
    command = [sys.executable, "-c", KILLED, str(checkpoints.folder), str(renames)]
    assert subprocess.run(command, cwd=ROOT).returncode == 9
    assert len(list(checkpoints.folder.iterdir())) == 2
    assert checkpoints.steps() == [5]
    assert checkpoints.restore(None) == (Progress(5, rollbacks=rollbacks), [])
    assert checkpoints.figure(5) == (None if rollbacks else 4.2)
    checkpoints.save(None, Progress(6))
    expected = ["step_000000005", "step_000000006"]
    kept = expected if keep > 1 or not rollbacks else expected[1:]
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == kept


def test_where_the_new_one_cannot_take_the_place_the_old_one_keeps_it(
    models, checkpoints, monkeypatch
):
    checkpoints.save(models[0], Progress(5))
    rename = Path.rename

    def refused(path, target):
        if path.name.endswith(".partial"):
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(WriteError, match=r"Permission denied.*whole is .*/step_000000005$"):
        checkpoints.save(models[0], Progress(5, rollbacks=1))
    assert [path.name for path in checkpoints.folder.iterdir()] == ["step_000000005"]
    assert checkpoints.restore(models[1])[0] == Progress(5)
