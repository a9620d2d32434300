"""`trainers.fit` trains on what `datasets.balance` wrote, in either form."""

import json

import pytest

import datasets
from bplf_tf import BPLF, EMOTIONS
from datasets import balance
from datasets.balance import BalanceSettings
from trainers import fit
from trainers.settings import FitSettings


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    faces = datasets.load("drawn_faces", "train", image_size=16, limit=70)
    made = BPLF.from_preset(
        "bplf_3x3_1x1", size="tiny", levels=1, depth=1, width=4,
        image_shape=faces.image_shape, classes=faces.classes,
    )  # fmt: skip
    made.initialize(faces.images, faces.labels)
    path = tmp_path_factory.mktemp("run") / "model.keras"
    made.save(path)
    return path


@pytest.mark.parametrize(("form", "dataset"), [("folder", "folder"), ("tfds", "emotionset")])
def test_a_run(form, dataset, model, tmp_path):
    given = BalanceSettings(
        model=str(model), out=str(tmp_path / "set"), dataset="drawn_faces", limit=28,
        counts="disgust=9", form=form,
    )  # fmt: skip
    assert balance.main(given) == 0
    run_dir = tmp_path / "run"
    settings = FitSettings(
        dataset=dataset, data_path=given.out, preset="bplf_3x3_1x1", size="tiny", levels=1,
        depth="1", width="4", batch_size=8, max_steps=3, warmup_steps=1, samples_per_label=1,
        run_dir=str(run_dir),
    )  # fmt: skip
    assert fit.main(settings) == 0
    config = json.loads((run_dir / "config.json").read_text())
    assert config["data"]["train"]["class_counts"] == {**dict.fromkeys(EMOTIONS, 4), "disgust": 9}
    assert config["data"]["validation"]["images"] == 28
    assert (run_dir / "model.keras").is_file()
