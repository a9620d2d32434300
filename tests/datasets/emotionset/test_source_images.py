import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from datasets.emotionset.picture import grey
from datasets.emotionset.sources import images
from datasets.emotionset.sources.images import ImageError, decode_image
from tests.datasets.emotionset.fixtures import face
from tests.datasets.emotionset.fixtures.faces import png_bomb, tiff_bomb, truncated

GREY, COLOUR = face(0, "happy"), face(0, "happy", 3)


def encoded(picture: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, image_format, **options)
    return file.getvalue()


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP", "PPM", "GIF"])
def test_lossless_formats(image_format: str) -> None:
    found = decode_image(encoded(Image.fromarray(GREY), image_format))
    assert np.array_equal(grey(found), GREY)
    if image_format != "GIF":
        assert np.array_equal(decode_image(encoded(Image.fromarray(COLOUR), image_format)), COLOUR)


def test_modes() -> None:
    grey, colour = Image.fromarray(GREY), Image.fromarray(COLOUR)
    assert np.array_equal(decode_image(encoded(grey.convert("LA"))), GREY)
    assert np.array_equal(decode_image(encoded(colour.convert("RGBA"))), COLOUR)
    assert decode_image(encoded(grey.convert("1"))).shape == (48, 48)
    assert decode_image(encoded(colour.convert("P"))).shape == (48, 48, 3)
    assert decode_image(encoded(colour.convert("CMYK"), "TIFF")).shape == (48, 48, 3)
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert np.array_equal(decode_image(encoded(deep)), GREY)
    assert np.array_equal(decode_image(encoded(deep, "TIFF")), GREY)
    with pytest.raises(ImageError, match="mode F"):
        decode_image(encoded(Image.fromarray(GREY.astype(np.float32)), "TIFF"))


def test_a_photograph_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[274] = 6  # to be turned by 90 degrees clockwise
    content = encoded(Image.fromarray(np.rot90(COLOUR)), "PNG", exif=exif)
    assert np.array_equal(decode_image(content), COLOUR)


@pytest.mark.parametrize("content", [b"", b"x", png_bomb(), tiff_bomb(), png_bomb(7000)])
def test_what_is_no_image(content: bytes) -> None:
    with pytest.raises(ImageError) as raised:
        decode_image(content)
    assert "\n" not in str(raised.value)


def test_sizes_are_checked_before_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 48 * 48 - 1)
    with pytest.raises(ImageError, match="48x48 pixels are too many"):
        decode_image(encoded(Image.fromarray(GREY)))


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "JPEG", "BMP", "GIF"])
def test_truncated(image_format: str) -> None:
    with pytest.raises(ImageError):
        decode_image(truncated(COLOUR, image_format))


def test_formats_that_run_programs_are_not_read() -> None:
    with pytest.raises(ImageError):
        decode_image(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")


@given(
    image_format=st.sampled_from(["PNG", "TIFF", "JPEG", "BMP", "GIF"]),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_any_damage_is_an_error_of_ours(
    image_format: str, changes: list[tuple[float, int]]
) -> None:
    content = bytearray(encoded(Image.fromarray(COLOUR), image_format))
    for place, value in changes:
        content[int(place**3 * (len(content) - 1))] = value
    try:
        image = decode_image(bytes(content))
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 2 or image.shape[2:] == (3,)
    assert grey(image).shape == image.shape[:2]


def test_grey_of_equal_channels_is_exact() -> None:
    assert np.array_equal(grey(np.dstack([GREY] * 3)), GREY)
    assert np.array_equal(grey(COLOUR), np.asarray(Image.fromarray(COLOUR).convert("L")))
