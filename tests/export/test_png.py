"""What a SavedModel reads out of a PNG file."""

import numpy as np
import pytest
import tensorflow as tf

from export import png
from tests.export.png_files import (
    KINDS,
    SIDE,
    UNSOUND,
    by_pillow,
    file_of,
    picture,
    promising,
    split,
)


@pytest.mark.parametrize("file", KINDS.values(), ids=KINDS.keys())
def test_every_kind_of_png_has_the_pixels_that_pillow_reads(file):
    for mode, channels in (("L", 1), ("RGB", 3)):
        expected = by_pillow(file, mode)
        assert expected.std() > 5
        shape = (SIDE, SIDE, channels)
        assert png.has_size([file], SIDE, SIDE).numpy().all()
        found = png.decoded(tf.constant([file]), shape)[0].numpy()
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["alpha", "palette of 16", "gamma"])
def test_transfer_of_a_file_is_that_of_its_pixels(served, kind):
    """Strength 0 gives back what was read: on white, by the graph itself."""
    given = {
        "png_bytes": np.array([KINDS[kind]], dtype=object),
        "source": np.array(["happy"], dtype=object),
        "target": np.array(["sad"], dtype=object),
        "strength": np.zeros(1, np.float32),
    }
    (out,) = served("transfer_png", **given)["png_bytes"]
    np.testing.assert_array_equal(tf.io.decode_png(out), by_pillow(KINDS[kind], "L"))


def test_descriptions_of_files():
    told = png.described(tf.constant([picture(), b"", picture()[:-3], promising(300, 20)])).numpy()
    assert [one.decode() for one in told] == [
        "a PNG of 16x16 pixels",
        "no PNG",
        "a PNG that breaks off",
        "a PNG of 300x20 pixels",
    ]


@pytest.mark.parametrize("file", UNSOUND.values(), ids=UNSOUND.keys())
def test_transparency_that_would_be_lost_is_refused(file):
    """The decoder would skip it without a word, and what was hidden would become the face."""
    assert tf.io.decode_png(file).shape[:2] == (SIDE, SIDE)
    with pytest.raises(tf.errors.InvalidArgumentError, match="png_bytes must be a PNG of which no"):
        png.decoded(tf.constant([file]), (SIDE, SIDE, 1))


def test_texts_and_profiles_are_not_looked_into():
    """They change no pixel, whatever they hold and however long they are."""
    header, *rest = split(KINDS["grey with a transparent one"])
    for text in (b"tEXtComment\0tRNS and IDAT", b"tEXtComment\0" + 9000 * b"x", b"prVtAnything"):
        file = tf.constant([file_of(header, text, *rest)])
        found = png.decoded(file, (SIDE, SIDE, 1))[0].numpy()
        np.testing.assert_array_equal(found, by_pillow(KINDS["grey with a transparent one"], "L"))
