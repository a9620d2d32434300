"""`trainers.fit --resume` goes on with the data of the run, and with no other."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from datasets.flags import UserError
from tests.datasets.test_fer2013 import csv_text, write
from trainers import fit
from trainers.run_directory import RunDirectory
from trainers.settings import FitSettings

COUNT = 42  # a third of them to train on


def write_csv(folder, change=None):
    """A csv of FER2013's form; `change` gets its images."""
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 48, 48), np.uint8)
    if change is not None:
        change(images)
    usages = ("Training", "PublicTest", "PrivateTest")
    rows = [(i % 7, image, usages[i % 3]) for i, image in enumerate(images)]
    return write(folder, csv_text(rows))


@pytest.fixture(autouse=True)
def no_other_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BPLF_DATA", raising=False)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Of a run on FER2013 that has taken two steps."""
    folder = tmp_path_factory.mktemp("run")
    chosen = FitSettings(
        run_dir=str(folder / "run"),
        dataset="emotionset",
        data_path=str(write_csv(folder)),
        image_size=16,
        limit=8,
        validation_limit=7,
        preset="bplf_3x3_1x1",
        size="tiny",
        levels=1,
        depth="1",
        width="4",
        batch_size=4,
        max_steps=2,
        flip=True,
        samples_per_label=1,
    )
    assert fit.main(chosen) == 0
    return dataclasses.replace(chosen, resume=True, max_steps=4)


def refused(settings):
    with pytest.raises(UserError) as caught:
        fit.main(settings)
    assert "is of another configuration" in str(caught.value)
    return str(caught.value)


def test_drawn_faces_do_not_go_on_with_a_run_on_photographs(settings):
    directory = RunDirectory(Path(settings.run_dir))
    before = directory.config.read_bytes()
    said = refused(dataclasses.replace(settings, data_path=None))
    assert 'train_data is {"source": "drawn_faces", "images": 8, "digest": "' in said
    assert 'there {"source": "fer2013", "images": 8, "digest": "' in said
    assert "validation_data is" in said
    assert directory.config.read_bytes() == before
    assert directory.result.exists()


@pytest.mark.parametrize(
    ("number", "name", "same"),
    [(0, "train_data", "validation_data"), (1, "validation_data", "train_data")],
)
def test_another_image_among_as_many_is_told(settings, tmp_path, number, name, same):
    def change(images):
        images[number] = 255 - images[number]

    path = write_csv(tmp_path, change)
    said = refused(dataclasses.replace(settings, data_path=str(path)))
    assert f"{name} is {{" in said
    assert same not in said


def test_the_same_data_go_on_from_another_place(settings, tmp_path, capsys):
    moved = write_csv(tmp_path / "moved")
    assert fit.main(dataclasses.replace(settings, data_path=str(moved))) == 0
    assert "Going on after step" in capsys.readouterr().out


def test_a_checkpoint_of_before_that_tells_nothing_of_its_data_still_serves(settings, capsys):
    checkpoints = RunDirectory(Path(settings.run_dir)).checkpoints
    for state in checkpoints.glob("step_*/state.json"):
        content = json.loads(state.read_text())
        del content["identity"]["train_data"], content["identity"]["validation_data"]
        state.write_text(json.dumps(content))
    assert fit.main(dataclasses.replace(settings, max_steps=6)) == 0
    assert "Going on after step" in capsys.readouterr().out
