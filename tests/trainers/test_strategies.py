"""Several devices and several processes train like one."""

import json
import signal
import subprocess
import sys
import types

import numpy as np
import pytest

from datasets.flags import USER_ERROR
from tests.checkout import ROOT
from tests.datasets.test_fer2013 import csv_text, random_rows, write
from tests.trainers import fit_process
from tests.trainers.fit_process import finish, finished_steps, kill, metrics, wait_for, weights
from trainers import local_cluster
from trainers.fit import LOST, NONFINITE
from trainers.strategies import Team, _chosen

STEPS = 12
FLAGS = [f"--max_steps={STEPS}", "--warmup_steps=2"]
# Gradients of this model have norms of some 0.1 to 1: the clipping is active with SGD.
OPTIMIZERS = {
    "adam": ["--optimizer=adam", "--learning_rate=0.01"],
    "muon": ["--optimizer=muon", "--learning_rate=0.01"],
    "sgd": ["--optimizer=sgd", "--learning_rate=0.5", "--clip_norm=0.05"],
}


def start(run_dir, *more, environment=None):
    return fit_process.start(run_dir, *FLAGS, *more, environment=environment)


def start_workers(count, run_dir, *more):
    return [start(run_dir, *more, environment=own) for own in local_cluster.environments(count)]


def rows(run_dir):
    names = ("epoch", "step", "bits_per_dim", "val_bits_per_dim", "learning_rate")
    return [[float(row[name]) for name in names] for row in metrics(run_dir)]


def assert_same_run(run_dir, reference):
    np.testing.assert_allclose(rows(run_dir), rows(reference), rtol=1e-5)
    for actual, wanted in zip(weights(run_dir), weights(reference), strict=True):
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
    output = finish(
        start(run_dir, *OPTIMIZERS[optimizer], "--strategy=mirrored", "--cpu_devices=2")
    )
    assert_same_run(run_dir, alone)
    assert "Warning" not in output


def train_on_processes(workers, optimizer, run_dir, elsewhere, chief=False):
    """What each process printed; all but the first have another run directory."""
    processes = [
        start(elsewhere if i else run_dir, *OPTIMIZERS[optimizer], environment=own)
        for i, own in enumerate(local_cluster.environments(workers, chief))
    ]
    return [finish(process) for process in processes]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 3])
def test_several_processes_train_as_one(alone, optimizer, workers, tmp_path):
    run_dir, elsewhere = tmp_path / "workers", tmp_path / "elsewhere"
    outputs = train_on_processes(workers, optimizer, run_dir, elsewhere)
    assert_same_run(run_dir, alone)
    assert "Trained for" in outputs[0]
    assert all("Epoch" not in output for output in outputs[1:]), "only the chief reports"
    assert not elsewhere.exists(), "only the chief writes"
    result = json.loads((run_dir / "result.json").read_text())
    assert result["steps"] == STEPS


@pytest.mark.slow
def test_a_chief_with_a_job_of_its_own_trains_with_the_workers_as_one(reference, tmp_path):
    run_dir, elsewhere = tmp_path / "chief", tmp_path / "elsewhere"
    outputs = train_on_processes(3, "adam", run_dir, elsewhere, chief=True)
    assert_same_run(run_dir, reference)
    assert ["Trained for" in output for output in outputs] == [True, False, False]
    assert not elsewhere.exists(), "only the chief writes"


@pytest.mark.slow
def test_processes_with_other_flags_end_before_the_first_step(tmp_path):
    processes = [
        start(tmp_path / "run", f"--batch_size={8 + i}", environment=own)
        for i, own in enumerate(local_cluster.environments(2))
    ]
    for i, process in enumerate(processes):
        output = finish(process, USER_ERROR)
        assert f"differ in batch_size. In this one batch_size is {8 + i}." in output
        assert "Traceback" not in output
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]  # held meanwhile


