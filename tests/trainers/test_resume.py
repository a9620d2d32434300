"""`trainers.fit --resume` after a real kill, in processes of its own."""

import csv
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from bplf_tf import load_model
from tests.checkout import ROOT

STEPS = 26
# Five steps to a pass of 33 images, the last batch short; flips, dropout, averages, validations.
FLAGS = [
    "--dataset=drawn_faces", "--image_size=16", "--limit=33", "--validation_limit=14",
    "--preset=bplf_3x3_1x1", "--size=tiny", "--levels=1", "--depth=2", "--width=4", "--flip",
    "--batch_size=8", f"--max_steps={STEPS}", "--warmup_steps=5", "--learning_rate=0.01",
    "--samples_per_label=1", "--checkpoint_steps=3", "--deterministic", "--dropout=0.2",
]  # fmt: skip


def start(run_dir, *more):
    command = [sys.executable, "-m", "trainers.fit", *FLAGS, f"--run_dir={run_dir}", *more]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process):
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def wait_for(condition, process):
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.002)


def weights(run_dir):
    return load_model(run_dir / "model.keras").get_weights()


def history(run_dir):
    rows = list(csv.DictReader((run_dir / "metrics.csv").read_text().splitlines()))
    timed = ("minutes", "images_per_second")
    return [{name: value for name, value in row.items() if name not in timed} for row in rows]


def assert_same_end(run_dir, reference):
    assert history(run_dir) == history(reference)
    for expected, actual in zip(weights(reference), weights(run_dir), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "uninterrupted"
    code, output = finish(start(run_dir))
    assert code == 0, output
    return run_dir


def finished_steps(run_dir):
    names = [path.name for path in (run_dir / "checkpoints").glob("step_*")]
    return max((int(name.removeprefix("step_")) for name in names), default=0)


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_very_same_weights(uninterrupted, tmp_path):
    run_dir = tmp_path / "killed"
    rng = np.random.default_rng(0)
    for least in (0, 3, 12):
        process = start(run_dir, "--resume")
        wait_for(lambda: finished_steps(run_dir) >= least, process)  # noqa: B023
        time.sleep(rng.uniform(0, 0.3 if least else 10))
        process.kill()
        process.communicate()
    code, output = finish(start(run_dir, "--resume"))
    assert code == 0, output
    assert "Going on after step" in output
    assert_same_end(run_dir, uninterrupted)


@pytest.mark.slow
def test_killed_while_a_checkpoint_is_being_written(uninterrupted, tmp_path):
    run_dir = tmp_path / "killed"
    process = start(run_dir)
    folder = run_dir / "checkpoints"
    wait_for(lambda: finished_steps(run_dir) >= 6, process)
    wait_for(lambda: any(folder.glob(".*.partial")), process)
    process.kill()
    process.communicate()
    code, output = finish(start(run_dir, "--resume"))
    assert code == 0, output
    assert_same_end(run_dir, uninterrupted)
    assert not list(folder.glob(".*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_names_the_command_that_goes_on(uninterrupted, tmp_path, number):
    run_dir = tmp_path / "stopped"
    process = start(run_dir)
    wait_for(lambda: finished_steps(run_dir) >= 3, process)
    process.send_signal(number)
    code, output = finish(process)
    assert code == 128 + number
    assert "Go on with" in output
    assert "Traceback" not in output
    command = output.strip().splitlines()[-1].split()
    assert command[:3] == ["python", "-m", "trainers.fit"]
    assert command[-1] == "--resume"
    done = subprocess.run([sys.executable, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_same_end(run_dir, uninterrupted)


@pytest.mark.slow
def test_another_configuration_is_refused(uninterrupted):
    code, output = finish(start(uninterrupted, "--resume", "--width=8"))
    assert code == 2
    assert "width is 8, there 4" in output
