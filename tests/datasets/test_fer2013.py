import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datasets
from bplf_tf import EMOTIONS
from datasets.fer2013_csv import USAGES, read_fer2013_csv

# The codes of the csv, in words of its own documentation, and the names used here.
OFFICIAL_CODES = {
    0: ("Angry", "anger"),
    1: ("Disgust", "disgust"),
    2: ("Fear", "fear"),
    3: ("Happy", "happy"),
    4: ("Sad", "sad"),
    5: ("Surprise", "surprise"),
    6: ("Neutral", "neutral"),
}
HEADERS = ["emotion,pixels,Usage", "emotion, Usage, pixels"]

Row = tuple[int, np.ndarray, str]


def random_rows(count: int, seed: int = 0) -> list[Row]:
    generator = np.random.default_rng(seed)
    return [
        (index % 7, generator.integers(0, 256, (48, 48), np.uint8), USAGES[index % 3])
        for index in range(count)
    ]


def csv_text(rows: list[Row], header: str = HEADERS[0]) -> str:
    lines = [header]
    for emotion, image, usage in rows:
        pixels = " ".join(map(str, image.ravel()))
        fields = {"emotion": str(emotion), "pixels": pixels, "Usage": usage}
        lines.append(",".join(fields[name.strip()] for name in header.split(",")))
    return "\n".join(lines) + "\n"


def write(folder: Path, text: str, name: str = "fer2013.csv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("header", HEADERS)
def test_splits_order_pixels_and_labels(tmp_path: Path, header: str) -> None:
    rows = random_rows(30)
    path = write(tmp_path, csv_text(rows, header))
    splits = (("train", "Training"), ("validation", "PublicTest"), ("test", "PrivateTest"))
    for split, usage in splits:
        source = datasets.load("fer2013", split, path)
        wanted = [row for row in rows if row[2] == usage]
        assert source.classes == EMOTIONS
        assert (source.name, source.split) == ("fer2013", split)
        assert np.array_equal(source.images[..., 0], np.stack([image for _, image, _ in wanted]))
        names = [EMOTIONS[label] for label in source.labels]
        assert names == [OFFICIAL_CODES[emotion][1] for emotion, _, _ in wanted]
        assert source.provenance["split_rule"] == f"rows with Usage {usage}"
        assert source.provenance["images"] == len(wanted) == 10
        assert source.provenance["path"] == str(path)
        assert "research" in source.provenance["licence"]


def test_copies_of_held_out_images_leave_train_and_nothing_else(tmp_path: Path) -> None:
    rows = random_rows(30)
    public, private = rows[1][1], rows[2][1]
    nearly = public.copy()
    nearly[0, 0] ^= 1
    twice = rows[3][1]  # a copy within Training stays
    for image in (public, private, public, nearly, twice):
        rows.append((4, image, "Training"))
    path = write(tmp_path, csv_text(rows))

    train = datasets.load("fer2013", "train", path)
    (removed,) = train.provenance["removed"]
    assert removed["count"] == 3
    assert removed["compared_with"] == ["PublicTest", "PrivateTest"]
    assert len(train) == 10 + 2
    held_out = {
        image.tobytes()
        for split in ("validation", "test")
        for image in datasets.load("fer2013", split, path).images
    }
    assert not held_out & {image.tobytes() for image in train.images}
    assert len(datasets.load("fer2013", "validation", path)) == 10
    assert len(datasets.load("fer2013", "test", path)) == 10
    limited = datasets.load("fer2013", "train", path, limit=4)
    assert np.array_equal(limited.images, train.images[:4])
    assert limited.provenance["limit"] == 4


def test_no_private_test_is_an_error_only_when_it_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, csv_text([row for row in random_rows(30) if row[2] != "PrivateTest"]))
    train = datasets.load("fer2013", "train", path)
    assert train.provenance["removed"][0]["compared_with"] == ["PublicTest"]
    datasets.load("fer2013", "validation", path)
    with pytest.raises(ValueError, match=r"no rows with Usage PrivateTest.*PublicTest"):
        datasets.load("fer2013", "test", path)


def test_size_and_channels(tmp_path: Path) -> None:
    path = write(tmp_path, csv_text(random_rows(6)))
    source = datasets.load("fer2013", "train", path, image_size=(32, 40), channels=3)
    assert source.images.shape == (2, 32, 40, 3)
    assert source.provenance["conversion"]["resized"]["to"] == [32, 40]
    assert source.provenance["conversion"]["channels"] == {"from": 1, "to": 3}


