import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.resize import check_image_size, convert


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_to_do_changes_nothing(channels: int) -> None:
    images = random_images(3, 8, 6, channels)
    for size, wanted in ((None, None), ((8, 6), None), (None, channels), ((8, 6), channels)):
        same, done = convert(images, size, wanted)
        assert same is images
        assert done is None


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    new_height=st.integers(1, 20),
    new_width=st.integers(1, 20),
    channels=st.sampled_from([1, 3]),
    new_channels=st.sampled_from([1, 3]),
)
def test_shapes_and_record(
    height: int, width: int, new_height: int, new_width: int, channels: int, new_channels: int
) -> None:
    images = np.full((2, height, width, channels), 77, np.uint8)
    converted, done = convert(images, (new_height, new_width), new_channels)
    assert converted.shape == (2, new_height, new_width, new_channels)
    assert converted.dtype == np.uint8
    assert np.all(converted == 77), "a flat image stays flat"
    resized = (height, width) != (new_height, new_width)
    assert ("resized" in (done or {})) == resized
    assert ("channels" in (done or {})) == (channels != new_channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_smaller_images_are_antialiased(channels: int) -> None:
    """Stripes finer than the new pixels become their mean, not an arbitrary one of the two."""
    stripes = np.zeros((1, 48, 48, channels), np.uint8)
    stripes[:, :, ::2] = 255
    small, _ = convert(stripes, (16, 16))
    assert np.all(np.abs(small[:, 2:-2, 2:-2].astype(int) - 127) < 20)


def test_rows_and_columns_are_not_mixed_up() -> None:
    image = np.zeros((1, 8, 8, 1), np.uint8)
    image[:, :4] = 200
    large, done = convert(image, (16, 24))
    assert np.all(large[0, 0, :, 0] == 200)
    assert np.all(large[0, -1, :, 0] == 0)
    assert done == {"resized": {"from": [8, 8], "to": [16, 24], "filter": "lanczos"}}


def test_grey_and_colour() -> None:
    colour = random_images(2, 5, 4, 3)
    grey, done = convert(colour, None, 1)
    assert done == {"channels": {"from": 3, "to": 1}}
    luma = colour @ np.array([0.299, 0.587, 0.114])
    assert np.max(np.abs(grey[..., 0] - luma)) <= 1
    back, done = convert(grey, None, 3)
    assert done == {"channels": {"from": 1, "to": 3}}
    assert np.array_equal(back, np.concatenate([grey] * 3, -1))


def test_check_image_size() -> None:
    assert check_image_size(None) is None
    assert check_image_size(28) == (28, 28)
    assert check_image_size((28, 32)) == (28, 32)
