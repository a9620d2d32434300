"""`trainers.checkpoints`: whole or not at all, several generations, and a way past damage."""

import json
import shutil

import keras
import numpy as np
import pytest

from bplf_tf import BPLF
from datasets.files import WriteError
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
