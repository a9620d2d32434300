import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bplf_tf.config import EMOTIONS
from datasets.emotionset.source import SourceError, Unit
from datasets.emotionset.sources import Fer2013, fer2013, pixel_csv
from datasets.emotionset.sources.ferplus import read_ferplus
from tests.datasets.emotionset.fixtures import (
    Expected,
    Face,
    face,
    tar_folder,
    write_fer2013,
    write_fer2013_atulapra,
    write_fer2013_msambare,
    write_fer2013_tar,
    write_ferplus,
    zip_folder,
)
from tests.datasets.emotionset.fixtures.faces import save, write
from tests.datasets.emotionset.fixtures.fer2013 import CODES, ferplus_votes
from tests.datasets.emotionset.reading import check, read_all


@pytest.mark.parametrize("name", ["fer2013.csv", "icml_face_data.csv"])
def test_csv(tmp_path: Path, name: str) -> None:
    expected = write_fer2013(tmp_path / "a", name=name)
    examples = check(Fer2013(str(expected.path)), expected)
    check(Fer2013(str(tmp_path)), expected)
    assert all(example.votes is None for example in examples.values())
    other = expected.path.rename(tmp_path / "mine.csv")
    check(Fer2013(str(other)), expected)


def test_codes_are_the_official_ones(tmp_path: Path) -> None:
    official = {0: "Angry", 1: "Disgust", 2: "Fear", 3: "Happy", 4: "Sad", 5: "Surprise"}
    names = {"Angry": "anger", "Sad": "sad"}
    lines = ["emotion,pixels,Usage"]
    for code in range(7):
        lines.append(f"{code},{' '.join([str(code)] * 2304)},Training")
    write(tmp_path / "fer2013.csv", "\n".join(lines))
    examples, _ = read_all(Fer2013(str(tmp_path)))
    for code, example in enumerate(examples.values()):
        name = official.get(code, "Neutral")
        assert example.image[0, 0] == code
        assert example.label == names.get(name, name.lower())


@pytest.mark.parametrize("form", ["tar.gz", "tar", "zip"])
def test_archives(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_csv, "ROWS", 7)
    expected = write_fer2013_tar(tmp_path, tmp_path / "scratch")
    inside = tmp_path / "scratch" / "inside"
    if form == "tar":
        expected.path = tar_folder(inside, tmp_path / "fer2013.tar", "fer2013/")
    if form == "zip":
        expected.path = zip_folder(inside, tmp_path / "fer2013.zip")
    check(Fer2013(str(expected.path)), expected)


def test_units_are_stretches_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_csv, "ROWS", 8)
    expected = write_fer2013(tmp_path)
    source = Fer2013(str(expected.path))
    check(source, expected)
    units = [unit for unit in source.units() if isinstance(unit, Unit)]
    assert len(units) == -(-43 // 8)
    assert [unit.key for unit in units][:2] == ["rows00000", "rows00008"]
    # Any unit alone, in any order, gives its own rows.
    assert [result.key for result in source.read(units[-1])] == ["row00040", "row00041", "row00042"]


def test_broken_rows_are_named_by_line(tmp_path: Path) -> None:
    expected = write_fer2013(tmp_path)
    _, dropped = read_all(Fer2013(str(expected.path)))
    # Two blank lines come before the third row; lines count from one, the header is the first.
    assert f"{expected.path}, line 3: unknown emotion '7'" in dropped["row00001"].detail
    assert f"{expected.path}, line 7: unknown emotion ''" in dropped["row00003"].detail
    details = [drop.detail for drop in dropped.values()]
    assert all(f"{expected.path}, line" in detail for detail in details)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got an empty file"),
        ("emotion,pixels\n", "columns must be"),
        ("emotion,pixels,Usage\n\n", "a header but no rows"),
        ("emotion,pixels,Usage\n" + "1 " * 600_000, "line 2 has more than"),
        ("\0\xff" * 50, "columns must be"),
    ],
)
def test_a_csv_of_another_kind(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "fer2013.csv", text)
    with pytest.raises(SourceError, match=message):
        list(Fer2013(str(tmp_path)).units())


def test_a_truncated_tar_gz(tmp_path: Path) -> None:
    expected = write_fer2013_tar(tmp_path, tmp_path / "scratch")
    content = expected.path.read_bytes()
    expected.path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match=r"fer2013\.tar\.gz is truncated or damaged"):
        list(Fer2013(str(expected.path)).units())


