import sys
import types
from pathlib import Path

import numpy as np
import pytest

import datasets
from bplf_tf import EMOTIONS


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without data, and plain faces in place of the drawn ones."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("BPLF_DATA", raising=False)
    module = types.ModuleType("datasets.drawn_faces")
    module.load_arrays = (  # type: ignore[attr-defined]
        lambda split, size, channels, limit, data_dir: (
            np.zeros((limit or 14, size, size, channels), np.uint8),
            np.arange(limit or 14) % 7,
        )
    )
    monkeypatch.setitem(sys.modules, "datasets.drawn_faces", module)


def write_csv(folder: Path, name: str = "fer2013.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pixels = " ".join(["7"] * 2304)
    path = folder / name
    path.write_text(f"emotion,pixels,Usage\n3,{pixels},Training\n6,{pixels},PublicTest\n")
    return path


def check_fer2013(path: Path, data_path: Path | None = None) -> None:
    source = datasets.load("emotionset", "validation", data_path)
    assert (source.name, source.split, source.classes) == ("emotionset", "validation", EMOTIONS)
    assert source.labels.tolist() == [EMOTIONS.index("neutral")]
    assert source.provenance["source"] == "fer2013"
    assert source.provenance["path"] == str(path.resolve())
    assert source.provenance["fallback"] is False


def test_the_csv_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_data = write_csv(Path("data") / "deep" / "down")
    check_fer2013(in_data)
    in_variable = write_csv(tmp_path / "variable", "icml_face_data.csv")
    monkeypatch.setenv("BPLF_DATA", str(tmp_path / "variable"))
    check_fer2013(in_variable)
    given = write_csv(tmp_path / "given")
    check_fer2013(given, tmp_path / "given")
    check_fer2013(given, given)


def test_the_variable_without_a_csv_leaves_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("BPLF_DATA", str(tmp_path / "empty"))
    check_fer2013(write_csv(Path("data")))


@pytest.mark.parametrize("split", datasets.SPLITS)
def test_without_a_csv_the_faces_are_drawn_and_it_says_so(split: str) -> None:
    source = datasets.load("emotionset", split, image_size=32, channels=3, limit=9)
    assert (source.name, source.split, source.classes) == ("emotionset", split, EMOTIONS)
    assert source.images.shape == (9, 32, 32, 3)
    assert source.provenance["source"] == "drawn_faces"
    assert source.provenance["fallback"] is True
    reason = source.provenance["reason"]
    assert "neither a built EmotionSet nor a FER2013 csv" in reason
    assert "(fer2013.csv or icml_face_data.csv) below data" in reason
    assert "--data_path" in reason
    assert "BPLF_DATA" in reason


def test_who_names_a_folder_gets_what_is_in_it_or_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(Path("data"))
    for missing in (tmp_path / "gone", tmp_path / "work" / "data" / "fer.csv"):
        with pytest.raises(FileNotFoundError, match="no FER2013 csv"):
            datasets.load("emotionset", "train", missing)
    monkeypatch.setenv("BPLF_DATA", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match="BPLF_DATA"):
        datasets.load("emotionset", "train")


def test_a_broken_csv_is_not_passed_over() -> None:
    write_csv(Path("data")).write_text("emotion,pixels,Usage\n3,1 2 3,Training\n")
    with pytest.raises(ValueError, match=r"fer2013\.csv, line 2"):
        datasets.load("emotionset", "train")
