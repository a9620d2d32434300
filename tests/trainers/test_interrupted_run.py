"""A run that is stopped, or finds damage, and is gone on with; in this process, to be quick.

`test_resume.py` does the same with real kills in processes of their own.
"""

import json
import os
import signal

import keras
import pytest

from datasets.flags import UserError
from tests.trainers.test_checkpoints import spoil
from tests.trainers.test_fit import observed, settings
from trainers import fit

CHECKPOINTED = {"checkpoint_steps": 2, "max_steps": 7}  # an epoch has 4 steps


class Signal(keras.callbacks.Callback):
    """Sends this process a signal in the given step, or in the final evaluation."""

    def __init__(self, number, step):
        super().__init__()
        self.number, self.step = number, step

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            os.kill(os.getpid(), self.number)


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder)).Reload()
    return {tag: len(found.Tensors(tag)) for tag in found.Tags()["tensors"]}


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_saves_finishes_the_logs_and_names_the_command(
    tmp_path, monkeypatch, capsys, number
):
    pytest.importorskip("tensorboard")
    run_dir = tmp_path / "run"
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        observed(patch, Signal(number, step=4))
        changes = {"tensorboard": True, "max_steps": 7}
        assert fit.main(settings(run_dir, **changes)) == 128 + number
    assert signal.getsignal(number) is before
    message = capsys.readouterr().err
    assert f"{signal.Signals(number).name} after step 5: saved. Go on with\n" in message
    assert message.strip().endswith("--resume")
    assert (run_dir / "checkpoints" / "step_000000005").is_dir()
    assert len((run_dir / "metrics.csv").read_text().splitlines()) == 2
    assert events(run_dir / "tensorboard" / "train")["epoch_bits_per_dim"] == 1
    assert fit.main(settings(run_dir, resume=True, **changes)) == 0
    assert "Going on after step 5" in capsys.readouterr().out


def test_a_signal_in_the_final_evaluation_loses_nothing(tmp_path, monkeypatch, capsys):
    run_dir = tmp_path / "run"

    def measure(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the evaluation went on")

    with monkeypatch.context() as patch:
        patch.setattr("trainers.training.measure", measure)
        assert fit.main(settings(run_dir, max_steps=2)) == 128 + signal.SIGTERM
    assert "SIGTERM after step 2: saved. Go on with" in capsys.readouterr().err
    assert fit.main(settings(run_dir, max_steps=2, resume=True)) == 0
    result = json.loads((run_dir / "result.json").read_text())
    assert result["steps"] == 2
    assert result["minutes"] > 0


SIGNALS = [signal.SIGTERM, signal.SIGINT]


def signalled(number):
    """Stands for any function before the first step, in which the signal comes."""

    def run(*_):
        os.kill(os.getpid(), number)
        raise AssertionError("it went on")

    return run


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_before_the_first_step_is_no_traceback(tmp_path, monkeypatch, capsys, number):
    before = signal.getsignal(number)
    monkeypatch.setattr("trainers.run.Run.first_images", signalled(number))
    assert fit.main(settings(tmp_path / "run")) == 128 + number
    assert signal.getsignal(number) is before
    message = capsys.readouterr().err
    assert "interrupted\nno epoch was finished" in message
    assert message.strip().endswith("--resume")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_the_data_is_read_is_no_traceback(tmp_path, monkeypatch, capsys, number):
    before = signal.getsignal(number)
    monkeypatch.setattr("sys.argv", ["trainers/fit.py", "--overwrite", "--flip"])
    monkeypatch.setattr(fit, "_load", signalled(number))
    assert fit.main(settings(tmp_path / "run", overwrite=True)) == 128 + number
    assert signal.getsignal(number) is before
    message = capsys.readouterr().err
    assert "interrupted\nnothing was written. Start again with\n" in message
    assert message.strip().endswith("trainers.fit --overwrite --flip")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def seven_steps(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "seven_steps"
    assert fit.main(settings(run_dir, **CHECKPOINTED)) == 0
    return run_dir


def test_it_goes_on_from_the_checkpoint_before_a_damaged_one(seven_steps, capsys):
    places = sorted((seven_steps / "checkpoints").glob("step_*"))
    spoil(places[-1], "truncated")
    spoil(places[-2], "no index")
    assert fit.main(settings(seven_steps, resume=True, **CHECKPOINTED)) == 0
    shown = capsys.readouterr()
    for place in places[-2:]:
        assert f"warning: {place} is damaged (" in shown.err
    assert shown.err.count("going back to the checkpoint before it") == 2
    assert f"Going on after step {int(places[-3].name[-9:])}," in shown.out


def test_where_all_are_damaged_it_says_so(seven_steps):
    for place in (seven_steps / "checkpoints").glob("step_*"):
        spoil(place, "empty")
    with pytest.raises(
        UserError, match=r"no checkpoint can be read: .*Begin anew with --overwrite"
    ):
        fit.main(settings(seven_steps, resume=True, **CHECKPOINTED))


def test_a_read_only_disk_is_told_before_the_data_is_read(read_only_disk, monkeypatch):
    monkeypatch.setattr(fit, "_load", lambda *_: pytest.fail("it read the data"))
    with pytest.raises(UserError, match="cannot be written to"):
        fit.main(settings(read_only_disk / "run"))
