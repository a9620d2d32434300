"""`trainers.fit --resume` after a real kill, in processes of its own."""

import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.checkout import ROOT
from tests.trainers import fit_process
from tests.trainers.fit_process import finish, finished_steps, kill, metrics, wait_for, weights
from trainers import environment

FLAGS = ["--max_steps=26", "--warmup_steps=5", "--learning_rate=0.01", "--checkpoint_steps=3"]


def start(run_dir, *more):
    return fit_process.start(run_dir, *FLAGS, *more)


def history(run_dir):
    timed = ("minutes", "images_per_second")
    rows = metrics(run_dir)
    return [{name: value for name, value in row.items() if name not in timed} for row in rows]


def assert_same_end(run_dir, reference):
    assert history(run_dir) == history(reference)
    for expected, actual in zip(weights(reference), weights(run_dir), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "uninterrupted"
    finish(start(run_dir))
    return run_dir


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_very_same_weights(uninterrupted, tmp_path):
    run_dir = tmp_path / "killed"
    rng = np.random.default_rng(0)
    for least in (0, 3, 12):
        process = start(run_dir, "--resume")
        wait_for(lambda: finished_steps(run_dir) >= least, process)  # noqa: B023
        time.sleep(rng.uniform(0, 0.3 if least else 10))
        kill(process)
    output = finish(start(run_dir, "--resume"))
    assert "Going on after step" in output
    assert_same_end(run_dir, uninterrupted)


def stands_still_while_writing(process, folder):
    """Stops the process if a checkpoint is half written; where it is whole by then, it goes on."""
    if not any(folder.glob(".*.partial")):
        return False
    process.send_signal(signal.SIGSTOP)
    while state(process) not in "TZ":  # stopped, or ended
        time.sleep(0.001)
    if any(folder.glob(".*.partial")):
        return True
    process.send_signal(signal.SIGCONT)
    return False


def state(process):
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc, to see that a process stands")
def test_killed_while_a_checkpoint_is_being_written(uninterrupted, tmp_path):
    run_dir = tmp_path / "killed"
    process = start(run_dir)
    folder = run_dir / "checkpoints"
    wait_for(lambda: finished_steps(run_dir) >= 6, process)
    wait_for(lambda: stands_still_while_writing(process, folder), process)
    kill(process)
    assert any(folder.glob(".*.partial"))
    finish(start(run_dir, "--resume"))
    assert_same_end(run_dir, uninterrupted)
    assert not list(folder.glob(".*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_names_the_command_that_goes_on(
    uninterrupted, tmp_path, number, monkeypatch
):
    monkeypatch.chdir(ROOT)
    run_dir = tmp_path / "stopped"
    process = start(run_dir)
    wait_for(lambda: finished_steps(run_dir) >= 3, process)
    process.send_signal(number)
    output = finish(process, 128 + number)
    assert "Go on with" in output
    assert "Traceback" not in output
    command = output.strip().splitlines()[-1].split()
    assert command[:3] == environment.fit_command([]).split()
    assert command[-1] == "--resume"
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_same_end(run_dir, uninterrupted)


@pytest.mark.slow
def test_another_configuration_is_refused(uninterrupted):
    output = finish(start(uninterrupted, "--resume", "--width=8"), code=2)
    assert "width is 8, there 4" in output
