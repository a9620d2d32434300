import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.emotionset.archives import Archive
from datasets.emotionset.source import SourceError
from datasets.emotionset.sources import SOURCES, CkPlus
from datasets.emotionset.sources.ck_plus_labels import parse_label
from tests.datasets.emotionset.fixtures import (
    Expected,
    face,
    tar_folder,
    write_ck48,
    write_ck_plus,
    write_ck_plus_zips,
    write_ckextended,
    zip_folder,
)
from tests.datasets.emotionset.fixtures.ck_plus import CODES, label_text
from tests.datasets.emotionset.fixtures.faces import save, write
from tests.datasets.emotionset.reading import check, read_all


@pytest.mark.parametrize("label_folder", ["Emotion", "Emotion_labels"])
@pytest.mark.parametrize("contempt", [False, True])
def test_sequences(tmp_path: Path, label_folder: str, contempt: bool) -> None:
    expected = write_ck_plus(tmp_path, label_folder=label_folder, contempt=contempt)
    source = CkPlus(str(tmp_path), contempt=contempt)
    examples = check(source, expected)
    assert not source.cropped
    assert SOURCES["ck_plus"] is CkPlus
    assert examples["S005_001_00000006"].provenance == {
        "file": "cohn-kanade-images/S005/001/S005_001_00000006.png",
        "form": "CK+",
        "frame": 6,
        "peak": 6,
        "sequence": "anger",
    }


def test_codes_are_those_of_the_read_me(tmp_path: Path) -> None:
    codes = "0=neutral 1=anger 2=contempt 3=disgust 4=fear 5=happy 6=sadness 7=surprise"
    for code in range(8):
        name = f"S005_{code:03d}_00000001"
        save(tmp_path / f"cohn-kanade-images/S005/{code:03d}/{name}.png", face(0, "happy"))
        write(tmp_path / f"Emotion/S005/{code:03d}/{name}_emotion.txt", label_text(code))
    examples, _ = read_all(CkPlus(str(tmp_path), contempt=True))
    for code, pair in enumerate(codes.split()):
        label = examples[f"S005_{code:03d}_00000001"].label
        assert f"{code}={label}" == pair.replace("sadness", "sad")


@pytest.mark.parametrize("form", ["two zips", "one zip", "tar.gz", "labels unpacked"])
def test_archives(tmp_path: Path, form: str) -> None:
    scratch, folder = tmp_path / "scratch", tmp_path / "packed"
    if form == "two zips":
        expected = write_ck_plus_zips(folder, scratch)
        prefix = ""
    else:
        expected = write_ck_plus(scratch)
        prefix = "CK+/"
    path = folder
    if form == "one zip":
        path = zip_folder(scratch, folder / "ck.zip", prefix)
    if form == "tar.gz":
        path = tar_folder(scratch, folder / "ck.tar.gz", prefix)
    if form == "labels unpacked":
        zip_folder(scratch / "cohn-kanade-images", folder / "images.zip", "cohn-kanade-images/")
        (scratch / "Emotion").rename(folder / "Emotion")
        prefix = ""
    # What is dropped by its place has the archive's prefix in its key.
    moved = {
        prefix + key if key.startswith("cohn") else key: reason
        for key, reason in expected.dropped.items()
    }
    check(CkPlus(str(path)), Expected(path, expected.examples, moved))


def test_frames_and_neutral_are_options(tmp_path: Path) -> None:
    write_ck_plus(tmp_path, 1, traps=False)
    write(tmp_path / "Emotion" / "S005" / "001" / "S005_001_00000006_emotion.txt")  # now of no use
    counts = {}
    for neutral in ("labelled", "all", "none"):
        for frames in (1, 5, 9):
            examples, dropped = read_all(
                CkPlus(str(tmp_path), True, emotion_frames=frames, neutral=neutral)
            )
            assert dropped["S005/001"].reason == "unknown_label"
            labels = [example.label for example in examples.values()]
            counts[neutral, frames] = labels.count("neutral"), labels.count("happy")
    assert counts["labelled", 1] == (6, 1)
    assert counts["labelled", 5] == counts["labelled", 9] == (6, 5)  # never the first frame
    assert counts["all", 1] == (7, 1)
    assert counts["none", 9] == (0, 5)
    with pytest.raises(ValueError, match="emotion_frames must be at least 1"):
        CkPlus(str(tmp_path), emotion_frames=0)
    with pytest.raises(ValueError, match="neutral must be one of labelled, all, none"):
        CkPlus(str(tmp_path), neutral="first")


def test_two_label_files_that_agree(tmp_path: Path) -> None:
    write_ck_plus(tmp_path, 1, traps=False)
    text = label_text(5)
    write(tmp_path / "Emotion_labels" / "S005" / "005" / "S005_005_00000006_emotion.txt", text)
    examples, _ = read_all(CkPlus(str(tmp_path)))
    assert examples["S005_005_00000006"].label == "happy"


