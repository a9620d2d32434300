"""What may be put into the library, and what is put there."""

import json

import pytest

from bplf_tf import load_model
from datasets.flags import UserError
from export import pretrained
from export.pretrained import PretrainedSettings


@pytest.fixture
def run(model_file, tmp_path, monkeypatch):
    """A finished run, and a library of its own to put it into."""
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "library")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.keras").write_bytes(model_file.read_bytes())
    config = {
        "command": f"python -m trainers.fit --run_dir={folder}",
        "settings": {"run_dir": str(folder)},
        "data": {"train": {"source": "drawn_faces", "licence": "Apache-2.0"}},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "result.json").write_text(json.dumps({"bits_per_dim": 4.0, "images": 700}))
    return folder


def test_model_and_card_without_the_paths_of_this_machine(run, tmp_path):
    assert pretrained.main(PretrainedSettings(model=str(run), name="small")) == 0
    out = tmp_path / "library" / "small"
    assert load_model(out).config == load_model(run).config
    card = (out / "model_card.md").read_text()
    assert "python -m trainers.fit --run_dir=runs/small" in card
    assert "4.0000 bits/dim on 700 held-out images" in card
    assert "transfer_png" not in card  # which only exports have
    for name in ("config.json", "model.json", "model_card.md"):
        assert str(tmp_path) not in (out / name).read_text()


def test_licensed_faces_are_refused(run, tmp_path):
    config = json.loads((run / "config.json").read_text())
    config["data"]["train"]["source"] = "fer2013"
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="saw fer2013: only weights trained on drawn"):
        pretrained.main(PretrainedSettings(model=str(run), name="small"))
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../outside"}, "--name must be a word"),
        ({"model": None}, "--model is required"),
        ({"model": "nowhere"}, "no model at"),
    ],
)
def test_bad_input(run, change, message):
    with pytest.raises(UserError, match=message):
        pretrained.main(PretrainedSettings(**{"model": str(run), "name": "small", **change}))


def test_an_unfinished_run_is_refused(run):
    (run / "result.json").unlink()
    with pytest.raises(UserError, match="it is no finished run"):
        pretrained.main(PretrainedSettings(model=str(run), name="small"))
