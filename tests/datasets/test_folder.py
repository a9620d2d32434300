from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import datasets

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def picture(value: int | tuple[int, int, int], height: int = 8, width: int = 8) -> Image.Image:
    mode = "L" if isinstance(value, int) else "RGB"
    return Image.new(mode, (width, height), value)


def write(path: Path, image: Image.Image | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or picture(100)).save(path)
    return path


def write_many(root: Path, classes: tuple[str, ...], count: int) -> None:
    """Writes images whose grey is 40 x class + number, so an image tells where it comes from."""
    for label, name in enumerate(classes):
        for index in range(count):
            write(root / name / f"{name}{index}.png", picture(40 * label + index, 4, 4))


def train_folder(root: Path) -> Path:
    """The folder of the one class of a train split that is not cut, since validation is there."""
    write(root / "validation" / "a" / "1.png")
    folder = root / "train" / "a"
    folder.mkdir(parents=True)
    return folder


def greys(source: datasets.ImageSource) -> list[int]:
    return [int(image[0, 0, 0]) for image in source.images]


def test_split_by_hash_of_the_file_name(tmp_path: Path) -> None:
    write_many(tmp_path, ("sad", "anger", "happy"), 40)
    splits = {split: datasets.load("folder", split, tmp_path) for split in datasets.SPLITS}
    found = [grey for source in splits.values() for grey in greys(source)]
    assert sorted(found) == list(range(120)), "each image once"
    sizes = {split: len(source) for split, source in splits.items()}
    assert 80 <= sizes["train"] <= 110
    assert min(sizes["validation"], sizes["test"]) >= 4
    for source in splits.values():
        assert source.classes == ("anger", "happy", "sad")
        written = ("sad", "anger", "happy")  # the order in which the greys were given out
        assert [written[grey // 40] for grey in greys(source)] == [
            source.classes[label] for label in source.labels
        ]
        assert "hash" in source.provenance["split_rule"]
        assert source.provenance["path"] == str(tmp_path)


def test_the_split_of_an_image_does_not_change_when_others_come(tmp_path: Path) -> None:
    write_many(tmp_path, ("a", "b"), 30)
    before = {split: greys(datasets.load("folder", split, tmp_path)) for split in datasets.SPLITS}
    for index in range(20):
        write(tmp_path / "a" / f"0 new {index}.png", picture(250, 4, 4))
    for split, old in before.items():
        after = greys(datasets.load("folder", split, tmp_path))
        assert sorted(grey for grey in after if grey < 250) == sorted(old)


def test_the_classes_come_in_turn(tmp_path: Path) -> None:
    write_many(tmp_path / "train", ("a", "b", "c"), 10)
    write_many(tmp_path / "validation", ("a", "b", "c"), 1)
    source = datasets.load("folder", "train", tmp_path, limit=7)
    assert source.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert source.provenance["limit"] == 7


@pytest.mark.parametrize("validation", ["validation", "val", "valid"])
def test_split_folders(tmp_path: Path, validation: str) -> None:
    for folder, grey in (("train", 10), (validation, 20), ("test", 30)):
        write(tmp_path / folder / "b" / "x.png", picture(grey))
    write(tmp_path / "train" / "a" / "x.png", picture(11))
    found = {split: datasets.load("folder", split, tmp_path) for split in datasets.SPLITS}
    assert [greys(source) for source in found.values()] == [[11, 10], [20], [30]]
    assert all(source.classes == ("a", "b") for source in found.values())
    assert found["validation"].labels.tolist() == [1], "classes are those of all splits"
    assert found["validation"].provenance["split_rule"] == f"the folder {validation}"


def test_without_a_validation_folder_it_is_taken_from_train(tmp_path: Path) -> None:
    write_many(tmp_path / "train", ("a", "b"), 40)
    write_many(tmp_path / "test", ("a", "b"), 2)
    train, validation, test = (datasets.load("folder", s, tmp_path) for s in datasets.SPLITS)
    assert sorted(greys(train) + greys(validation)) == list(range(80))
    assert 1 <= len(validation) <= 20
    assert len(test) == 4
    assert "folder train" in validation.provenance["split_rule"]


def test_without_a_test_folder_there_is_no_test_split(tmp_path: Path) -> None:
    write_many(tmp_path / "train", ("a",), 3)
    with pytest.raises(ValueError, match="no images for the test split"):
        datasets.load("folder", "test", tmp_path)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    write_many(tmp_path, ("car", "train"), 30)
    assert datasets.load("folder", "train", tmp_path).classes == ("car", "train")


def test_channels(tmp_path: Path) -> None:
    write(tmp_path / "train" / "a" / "1.png", picture(100))
    write(tmp_path / "train" / "a" / "2.png", picture(200))
    write(tmp_path / "validation" / "a" / "1.png", picture(50))
    assert datasets.load("folder", "train", tmp_path).image_shape == (8, 8, 1)
    colour = datasets.load("folder", "train", tmp_path, channels=3)
    assert colour.image_shape == (8, 8, 3)
    assert greys(colour) == [100, 200]
    assert colour.provenance["decoding"]["grey_files"] == 2

    write(tmp_path / "train" / "a" / "3.png", picture(RED))
    mixed = datasets.load("folder", "train", tmp_path)
    assert mixed.image_shape == (8, 8, 3)
    assert mixed.images[2, 0, 0].tolist() == list(RED)
    grey = datasets.load("folder", "train", tmp_path, channels=1)
    assert greys(grey) == [100, 200, 76]  # 0.299 x 255


def test_sizes(tmp_path: Path) -> None:
    write(tmp_path / "train" / "a" / "1.png", picture(100, 8, 8))
    write(tmp_path / "train" / "a" / "2.png", picture(100, 6, 10))
    write(tmp_path / "validation" / "a" / "1.png", picture(100, 6, 10))
    with pytest.raises(ValueError, match=r"1\.png is 8x8 .*2\.png is 6x10; give --image_size"):
        datasets.load("folder", "train", tmp_path)
    source = datasets.load("folder", "train", tmp_path, image_size=(12, 16))
    assert source.image_shape == (12, 16, 1)
    assert source.provenance["decoding"]["image_size"] == [12, 16]
    assert datasets.load("folder", "validation", tmp_path).image_shape == (6, 10, 1)


def test_resizing_is_antialiased(tmp_path: Path) -> None:
    stripes = np.zeros((96, 96), np.uint8)
    stripes[:, ::2] = 255
    write(train_folder(tmp_path) / "1.png", Image.fromarray(stripes))
    source = datasets.load("folder", "train", tmp_path, image_size=24)
    assert np.all(np.abs(source.images[0, 2:-2, 2:-2].astype(int) - 127) < 20)


def test_file_kinds(tmp_path: Path) -> None:
    folder = train_folder(tmp_path)
    for suffix in ("bmp", "gif", "jpeg", "JPG", "pgm", "png", "tif", "TIFF", "webp"):
        write(folder / f"grey.{suffix}", picture(128))
    (folder / "README.txt").write_text("not an image")
    (folder / ".hidden.png").write_text("not an image either")
    (tmp_path / "train" / ".cache").mkdir()
    source = datasets.load("folder", "train", tmp_path, channels=1)
    assert len(source) == 9
    assert source.classes == ("a",)
    assert np.all(np.abs(source.images.astype(int) - 128) <= 2)


def test_pixel_kinds(tmp_path: Path) -> None:
    folder = train_folder(tmp_path)
    write(folder / "1 bilevel.png", picture(255).convert("1"))
    write(folder / "2 palette.png", picture(RED).convert("P", palette=Image.Palette.ADAPTIVE))
    write(folder / "3 alpha.png", Image.new("RGBA", (8, 8), (0, 255, 0, 128)))
    write(folder / "4 grey and alpha.png", Image.new("LA", (8, 8), (90, 10)))
    write(folder / "5 sixteen bits.png", Image.fromarray(np.full((8, 8), 200 << 8, np.uint16)))
    write(folder / "6 four inks.jpg", picture(BLUE).convert("CMYK"))
    source = datasets.load("folder", "train", tmp_path)
    corners = source.images[:, 0, 0].astype(int)
    wanted = np.array([[255] * 3, RED, GREEN, [90] * 3, [200] * 3, BLUE])
    assert np.max(np.abs(corners - wanted)) <= 6


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    image = picture(0, 4, 8)
    image.paste(255, (0, 0, 4, 4))  # the left half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise: the left side comes up
    image.save(train_folder(tmp_path) / "1.png", exif=exif)
    source = datasets.load("folder", "train", tmp_path)
    assert source.image_shape == (8, 4, 1)
    assert source.images[0, :, 0, 0].tolist() == [255] * 4 + [0] * 4


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n cut"])
def test_an_unreadable_image_is_named(tmp_path: Path, content: bytes) -> None:
    folder = train_folder(tmp_path)
    write(folder / "whole.png")
    (folder / "broken.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read the image .*broken\.png"):
        datasets.load("folder", "train", tmp_path)


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    folder = train_folder(tmp_path)
    path = write(folder / "short.jpg", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[:-500])
    write(folder / "whole.png")
    with pytest.raises(ValueError, match=r"cannot read the image .*short\.jpg"):
        datasets.load("folder", "train", tmp_path)


@given(cut=st.integers(0, 400), flips=st.lists(st.integers(0, 399), max_size=3))
def test_damaged_images_give_pixels_or_a_clear_error(
    cut: int, flips: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("damaged")
    noise = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    path = write(train_folder(root) / "x.png", Image.fromarray(noise))
    content = bytearray(path.read_bytes())
    for position in flips:
        content[position % len(content)] ^= 0x15
    path.write_bytes(content[: len(content) - cut])
    message = None
    try:
        source = datasets.load("folder", "train", root, image_size=16)
        assert len(source) == 1
    except ValueError as error:
        message = str(error)
    assert message is None or "x.png" in message


def test_an_image_bomb_is_refused(tmp_path: Path) -> None:
    path = write(train_folder(tmp_path) / "bomb.png", Image.new("1", (20_000, 20_000)))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(ValueError, match=r"cannot read the image .*bomb\.png"):
        datasets.load("folder", "train", tmp_path)


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs --data_path"):
        datasets.load("folder", "train")
    with pytest.raises(FileNotFoundError, match=r"gone does not exist; .*class/\*\.png"):
        datasets.load("folder", "train", tmp_path / "gone")
    with pytest.raises(ValueError, match="has no class folders"):
        datasets.load("folder", "train", tmp_path)
    write(tmp_path / "at the top.png")
    with pytest.raises(ValueError, match="has no class folders"):
        datasets.load("folder", "train", tmp_path)
    with pytest.raises(ValueError, match=r"at the top\.png is a file; needed is a folder"):
        datasets.load("folder", "train", tmp_path / "at the top.png")
    write(tmp_path / "full" / "1.png")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(ValueError, match=r"class folder hollow in .* has no images"):
        datasets.load("folder", "train", tmp_path)