@pytest.mark.parametrize("place", ["fer2013.csv", "fer2013/fer2013.csv", "a/b/icml_face_data.csv"])
def test_a_folder_is_searched(tmp_path: Path, place: str) -> None:
    path = write(tmp_path, csv_text(random_rows(3)), place)
    assert datasets.load("fer2013", "train", tmp_path).provenance["path"] == str(path)


def test_the_first_form_is_preferred_and_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, csv_text(random_rows(3)), "icml_face_data.csv")
    write(tmp_path, csv_text(random_rows(3)), "a/b/fer2013.csv")
    path = write(tmp_path, csv_text(random_rows(3)), "z/fer2013.csv")
    assert datasets.load("fer2013", "train", tmp_path).provenance["path"] == str(path)


def test_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"fer2013\.csv or icml_face_data\.csv.*nowhere"):
        datasets.load("fer2013", "train", tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BPLF_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="below data; give the csv"):
        datasets.load("fer2013", "train")
    monkeypatch.setenv("BPLF_DATA", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match=r"BPLF_DATA=.*gone does not exist"):
        datasets.load("fer2013", "train")


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = write(tmp_path, csv_text(random_rows(3)))
    assert len(datasets.load("fer2013", "train", path)) == 1
    write(tmp_path, csv_text(random_rows(9)))
    assert len(datasets.load("fer2013", "train", path)) == 3


def test_harmless_differences_are_accepted(tmp_path: Path) -> None:
    rows = random_rows(3)
    text = csv_text(rows)
    (image,) = datasets.load("fer2013", "train", write(tmp_path, text)).images
    variants = {
        "line ends": text.replace("\n", "\r\n"),
        "byte order mark": "\ufeff" + text,
        "blank lines": text.replace("\n", "\n\n"),
        "no last line end": text.rstrip("\n"),
        "quoted pixels": re.sub(r",([\d ]+),", r',"\1",', text),
        "a blank at the end": text.replace(",Training", " ,Training"),
    }
    for name, variant in variants.items():
        source = datasets.load("fer2013", "train", write(tmp_path, variant))
        assert np.array_equal(source.images, [image]), name


def broken(change: str) -> str:
    """The text of a csv whose fourth line is broken."""
    lines = csv_text(random_rows(6)).splitlines()
    emotion, pixels, usage = lines[3].split(",")
    numbers = pixels.split(" ")
    row = {
        "one pixel too few": [emotion, " ".join(numbers[:-1]), usage],
        "one pixel too many": [emotion, f"{pixels} 1", usage],
        "no pixels": [emotion, "", usage],
        "only a blank": [emotion, " ", usage],
        "a word": [emotion, " ".join([*numbers[:-1], "nan"]), usage],
        "a fraction": [emotion, " ".join([*numbers[:-1], "1.5"]), usage],
        "a tab": [emotion, "\t".join(numbers), usage],
        "not a digit": [emotion, " ".join([*numbers[:-1], "²"]), usage],
        "negative": [emotion, " ".join([*numbers[:-1], "-1"]), usage],
        "above 255": [emotion, " ".join([*numbers[:-1], "256"]), usage],
        "enormous": [emotion, " ".join([*numbers[:-1], "9" * 40]), usage],
        "unknown emotion": ["7", pixels, usage],
        "emotion in words": ["happy", pixels, usage],
        "emotion missing": ["", pixels, usage],
        "unknown usage": [emotion, pixels, "Test"],
        "a column too few": [emotion, pixels],
        "a column too many": [emotion, pixels, usage, "x"],
        "an endless field": [emotion, "1 " * 100_000, usage],
    }[change]
    lines[3] = ",".join(row)
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("one pixel too few", r"2304 pixels \(48x48\); got 2303"),
        ("one pixel too many", "got 2305"),
        ("no pixels", "got 0"),
        ("only a blank", "got 0"),
        ("a word", "'nan' is not a whole number from 0 to 255"),
        ("a fraction", "'1.5' is not a whole number"),
        ("a tab", "is not a whole number"),
        ("not a digit", "'²' is not a whole number"),
        ("negative", "'-1' is not a whole number"),
        ("above 255", "256 is above 255"),
        ("enormous", "is above 255"),
        ("unknown emotion", "unknown emotion '7'; known are 0 anger, .*6 neutral"),
        ("emotion in words", "unknown emotion 'happy'"),
        ("emotion missing", "unknown emotion ''"),
        ("unknown usage", "unknown Usage 'Test'; known are Training, PublicTest, PrivateTest"),
        ("a column too few", "3 columns; got 2"),
        ("a column too many", "3 columns; got 4"),
        ("an endless field", "not readable as csv"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, change: str, message: str) -> None:
    path = write(tmp_path, broken(change))
    with pytest.raises(ValueError, match=rf"fer2013\.csv, line 4: .*{message}"):
        datasets.load("fer2013", "train", path)


