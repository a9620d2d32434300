"""PNG files inside a graph: judged by their header before anything is decoded."""

from __future__ import annotations

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from export import png_chunks

# The eight bytes that every PNG begins with, then the length and name of its first chunk.
_BEGINNING = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR"
_HEADER = len(_BEGINNING) + 8  # and two big-endian numbers of four bytes, width and height
_DEPTH = _HEADER  # the place of the byte behind them: bits of a colour, or of a palette's index
_LAST_CHUNK = b"\0\0\0\0IEND\xaeB`\x82"
# ITU-R 601 in 16 bits, as Pillow has it, and the page: by libpng's own grey a file that names its
# gamma would become another image than the same pixels without.
_GREY = (19595, 38470, 7471)


def has_size(files: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Which of the strings `[B]` are whole PNG files of this size, bool `[B]`.

    Read off the first and last bytes alone, so that a file that promises 10,000x10,000 pixels
    costs nothing, and what other formats the decoder knows never reaches it.
    """
    expected = _BEGINNING + width.to_bytes(4, "big") + height.to_bytes(4, "big")
    whole = tf.equal(tf.strings.substr(_padded(files), -12, 12), _LAST_CHUNK)
    return tf.equal(tf.strings.substr(files, 0, _HEADER), expected) & whole


def described(files: tf.Tensor) -> tf.Tensor:
    """What an error says of each file, string `[B]`: its size, or that it is no whole PNG."""
    padded = _padded(files)
    is_png = tf.equal(tf.strings.substr(padded, 0, len(_BEGINNING)), _BEGINNING)
    whole = tf.equal(tf.strings.substr(padded, -12, 12), _LAST_CHUNK)
    sides = tf.io.decode_raw(tf.strings.substr(padded, len(_BEGINNING), 8), tf.uint8)
    sides = tf.cast(tf.reshape(sides, [-1, 8]), tf.int64)  # of no files, it has no columns
    width, height = (
        tf.reduce_sum(part * [1 << 24, 1 << 16, 1 << 8, 1], axis=-1)
        for part in (sides[:, :4], sides[:, 4:])
    )
    size = tf.strings.join([tf.strings.as_string(width), "x", tf.strings.as_string(height)])
    told = tf.where(whole, tf.strings.join(["a PNG of ", size, " pixels"]), "a PNG that breaks off")
    return tf.where(is_png, told, "no PNG")


def decoded(files: tf.Tensor, image_shape: tuple[int, int, int]) -> tf.Tensor:
    """uint8 `[B, H, W, C]` of files that `has_size` accepted.

    As Pillow reads them, in 8 bits; what is transparent lies on white, as on the page, and colours
    become grey where C is 1.
    """
    return tf.map_fn(
        lambda file: _image(file, image_shape),
        files,
        fn_output_signature=tf.TensorSpec(image_shape, tf.uint8),
    )


def _image(file: tf.Tensor, image_shape: tuple[int, int, int]) -> tf.Tensor:
    height, width, channels = image_shape
    check = tf.debugging.Assert(
        png_chunks.are_sound(file),
        ["png_bytes must be a PNG of which no part is damaged or out of place"],
    )
    with tf.control_dependencies([check]):
        file = tf.identity(file)
    pixels = tf.ensure_shape(tf.io.decode_png(file, channels=4), [height, width, 4])
    pixels = tf.cast(pixels, tf.int32)
    colours, alpha = pixels[:, :, :3], _alpha(file, pixels[:, :, 3:])
    colours = (colours * alpha + 255 * (255 - alpha) + 127) // 255
    if channels == 1:
        grey = tf.reduce_sum(colours * _GREY, axis=-1, keepdims=True)
        colours = tf.bitwise.right_shift(grey + (1 << 15), 16)
    return tf.cast(colours, tf.uint8)


def _alpha(file: tf.Tensor, decoded_alpha: tf.Tensor) -> tf.Tensor:
    # Where a file has no alpha, TensorFlow gives it the greatest number of the file's depth, which
    # for 4 bits is 15, and for 8 and 16 is 255. No picture has that for an alpha of its own
    # throughout: it could hardly be seen.
    depth = tf.cast(tf.io.decode_raw(tf.strings.substr(file, _DEPTH, 1), tf.uint8), tf.int32)
    opaque = tf.bitwise.left_shift(1, tf.minimum(depth, 8)) - 1
    return tf.where(tf.reduce_all(tf.equal(decoded_alpha, opaque)), 255, decoded_alpha)


def files_of(images: tf.Tensor) -> tf.Tensor:
    """PNG files, string `[B]`, of uint8 `[B, H, W, C]`."""
    return tf.map_fn(tf.io.encode_png, images, fn_output_signature=tf.TensorSpec([], tf.string))


def encoded(image: np.ndarray) -> bytes:
    """A PNG file of one uint8 image `[H, W, C]`."""
    file = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[-1] == 1 else image).save(file, format="PNG")
    return file.getvalue()


def _padded(files: tf.Tensor) -> tf.Tensor:
    """The files, zeros in the place of those that are too short to be cut."""
    return tf.where(tf.strings.length(files) < _HEADER, b"\0" * _HEADER, files)