def test_frames_after_the_labelled_one_are_not_taken(tmp_path: Path) -> None:
    write_ck_plus(tmp_path, 1, traps=False)
    save(tmp_path / "cohn-kanade-images/S005/005/S005_005_00000007.png", face(0, "sad"))
    examples, _ = read_all(CkPlus(str(tmp_path)))
    assert "S005_005_00000007" not in examples
    assert examples["S005_005_00000004"].label == "happy"


def test_missing_frames_do_not_make_others_first_or_last(tmp_path: Path) -> None:
    write_ck_plus(tmp_path, 1, traps=False)
    for sequence, frame in ((5, 1), (5, 5), (6, 4), (6, 5)):
        name = f"S005_{sequence:03d}_{frame:08d}.png"
        (tmp_path / f"cohn-kanade-images/S005/{sequence:03d}/{name}").unlink()
    examples, dropped = read_all(CkPlus(str(tmp_path)))
    assert dropped["S005_005_00000001"].reason == "no_first_frame"
    found = {key[5:]: example.label for key, example in examples.items() if key[7] in "56"}
    assert found == {
        "005_00000004": "happy",
        "005_00000006": "happy",
        "006_00000001": "neutral",
        "006_00000006": "sad",
    }


@given(text=st.one_of(st.binary(max_size=12), st.from_regex(rb"\s*[0-9.eE+-]{1,8}\s*")))
def test_any_label_text(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    folder = tmp_path_factory.mktemp("label")
    write(folder / "x.txt", text)
    try:
        code = float(text.decode("ascii"))
        wanted = CODES[int(code)] if code in range(8) and b"_" not in text else None
    except (ValueError, OverflowError):
        wanted = None
    try:
        found = parse_label(Archive(str(folder)), "x.txt")
    except ValueError:
        # Forms of numbers that no label file has may be refused, but none is misread.
        assert wanted is None or not re.fullmatch(rb"\s*[0-9]+(\.0*)?(e[+-]?[0-9]+)?\s*", text)
    else:
        assert found == wanted


@pytest.mark.parametrize("missing", ["cohn-kanade-images", "Emotion"])
def test_half_of_it_is_missing(tmp_path: Path, missing: str) -> None:
    write_ck_plus(tmp_path, 1, traps=False)
    (tmp_path / missing).rename(tmp_path.parent / f"{tmp_path.name}_elsewhere")
    with pytest.raises(SourceError, match=f"needed is {missing}"):
        list(CkPlus(str(tmp_path)).units())


@pytest.mark.parametrize("contempt", [False, True])
@pytest.mark.parametrize("form", ["folder", "above", "zip"])
def test_ck48(tmp_path: Path, form: str, contempt: bool) -> None:
    expected = write_ck48(tmp_path / "a", contempt=contempt)
    path = expected.path if form == "folder" else tmp_path
    if form == "zip":
        path = zip_folder(expected.path, tmp_path / "archive.zip", "CK+48/")
    source = CkPlus(str(path), contempt=contempt)
    check(source, expected)
    assert source.cropped


def test_ck48_twice_in_its_zip(tmp_path: Path) -> None:
    expected = write_ck48(tmp_path, traps=False)
    zip_folder(expected.path, tmp_path / "b" / "x.zip")
    (tmp_path / "CK+48").rename(tmp_path / "b" / "CK+48")
    write_ck48(tmp_path / "b" / "ck", traps=False)
    examples, dropped = read_all(CkPlus(str(tmp_path / "b")))
    assert sorted(examples) == sorted(expected.examples)
    repeated = [drop for drop in dropped.values() if drop.reason == "repeated_name"]
    assert len(repeated) == 7 * 2 * 3
    files = [str(example.provenance["file"]) for example in examples.values()]
    assert all(file.startswith("CK+48/") for file in files)


@pytest.mark.parametrize("contempt", [False, True])
def test_ckextended(tmp_path: Path, contempt: bool) -> None:
    expected = write_ckextended(tmp_path, contempt=contempt)
    source = CkPlus(str(tmp_path), contempt=contempt)
    examples = check(source, expected)
    check(CkPlus(str(expected.path), contempt=contempt), expected)
    assert source.cropped
    assert examples["row00001"].provenance["usage"] == "PublicTest"


def test_nothing_usable(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is empty"):
        list(CkPlus(str(tmp_path)).units())
    write(tmp_path / "x.zip", b"PK\3\4 truncated")
    with pytest.raises(SourceError, match=r"x\.zip is truncated, damaged or not"):
        list(CkPlus(str(tmp_path)).units())


def test_colour_and_grey_keep_their_channels(tmp_path: Path) -> None:
    write_ck_plus(tmp_path, 1)
    examples, _ = read_all(CkPlus(str(tmp_path)))
    assert examples["S005_005_00000006"].image.shape == (120, 160, 3)
    assert examples["S005_001_00000006"].image.shape == (122, 160)
    assert CODES[5] == examples["S005_005_00000006"].label
    assert np.ptp(examples["S005_005_00000006"].image) > 0