@pytest.mark.slow
def test_a_process_that_lacks_the_data_is_found_before_the_first_step(tmp_path):
    csv = write(tmp_path, csv_text(random_rows(300)))
    (nothing := tmp_path / "nothing").mkdir()
    processes = [
        fit_process.start(
            tmp_path / "run",
            *(*FLAGS, "--dataset=emotionset"),
            *([] if i else [f"--data_path={csv}"]),
            environment={k: v for k, v in own.items() if k != "BPLF_DATA"}
            | {"PYTHONPATH": str(ROOT)},
            folder=nothing,
        )
        for i, own in enumerate(local_cluster.environments(2))
    ]
    outputs = [finish(process, USER_ERROR) for process in processes]
    for output, source in zip(outputs, ("fer2013", "drawn_faces"), strict=True):
        assert "differ in train_data, validation_data." in output
        assert f'train_data is {{"source": "{source}", "images": 33,' in output
        assert "Traceback" not in output
    assert ["Drawn faces instead of" in output for output in outputs] == [False, True]
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]  # held meanwhile


RESUMED = [*OPTIMIZERS["adam"], "--checkpoint_steps=3", "--resume"]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "reference"
    finish(start(run_dir, *OPTIMIZERS["adam"]))
    return run_dir


def go_on_as(reference, run_dir):
    outputs = [finish(process) for process in start_workers(2, run_dir, *RESUMED)]
    assert "Going on after step" in outputs[0]
    assert_same_run(run_dir, reference)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1], ids=["the chief", "the other"])
def test_a_run_goes_on_after_a_worker_was_killed(reference, tmp_path, killed):
    workers = start_workers(2, tmp_path, *RESUMED)
    wait_for(lambda: finished_steps(tmp_path), workers[0])
    kill(workers[killed])
    output = finish(workers[1 - killed], LOST)
    assert "another process of this run is gone" in output
    assert "Traceback" not in output
    go_on_as(reference, tmp_path)


@pytest.mark.slow
def test_a_signal_to_one_worker_stops_all_with_a_checkpoint(reference, tmp_path):
    workers = start_workers(2, tmp_path, *RESUMED)
    wait_for(lambda: finished_steps(tmp_path), workers[0])
    workers[1].send_signal(signal.SIGTERM)
    for process in workers:
        output = finish(process, 128 + signal.SIGTERM)
        assert "SIGTERM after step" in output
        assert "Traceback" not in output
    go_on_as(reference, tmp_path)


@pytest.mark.slow
def test_workers_go_back_together_from_a_loss_that_is_not_finite(tmp_path):
    diverging = ["--optimizer=sgd", "--learning_rate=1e30", "--clip_norm=0", "--warmup_steps=0"]
    more = [*diverging, "--checkpoint_steps=1", "--on_nonfinite=rollback"]
    outputs = [finish(process, NONFINITE) for process in start_workers(2, tmp_path, *more)]
    assert outputs[0].count("Going back to step 1") == 3
    for output in outputs:
        assert "non-finite loss or gradient at step 1; it arises at: level" in output
        assert "gave up after 3 rollbacks" in output


TWO = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}

CHIEF_AND_TWO = {
    "cluster": {"chief": ["c:1"], "worker": ["a:1", "b:1"]},
    "task": {"type": "chief", "index": 0},
}


@pytest.mark.parametrize(
    ("name", "config", "gpus", "chosen"),
    [
        ("auto", None, 0, "one"),
        ("auto", None, 1, "one"),
        ("auto", None, 4, "mirrored"),
        ("auto", TWO, 0, "multi_worker"),
        ("auto", CHIEF_AND_TWO, 0, "multi_worker"),
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
        (
            json.dumps({**TWO, "task": {"type": "worker", "index": 2}}),
            "no task worker 2 among the 2",
        ),
        (json.dumps({**TWO, "task": {"type": "chief", "index": 0}}), "no task chief 0 among the"),
        (
            # Three machines, but the index counts within the job.
            json.dumps({**CHIEF_AND_TWO, "task": {"type": "worker", "index": 2}}),
            "no task worker 2 among the chief and the 2 workers",
        ),
        (json.dumps({**CHIEF_AND_TWO, "task": {"type": "chief", "index": 1}}), "no task chief 1"),
        (
            json.dumps({**TWO, "cluster": {"chief": ["c:1", "d:1"], "worker": ["a:1"]}}),
            "one chief at most, got 2",
        ),
    ],
)
def test_wrong_tf_config(monkeypatch, text, message):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=message):
        _chosen("auto", 0)