@pytest.mark.parametrize("form", ["folder", "zip", "tar.gz", "above"])
@pytest.mark.parametrize("layout", ["msambare", "atulapra"])
def test_folders(tmp_path: Path, layout: str, form: str) -> None:
    writer = write_fer2013_msambare if layout == "msambare" else write_fer2013_atulapra
    expected = writer(tmp_path / "unpacked" / "inner")
    path = expected.path
    if form == "zip":
        path = zip_folder(expected.path, tmp_path / "archive.zip", "archive/")
    if form == "tar.gz":
        path = tar_folder(expected.path, tmp_path / "archive.tar.gz")
    if form == "above":
        path = expected.path.parent
    check(Fer2013(str(path)), expected)


def test_public_and_private_test_of_the_numbered_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = write_fer2013_atulapra(tmp_path, each=3, traps=False)
    monkeypatch.setattr(fer2013, "TEST_COUNTS", {"happy": (2, 1), "anger": (2, 2)})
    for number in (0, 1):
        key = f"test/happy/im{number}.png"
        expected.examples[key] = dataclasses.replace(expected.examples[key], split="validation")
    check(Fer2013(str(tmp_path)), expected)  # of anger one is missing: all stay in test


def test_a_name_that_contradicts_its_folder(tmp_path: Path) -> None:
    for name in ("train/happy/PrivateTest_1.jpg", "test/happy/Training_2.jpg"):
        save(tmp_path / name, face(0, "happy"))
    save(tmp_path / "train" / "happy" / "Training_3.jpg", face(0, "happy"))
    examples, dropped = read_all(Fer2013(str(tmp_path)))
    assert list(examples) == ["train/happy/Training_3.jpg"]
    assert {drop.reason for drop in dropped.values()} == {"contradictory_split"}


@pytest.mark.parametrize("how", ["none", "majority", "plurality", "soft"])
def test_ferplus(tmp_path: Path, how: str) -> None:
    expected = write_fer2013(tmp_path)
    source = Fer2013(str(tmp_path), str(tmp_path / "fer2013new.csv"), how)
    wanted = Expected(tmp_path, dropped=dict(expected.dropped))
    for key, found in expected.examples.items():
        row = int(key[3:])
        choice = by_course(row, found.label, how)
        if choice in EMOTIONS:
            wanted.examples[key] = dataclasses.replace(found, label=choice)
        else:
            wanted.dropped[key] = choice
    examples = check(source, wanted)
    assert len(examples) < 30 or how == "none"
    for key, example in examples.items():
        assert example.votes == expected.examples[key].votes
        assert example.provenance["fer2013"] == expected.examples[key].label


def by_course(row: int, own: str, how: str) -> str:
    """What `ferplus_votes` must give, course by course: a label, or a reason."""
    other = "sad" if own != "sad" else "fear"
    return {
        "none": [own] * 10,
        "majority": [own, own, "ferplus_no_majority", other]
        + ["ferplus_not_a_face", "ferplus_unknown", "contempt", "ferplus_no_majority", own, own],
        "plurality": [own, own, own, other]
        + ["ferplus_not_a_face", "ferplus_unknown", "contempt", "ferplus_no_plurality", own, own],
        "soft": [own, own, own, other]
        + ["ferplus_not_a_face", "ferplus_unknown", "contempt", own, own, own],
    }[how][row % 10]


def test_contempt_on_request(tmp_path: Path) -> None:
    write_fer2013(tmp_path, 30, traps=False)
    votes = str(tmp_path / "fer2013new.csv")
    examples, _ = read_all(Fer2013(str(tmp_path), votes, "majority", contempt=True))
    assert [key for key, found in examples.items() if found.label == "contempt"] == [
        "row00006",
        "row00016",
        "row00026",
    ]


