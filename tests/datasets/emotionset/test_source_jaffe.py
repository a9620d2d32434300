from pathlib import Path

import pytest

from datasets.emotionset.source import SourceError
from datasets.emotionset.sources import SOURCES, Jaffe
from tests.datasets.emotionset.fixtures import face, tar_folder, write_jaffe, zip_folder
from tests.datasets.emotionset.fixtures.faces import save, write
from tests.datasets.emotionset.reading import check, read_all


def test_the_folder_and_the_one_above(tmp_path: Path) -> None:
    expected = write_jaffe(tmp_path)
    examples = check(Jaffe(str(expected.path)), expected)
    check(Jaffe(str(tmp_path)), expected)
    assert SOURCES["jaffe"] is Jaffe
    # Labels by the letters of the name, and nothing of the reader's own table.
    assert examples["KL.SU1.14.tiff"].label == "surprise"
    assert examples["KL.SU1.14.tiff"].subject == "KL"
    assert {example.provenance["channels"] for example in examples.values()} == {1, 3}


@pytest.mark.parametrize("form", ["jaffe.zip", "jaffe.tar", "jaffe.tar.gz", "jaffe.tgz"])
def test_archives(tmp_path: Path, form: str) -> None:
    expected = write_jaffe(tmp_path / "unpacked")
    pack = zip_folder if form.endswith("zip") else tar_folder
    archive = pack(expected.path, tmp_path / "packed" / form, "jaffe/")
    check(Jaffe(str(archive)), expected)
    check(Jaffe(str(archive.parent)), expected)


def test_unpacked_beside_its_archive_is_read_once(tmp_path: Path) -> None:
    expected = write_jaffe(tmp_path)
    zip_folder(expected.path, tmp_path / "jaffe.zip", "jaffe/")
    check(Jaffe(str(tmp_path)), expected)


def test_the_same_name_twice(tmp_path: Path) -> None:
    write_jaffe(tmp_path, 1, traps=False)
    save(tmp_path / "other" / "KA.AN1.1.tiff", face(5, "happy"))
    examples, dropped = read_all(Jaffe(str(tmp_path)))
    assert len(examples) == 7
    assert examples["KA.AN1.1.tiff"].provenance["file"] == "jaffe/KA.AN1.1.tiff"
    assert dropped["other/KA.AN1.1.tiff"].reason == "repeated_name"


def test_order_does_not_depend_on_the_form(tmp_path: Path) -> None:
    expected = write_jaffe(tmp_path / "a")
    archive = zip_folder(expected.path, tmp_path / "jaffe.zip")
    keys = [[unit.key for unit in Jaffe(str(path)).units()] for path in (expected.path, archive)]
    assert keys[0] == keys[1]


@pytest.mark.parametrize("content", ["nothing", "empty", "other"])
def test_nothing_usable(tmp_path: Path, content: str) -> None:
    path = tmp_path / "jaffe"
    if content != "nothing":
        path.mkdir()
    if content == "other":
        write(path / "sheet.tiff")
    message = {"nothing": "does not exist", "empty": "is empty", "other": "there is sheet.tiff"}
    with pytest.raises(SourceError, match=message[content]):
        list(Jaffe(str(path)).units())


def test_what_is_wrong_is_said_with_the_file(tmp_path: Path) -> None:
    expected = write_jaffe(tmp_path)
    _, dropped = read_all(Jaffe(str(expected.path)))
    for key, drop in dropped.items():
        assert str(expected.path / key) in drop.detail
    assert "900000000 pixels" in dropped["KA.SA2.92.tiff"].detail
