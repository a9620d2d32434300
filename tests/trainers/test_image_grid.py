import numpy as np
import pytest
from PIL import Image

from trainers.image_grid import image_grid, save_png


def block(n, value, side=48, channels=1):
    return np.full((n, side, side, channels), value, np.uint8)


def test_every_image_is_shown_enlarged_and_unchanged(tmp_path):
    image = np.arange(48 * 48, dtype=np.uint8).reshape(1, 48, 48, 1)
    path = tmp_path / "grid.png"
    save_png(image_grid([("", [image])]), path)
    pixels = np.asarray(Image.open(path))[:, :, 0]
    enlarged = image[0, :, :, 0].repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(pixels[8:104, 8:104], enlarged)


def test_colour_is_kept():
    red = block(1, 0, channels=3)
    red[..., 0] = 200
    pixels = np.asarray(image_grid([("", [red])]))
    assert tuple(pixels[20, 20]) == (200, 0, 0)


def test_rows_blocks_and_captions_stand_apart():
    rows = [("anger", [block(3, 10), block(1, 20)]), ("happy", [block(3, 30), block(2, 40)])]
    picture = image_grid(rows, ["samples", "from the data"])
    pixels = np.asarray(picture)[:, :, 0]
    counts = {value: int((pixels == value).sum()) for value in (10, 20, 30, 40)}
    tile = 96 * 96
    # Anti-aliased text can hold any grey, so a few more are no fault.
    for value, tiles in {10: 3, 20: 1, 30: 3, 40: 2}.items():
        assert tiles * tile <= counts[value] < tiles * tile + 2000
    ys = [np.argwhere(pixels == value)[:, 0].max() for value in (10, 30)]
    assert ys[0] < ys[1]


def test_a_row_may_lack_images():
    empty = np.zeros((0, 48, 48, 1), np.uint8)
    image_grid([("a", [block(2, 1), block(1, 2)]), ("b", [block(2, 1), empty])])


def test_large_images_are_not_enlarged():
    assert image_grid([("", [block(1, 0, side=128)])]).size == (144, 144)


@pytest.mark.parametrize(
    ("rows", "headings", "message"),
    [
        ([], [], "at least one row"),
        ([("", [])], [], "at least one row"),
        ([("", [block(1, 0)]), ("", [block(1, 0), block(1, 0)])], [], "same number of blocks"),
        ([("", [block(1, 0)])], ["a", "b"], "1 blocks but 2 headings"),
        ([("", [block(1, 0), block(1, 0, side=32)])], [], "one shape"),
        ([("", [block(1, 0).astype(np.float32)])], [], "must be uint8"),
    ],
)
def test_bad_grids(rows, headings, message):
    with pytest.raises(ValueError, match=message):
        image_grid(rows, headings)
