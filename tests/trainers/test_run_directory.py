import pytest

from datasets.files import WriteError
from trainers.run_directory import RunDirectory


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
