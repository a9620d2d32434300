"""PNG files inside a graph: judged by their header before anything is decoded."""

from __future__ import annotations

import io

import numpy as np
import tensorflow as tf
from PIL import Image

# The eight bytes that every PNG begins with, then the length and name of its first chunk.
_BEGINNING = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR"
_HEADER = len(_BEGINNING) + 8  # and two big-endian numbers of four bytes, width and height
_LAST_CHUNK = b"\0\0\0\0IEND\xaeB`\x82"


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
    """uint8 `[B, H, W, C]` of files that `has_size` accepted; colours become grey where C is 1."""
    return tf.map_fn(
        lambda file: tf.ensure_shape(tf.io.decode_png(file, channels=image_shape[-1]), image_shape),
        files,
        fn_output_signature=tf.TensorSpec(image_shape, tf.uint8),
    )


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
