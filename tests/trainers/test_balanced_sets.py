"""`trainers.fit` trains on what `datasets.balance` wrote, in either form."""

import json

import pytest

from bplf_tf import EMOTIONS
from datasets import balance
from datasets.balance import BalanceSettings
from tests.started_flow import few_faces, started_flow
from trainers import fit
from trainers.settings import FitSettings


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "model.keras"
    started_flow(few_faces()).save(path)
    return path


@pytest.mark.parametrize(
    ("form", "dataset"),
    [("folder", "folder"), pytest.param("tfds", "emotionset", marks=pytest.mark.slow)],
)
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
