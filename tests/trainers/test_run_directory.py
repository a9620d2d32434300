import os
import subprocess
import sys

import pytest

from datasets.files import WriteError
from tests.checkout import ROOT
from trainers.child_processes import InUseError
from trainers.many_runs import log_of, start_alone
from trainers.run_directory import RunDirectory

posix = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs POSIX locks")

# Trains, as far as others can see, for so many seconds.
TRAINING = """
import sys, time
from pathlib import Path
from trainers.run_directory import RunDirectory
with RunDirectory(Path(sys.argv[1])).alone():
    print("training", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def test_a_fresh_directory_is_not_touched_by_the_check(tmp_path):
    directory = RunDirectory(tmp_path / "runs" / "a")
    directory.check(overwrite=False)
    assert list(tmp_path.iterdir()) == []
    directory.create()
    assert directory.samples.is_dir()
    assert directory.picture(7).name == "epoch_007.png"


@pytest.mark.parametrize(
    "file", ["config.json", "metrics.csv", "model.keras", "best.keras", "result.json"]
)
def test_a_directory_with_a_run_is_refused_by_the_flag_that_overwrites(tmp_path, file):
    (tmp_path / file).write_text("x")
    directory = RunDirectory(tmp_path)
    with pytest.raises(FileExistsError, match=r"already holds a run.*--overwrite"):
        directory.check(overwrite=False)
    directory.check(overwrite=True)
    assert (tmp_path / file).exists()
    directory.create()
    assert not (tmp_path / file).exists()


def test_overwriting_removes_a_run_and_nothing_else(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.create()
    mine = [tmp_path / "notes.txt", directory.samples / "favourite.png"]
    run = [directory.config, directory.picture(1), directory.picture(1000), directory.snapshot(8)]
    directory.snapshots.mkdir()
    for file in mine + run:
        file.write_text("x")
    directory.create()
    assert all(file.exists() for file in mine)
    assert not any(file.exists() for file in run)


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError, match="is not a directory"):
            RunDirectory(path).check(overwrite=False)


@pytest.mark.parametrize("name", ["checkpoints", "samples", "snapshots", "tensorboard"])
def test_a_file_in_the_place_of_a_folder(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(NotADirectoryError, match=f"{name} is not a directory"):
        RunDirectory(tmp_path).check(overwrite=True)


@pytest.mark.parametrize("name", ["run", "run/checkpoints", "run/samples"])
def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr("os.access", lambda path, _: path != tmp_path / name)
    with pytest.raises(PermissionError, match=f"{name} cannot be written to"):
        RunDirectory(tmp_path / "run").check(overwrite=False, resume=True)


def test_a_read_only_disk(read_only_disk):
    with pytest.raises(PermissionError, match="cannot be written to"):
        RunDirectory(read_only_disk / "run").check(overwrite=False)


def test_what_goes_wrong_after_the_check_is_said_too(tmp_path):
    (tmp_path / "run").write_text("x")  # as if it had come after the check
    with pytest.raises(WriteError, match=r"could not write .*run: "):
        RunDirectory(tmp_path / "run").create()


@pytest.fixture
def training(tmp_path):
    """The directory of a run, and the process that trains there."""
    command = [sys.executable, "-c", TRAINING, str(tmp_path / "runs" / "a"), "600"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"training\n"
    yield RunDirectory(tmp_path / "runs" / "a"), process
    process.kill()
    process.communicate()


@posix
def test_one_process_at_a_time_trains_in_a_directory(training, tmp_path):
    directory, _ = training
    in_use = r"another process trains in .*a; wait for it or choose another --run_dir"
    with pytest.raises(InUseError, match=in_use):
        directory.check_unused()
    with pytest.raises(InUseError, match=in_use), directory.alone():
        pass
    with RunDirectory(tmp_path / "runs" / "b").alone():
        pass


@posix
def test_a_killed_process_leaves_no_lock(training):
    directory, process = training
    process.kill()
    process.wait()
    assert directory.lock.exists()
    directory.check_unused()
    with directory.alone():
        directory.create()
        with pytest.raises(InUseError):
            directory.check_unused()
    directory.check_unused()


def test_a_directory_without_a_run_is_unused_and_not_touched(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "run", tmp_path / "file", tmp_path / "file" / "below"):
        RunDirectory(path).check_unused()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    directory = RunDirectory(tmp_path / "file" / "below")
    with pytest.raises(WriteError, match=r"could not write .*below.*: "), directory.alone():
        pass


@posix
def test_a_run_among_many_has_its_directory_beside_its_log(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    directory = RunDirectory(tmp_path / "a")
    command = [sys.executable, "-c", TRAINING, str(directory.path), "0"]
    process = start_alone(command, log_of(directory.path), os.sched_getaffinity(0), append=False)
    process.wait()
    assert log_of(directory.path).read_text() == "training\n"
    assert process.returncode == 0