def test_votes_stay_with_their_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken rows of either file, and units, do not shift the other."""
    monkeypatch.setattr(pixel_csv, "ROWS", 7)
    expected = write_fer2013(tmp_path)
    path = tmp_path / "fer2013new.csv"
    lines = path.read_text().splitlines()
    rows = {number: int(key[3:]) for number, key in enumerate(expected.examples)}
    lines[1 + rows[20]] = 'Training,"x,1,2'
    lines[1 + rows[21]] = lines[1 + rows[21]].replace(",0,", ",x,", 1)
    lines[1 + rows[22]] += ",1"
    lines.insert(5, "")
    path.write_text("\n".join(lines))
    examples, _ = read_all(Fer2013(str(tmp_path), str(path)))
    for number, (key, found) in enumerate(expected.examples.items()):
        assert examples[key].votes == (None if number in (20, 21, 22) else found.votes)
    _, dropped = read_all(Fer2013(str(tmp_path), str(path), "plurality"))
    assert dropped[list(expected.examples)[20]].reason == "ferplus_broken_row"


def test_votes_of_another_file(tmp_path: Path) -> None:
    expected = write_fer2013(tmp_path)
    path = tmp_path / "fer2013new.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(SourceError, match=r"has 42 rows and .* has 43"):
        list(Fer2013(str(expected.path), str(path)).units())
    # As many rows, but shifted by one.
    path.write_text("\n".join([lines[0], *lines[2:], lines[1]]))
    with pytest.raises(SourceError, match=r"row 1 is PublicTest .* and Training .* go by the row"):
        list(Fer2013(str(expected.path), str(path)).units())
    with pytest.raises(SourceError, match="columns must be"):
        list(Fer2013(str(expected.path), str(expected.path)).units())
    with pytest.raises(SourceError, match="does not exist"):
        list(Fer2013(str(expected.path), str(tmp_path / "none.csv")).units())


def test_votes_do_not_go_with_folders(tmp_path: Path) -> None:
    write_fer2013_msambare(tmp_path / "a")
    write_ferplus(tmp_path / "fer2013new.csv", [("Training", ferplus_votes(0, "happy"))])
    with pytest.raises(SourceError, match=r"do not say the rows.*give fer2013\.csv"):
        list(Fer2013(str(tmp_path / "a"), str(tmp_path / "fer2013new.csv")).units())


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must be one of none, majority, plurality, soft"):
        Fer2013(str(tmp_path), "x", "most")
    with pytest.raises(ValueError, match="needs ferplus"):
        Fer2013(str(tmp_path), None, "soft")


def test_ferplus_of_any_name(tmp_path: Path) -> None:
    votes = [("Training", ferplus_votes(row, "happy")) for row in range(5)]
    write_ferplus(tmp_path / "votes.csv", votes)
    assert read_ferplus(tmp_path / "votes.csv").votes.shape == (5, 10)
    write_ferplus(tmp_path / "deep" / "fer2013new.csv", votes[:3])
    assert read_ferplus(tmp_path).votes.shape == (3, 10)


def test_nothing_usable(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", "emotion,pixels\n")
    with pytest.raises(SourceError, match=r"there is train\.csv; accepted are fer2013\.csv or"):
        list(Fer2013(str(tmp_path)).units())


def test_importing_the_sources_is_light() -> None:
    code = (
        "import sys, datasets.emotionset.sources; "
        "print([name for name in ('tensorflow', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.real_data
def test_real_rows(shared_data: Path, tmp_path: Path) -> None:
    """The first rows of the official csv and their votes, written as they are published."""
    script = shared_data / "write_fer2013_csv.py"
    command = [sys.executable, str(script), str(tmp_path), "--rows", "1200", "--icml"]
    subprocess.run(command, check=True)
    with np.load(shared_data / "fer2013.npz") as data:
        labels, images = data["labels"][:1200], data["images"][:1200]
        columns = [str(name) for name in data["ferplus_columns"]]
        votes = data["ferplus_votes"][:1200]
    lines = (tmp_path / "fer2013new.csv").read_text().splitlines()
    (tmp_path / "fer2013new.csv").write_text("\n".join(lines[:1201]))
    expected = Expected(tmp_path)
    for row, (label, image) in enumerate(zip(labels, images, strict=True)):
        expected.examples[f"row{row:05d}"] = Face(CODES[label], None, "train", image)
    examples = check(Fer2013(str(tmp_path), str(tmp_path)), expected)
    happy = [(found.votes or {})["happiness"] for found in examples.values()]
    assert happy == votes[:, columns.index("happiness")].tolist()
    (tmp_path / "fer2013.csv").unlink()
    check(Fer2013(str(tmp_path)), expected)
