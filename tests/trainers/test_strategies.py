"""Several devices and several processes train like one."""

import csv
import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from bplf_tf import load_model
from tests.checkout import ROOT
from trainers.strategies import _chosen

STEPS = 12
# Five steps to a pass of 33 images: the last batch has one image, so that replicas get nothing.
FLAGS = [
    "--dataset=drawn_faces", "--image_size=16", "--limit=33", "--validation_limit=14",
    "--preset=bplf_3x3_1x1", "--size=tiny", "--levels=1", "--depth=2", "--width=4", "--flip",
    "--batch_size=8", f"--max_steps={STEPS}", "--warmup_steps=2", "--samples_per_label=1",
    "--deterministic", "--dropout=0.2",
]  # fmt: skip
# Gradients of this model have norms of some 0.1 to 1: the clipping is active with SGD.
OPTIMIZERS = {
    "adam": ["--optimizer=adam", "--learning_rate=0.01"],
    "sgd": ["--optimizer=sgd", "--learning_rate=0.5", "--clip_norm=0.05"],
}


def start(run_dir, *more, cluster=None, index=0):
    environment = dict(os.environ)
    if cluster:
        task = {"type": "worker", "index": index}
        environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": cluster}, "task": task})
    command = [sys.executable, "-m", "trainers.fit", *FLAGS, f"--run_dir={run_dir}", *more]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_workers(count, run_dir, *more):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    cluster = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return [start(run_dir, *more, cluster=cluster, index=index) for index in range(count)]


def finish(*processes):
    outputs = []
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        outputs.append(output)
    return outputs


def rows(run_dir):
    text = (run_dir / "metrics.csv").read_text().splitlines()
    names = ("epoch", "step", "bits_per_dim", "val_bits_per_dim", "learning_rate")
    return [[float(row[name]) for name in names] for row in csv.DictReader(text)]


def assert_same_run(run_dir, reference):
    np.testing.assert_allclose(rows(run_dir), rows(reference), rtol=1e-5)
    trained = load_model(run_dir / "model.keras").get_weights()
    expected = load_model(reference / "model.keras").get_weights()
    for actual, wanted in zip(trained, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=2e-5)


@pytest.fixture(scope="module", params=OPTIMIZERS)
def optimizer(request):
    return request.param


@pytest.fixture(scope="module")
def alone(optimizer, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / optimizer
    finish(start(run_dir, *OPTIMIZERS[optimizer]))
    return run_dir


@pytest.mark.slow
def test_two_devices_train_as_one(alone, optimizer, tmp_path):
    run_dir = tmp_path / "mirrored"
    [output] = finish(
        start(run_dir, *OPTIMIZERS[optimizer], "--strategy=mirrored", "--cpu_devices=2")
    )
    assert_same_run(run_dir, alone)
    assert "Warning" not in output


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 3])
def test_several_processes_train_as_one(alone, optimizer, workers, tmp_path):
    run_dir = tmp_path / "workers"
    outputs = finish(*start_workers(workers, run_dir, *OPTIMIZERS[optimizer]))
    assert_same_run(run_dir, alone)
    assert "Trained for" in outputs[0]
    assert all("Epoch" not in output for output in outputs[1:]), "only the chief reports"
    result = json.loads((run_dir / "result.json").read_text())
    assert result["steps"] == STEPS


@pytest.mark.slow
def test_a_run_goes_on_after_a_worker_was_killed(tmp_path_factory, tmp_path):
    reference = tmp_path_factory.mktemp("runs") / "reference"
    finish(start(reference, *OPTIMIZERS["adam"]))
    run_dir = tmp_path / "killed"
    more = [*OPTIMIZERS["adam"], "--checkpoint_steps=3", "--resume"]
    chief, other = start_workers(2, run_dir, *more)
    while not list((run_dir / "checkpoints").glob("step_*")):
        assert chief.poll() is None, chief.communicate()[0]
        time.sleep(0.01)
    other.kill()
    other.communicate()
    output, _ = chief.communicate(timeout=300)
    assert chief.returncode == 4, output
    assert "another process of this run is gone" in output
    outputs = finish(*start_workers(2, run_dir, *more))
    assert "Going on after step" in outputs[0]
    assert_same_run(run_dir, reference)


TWO = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}


@pytest.mark.parametrize(
    ("name", "config", "gpus", "chosen"),
    [
        ("auto", None, 0, "one"),
        ("auto", None, 1, "one"),
        ("auto", None, 4, "mirrored"),
        ("auto", TWO, 0, "multi_worker"),
        ("one", TWO, 4, "one"),
        ("multi_worker", TWO, 0, "multi_worker"),
    ],
)
def test_the_strategy_that_is_chosen(monkeypatch, name, config, gpus, chosen):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config:
        monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert _chosen(name, gpus) == chosen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "TF_CONFIG must be JSON such as"),
        ('{"cluster": {}}', "TF_CONFIG must be JSON such as"),
        (json.dumps({**TWO, "task": {"type": "ps", "index": 0}}), "there is no task ps 0"),
        (json.dumps({**TWO, "task": {"type": "worker", "index": 2}}), "no task worker 2 among"),
    ],
)
def test_wrong_tf_config(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=message):
        _chosen("auto", 0)


def test_multi_worker_needs_tf_config(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match="TF_CONFIG, which names"):
        _chosen("multi_worker", 0)
