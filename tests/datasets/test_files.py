import json

import pytest

from datasets.files import WriteError, write_json, write_text, written_aside


def test_the_file_appears_whole(tmp_path):
    path = tmp_path / "model.keras"
    with written_aside(path) as aside:
        assert aside.parent == path.parent
        assert aside.suffix == ".keras"  # Keras chooses its format by it
        aside.write_bytes(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail():
        with written_aside(path) as aside:
            aside.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_the_system_names_the_file_and_the_reason(tmp_path):
    path = tmp_path / "nowhere" / "a.txt"
    with pytest.raises(WriteError, match=r"could not write .*nowhere/a\.txt: No such file"):
        write_text(path, "text")


def test_json_round_trip_and_no_nan(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": [1, 2.5, None]})
    assert json.loads(path.read_text()) == {"a": [1, 2.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": [1, 2.5, None]}
