"""`trainers.fit` in processes of its own, as long as it takes to see one killed."""

import csv
import subprocess
import sys
import time

from bplf_tf import load_model
from tests.checkout import ROOT

# Five steps to a pass of 33 images; flips, averages and validation between. The last batch has one
# image, so that replicas get nothing.
FLAGS = [
    "--dataset=drawn_faces", "--image_size=16", "--limit=33", "--validation_limit=14",
    "--preset=bplf_3x3_1x1", "--size=tiny", "--levels=1", "--depth=2", "--width=4", "--flip",
    "--batch_size=8", "--samples_per_label=1", "--dropout=0.2", "--deterministic",
]  # fmt: skip


def start(run_dir, *more, environment=None, folder=ROOT):
    """Starts it in a folder; another one than the checkout needs a PYTHONPATH."""
    command = [sys.executable, "-m", "trainers.fit", *FLAGS, f"--run_dir={run_dir}", *more]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process, code=0):
    """Waits for a process that must end with that exit code; what it printed."""
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    return output


def kill(process):
    process.kill()
    process.communicate()


def wait_for(condition, process):
    """Waits for something to happen while the process runs."""
    while not condition():
        assert process.poll() is None, f"it ended before that:\n{process.communicate()[0]}"
        time.sleep(0.002)


def finished_steps(run_dir):
    """The step of the last whole checkpoint, 0 if there is none."""
    names = [path.name for path in (run_dir / "checkpoints").glob("step_*")]
    return max((int(name.removeprefix("step_")) for name in names), default=0)


def metrics(run_dir):
    return list(csv.DictReader((run_dir / "metrics.csv").read_text().splitlines()))


def weights(run_dir):
    return load_model(run_dir / "model.keras").get_weights()