def test_the_line_is_that_of_the_file_not_of_the_row(tmp_path: Path) -> None:
    path = write(tmp_path, broken("unknown emotion").replace("\n", "\n\n"))
    with pytest.raises(ValueError, match="line 7"):
        datasets.load("fer2013", "train", path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the columns must be emotion, pixels, Usage, in any order; got an empty file"),
        ("emotion,pixels\n", "columns must be .* got emotion, pixels"),
        ("emotion,pixels,usage\n", "columns must be"),
        ("emotion,pixels,Usage,Usage\n", "columns must be"),
        ("emotion,pixels,Usage\n", "a header but no rows"),
        ("emotion,pixels,Usage\n\n\n", "a header but no rows"),
    ],
)
def test_a_broken_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        datasets.load("fer2013", "train", write(tmp_path, text))


def test_not_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.npz"
    np.savez(path, images=np.arange(256, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"fer2013\.npz"):
        datasets.load("fer2013", "train", path)


@settings(max_examples=200)
@given(data=st.data())
def test_damaged_bytes_give_images_or_a_clear_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = bytearray(csv_text(random_rows(3)).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(text) - 1) | st.integers(0, 30))
        damage = data.draw(st.binary(max_size=3) | st.sampled_from([b"\n", b",", b'"', b" ", b"1"]))
        text[position : position + data.draw(st.integers(0, 2))] = damage
    path = tmp_path_factory.mktemp("damaged") / "fer2013.csv"
    path.write_bytes(text)
    message = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            rows = read_fer2013_csv(path)
        except ValueError as error:
            message = str(error)
    if message is None:
        assert rows.images.shape[1:] == (48, 48, 1)
        assert len(rows.images) == len(rows.emotions) == len(rows.usages) >= 1
        assert rows.emotions.max() <= 6
    else:
        assert message.startswith(str(path))


@pytest.fixture(scope="module")
def real_csv(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fer2013")
    subprocess.run(
        [sys.executable, str(shared_data / "write_fer2013_csv.py"), str(folder), "--icml"],
        check=True,
    )
    return folder


def real_arrays(shared_data: Path) -> dict[str, Any]:
    with np.load(shared_data / "fer2013.npz") as file:
        return {key: file[key] for key in ("images", "labels", "split", "class_names")}


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["icml_face_data.csv", "fer2013.csv"])
def test_the_real_csv_pixel_for_pixel(real_csv: Path, shared_data: Path, name: str) -> None:
    known = real_arrays(shared_data)
    rows = read_fer2013_csv(real_csv / name)
    assert np.array_equal(rows.images[..., 0], known["images"])
    assert np.array_equal(rows.emotions, known["labels"])
    assert np.array_equal(rows.usages, known["split"])


@pytest.mark.real_data
def test_the_real_splits(real_csv: Path, shared_data: Path) -> None:
    known = real_arrays(shared_data)
    validation = datasets.load("fer2013", "validation", real_csv)
    public = known["images"][known["split"] == 1]
    assert np.array_equal(validation.images[..., 0], public), "all 3,589, untouched"
    # The published number of images per class.
    assert validation.class_counts() == {
        "anger": 467,
        "disgust": 56,
        "fear": 496,
        "happy": 895,
        "neutral": 607,
        "sad": 653,
        "surprise": 415,
    }

    train = datasets.load("fer2013", "train", real_csv)
    held_out = {image.tobytes() for image in public}
    originals = [image.tobytes() for image in known["images"][known["split"] == 0]]
    different_originals = set(originals)
    kept = [image for image in originals if image not in held_out]
    assert [image.tobytes() for image in train.images] == kept
    (removed,) = train.provenance["removed"]
    assert removed["count"] == len(originals) - len(kept)
    assert sum(image.tobytes() in different_originals for image in public) == 280
    with pytest.raises(ValueError, match="PrivateTest"):
        datasets.load("fer2013", "test", real_csv)
