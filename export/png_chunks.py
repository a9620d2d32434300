"""The parts of a PNG file inside a graph: whether the decoder reads all that makes the pixels.

What is no pixel it skips without a word where that is damaged or out of place, and transparency is
among it: what the file hides would come to light as a part of the face.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_BEFORE = 8  # bytes of a file before its first chunk
_AROUND = 12  # of a chunk: its length and its name before what it holds, the checksum behind
_ANCILLARY = 0x20  # bit of a name's first letter: a decoder may skip such a chunk
# Bytes of the longest transparency: one for each colour of a palette. What is longer is a text or a
# profile, on which no pixel depends.
_LONGEST = 256
_ALL_BITS = np.int64(2**32 - 1)


def _remainders() -> np.ndarray:
    """What each byte adds to a CRC-32, int64 `[256]`."""
    remainder = np.arange(256, dtype=np.int64)
    for _ in range(8):
        remainder = np.where(remainder & 1, (remainder >> 1) ^ 0xEDB88320, remainder >> 1)
    return remainder


_REMAINDERS = _remainders()


def are_sound(file: tf.Tensor) -> tf.Tensor:
    """Whether transparency lies where it counts, once at most, and nothing like it is damaged.

    Args:
      file: string, a whole PNG; other damage is for the decoder to tell.
    """
    last = tf.strings.length(file) - _AROUND  # where a chunk can begin

    def step(
        at: tf.Tensor, closed: tf.Tensor, sound: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        name = tf.strings.substr(file, at + 4, 4)
        # A length that does not fit is told by the decoder, which gets no further either.
        length = tf.clip_by_value(_number(file, at), 0, last - at)
        is_transparency = tf.equal(name, b"tRNS")
        sound &= _is_whole(file, at, length) & ~(is_transparency & closed)
        # Behind another, or behind the pixels, transparency does not count; nor before a palette.
        sound &= ~(tf.equal(name, b"PLTE") & closed)
        closed |= is_transparency | tf.equal(name, b"IDAT")
        return at + length + _AROUND, closed, sound

    start = (tf.constant(_BEFORE), tf.constant(False), tf.constant(True))
    return tf.while_loop(lambda at, *_: at <= last, step, start)[-1]


def _is_whole(file: tf.Tensor, at: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Whether the checksum is right, of chunks that the decoder skips if it is not."""
    first = tf.io.decode_raw(tf.strings.substr(file, at + 4, 1), tf.uint8)[0]
    skipped = tf.not_equal(tf.bitwise.bitwise_and(first, _ANCILLARY), 0)
    told = tf.bitwise.bitwise_and(tf.cast(_number(file, at + 8 + length), tf.int64), _ALL_BITS)
    return tf.cond(
        skipped & (length <= _LONGEST),
        lambda: tf.equal(_checksum(tf.strings.substr(file, at + 4, 4 + length)), told),
        lambda: tf.constant(True),
    )


def _checksum(content: tf.Tensor) -> tf.Tensor:
    """CRC-32 of a string, int64."""

    def add(checksum: tf.Tensor, byte: tf.Tensor) -> tf.Tensor:
        number = tf.bitwise.bitwise_and(tf.bitwise.bitwise_xor(checksum, byte), 255)
        return tf.bitwise.bitwise_xor(
            tf.bitwise.right_shift(checksum, 8), tf.gather(_REMAINDERS, number)
        )

    content = tf.cast(tf.io.decode_raw(content, tf.uint8), tf.int64)
    return tf.bitwise.bitwise_xor(tf.foldl(add, content, tf.constant(_ALL_BITS)), _ALL_BITS)


def _number(file: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    """The int32 of the four bytes at a place."""
    return tf.io.decode_raw(tf.strings.substr(file, at, 4), tf.int32, little_endian=False)[0]