def team_of(config, local):
    """The team of a process with this TF_CONFIG and so many replicas, which waits for nobody."""
    import tensorflow as tf

    cluster = config["cluster"]
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster),
        task_type=config["task"]["type"],
        task_id=config["task"]["index"],
    )
    machines = sum(len(addresses) for addresses in cluster.values())
    devices = types.SimpleNamespace(worker_devices=("",) * local)
    return Team(
        types.SimpleNamespace(
            cluster_resolver=resolver, num_replicas_in_sync=machines * local, extended=devices
        )
    )


@pytest.mark.parametrize("local", [1, 2])
@pytest.mark.parametrize("chief", [False, True])
def test_one_process_is_the_chief_and_each_has_a_share_of_its_own(chief, local):
    configs = [json.loads(own["TF_CONFIG"]) for own in local_cluster.environments(3, chief)]
    assert configs[0]["task"]["type"] == ("chief" if chief else "worker")
    teams = [team_of(config, local) for config in configs]
    assert [team.chief for team in teams] == [True, False, False]
    assert [team.share.first for team in teams] == [0, local, 2 * local]
    assert all((team.share.local, team.share.total) == (local, 3 * local) for team in teams)


def test_the_place_of_a_process_is_that_of_its_replicas():
    from tensorflow.python.distribute.multi_worker_util import id_in_cluster

    for config in (json.loads(own["TF_CONFIG"]) for own in local_cluster.environments(3, True)):
        team = team_of(config, local=1)
        kind, index = config["task"]["type"], config["task"]["index"]
        assert team.share.first == id_in_cluster(config["cluster"], kind, index)


def test_workers_of_one_machine_find_each_other_in_tf_config(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "of another cluster")
    [alone] = local_cluster.environments(1)
    assert "TF_CONFIG" not in alone
    configs = [json.loads(own["TF_CONFIG"]) for own in local_cluster.environments(3)]
    assert [config["task"]["index"] for config in configs] == [0, 1, 2]
    assert all(config["cluster"] == configs[0]["cluster"] for config in configs)
    assert len(set(configs[0]["cluster"]["worker"])) == 3
    monkeypatch.setenv("TF_CONFIG", json.dumps(configs[2]))
    assert _chosen("auto", 0) == "multi_worker"


def test_multi_worker_needs_tf_config(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match="TF_CONFIG, which names"):
        _chosen("multi_worker", 0)


PLAIN_FIT = """
import json
import keras
import numpy as np
import tensorflow as tf
from bplf_tf import BPLF
from trainers.callbacks import BitsPerDim, InverseError, NonFiniteGuard

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = BPLF.from_preset("bplf_3x3", "tiny", (8, 8, 1), ("a", "b"), levels=1, depth=1, width=4)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
images = np.random.default_rng(0).integers(0, 256, (21, 8, 8, 1), np.uint8)
labels = np.arange(21, dtype=np.int32) % 2
data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
callbacks = [InverseError(images, labels), BitsPerDim(images, labels), NonFiniteGuard()]
history = model.fit(data, validation_data=data, epochs=2, callbacks=callbacks, verbose=0).history
mean = float(model.bits_per_dim(images, labels).mean())
print(json.dumps({"replicas": strategy.num_replicas_in_sync, "mean": mean, **history}))
"""


@pytest.mark.slow
def test_keras_own_fit_under_a_strategy_validates_every_image_once():
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_FIT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["replicas"] == 2
    assert told["val_bits_per_dim"][-1] == pytest.approx(told["mean"], rel=1e-5)
    of_labels = 11 * told["val_bits_per_dim_a"][-1] + 10 * told["val_bits_per_dim_b"][-1]
    assert of_labels / 21 == pytest.approx(told["mean"], rel=1e-5)
    assert max(told["inverse_error"]) < 1e-4
