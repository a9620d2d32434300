"""The counter-based random generator that every target can repeat.

A value depends on its keys and its index alone, so noise and samples do not depend on batch size,
device or process; and only integer operations that every interpreter has are used, so TensorFlow,
TFLite and the browser draw the same numbers. The mixing function is lowbias32 (Chris Wellons,
"Prospecting for hash functions", 2018).
"""

import math
from collections.abc import Sequence

import tensorflow as tf

_FACTORS = (0x7FEB352D, 0x846CA68B - (1 << 32))
_SALTS = (0x243F6A88, 0x13198A2E)  # digits of pi


def uniform(keys: Sequence[tf.Tensor], count: int) -> tf.Tensor:
    """Uniform numbers in [0, 1), float32 `[B, count]`.

    Args:
      keys: int32 tensors, each `[B]` or `[]`; row b depends on the b-th of each.
      count: numbers per row.
    """
    return tf.cast(_bits24(keys, tf.range(count)), tf.float32) * 2.0**-24


def normal(keys: Sequence[tf.Tensor], count: int) -> tf.Tensor:
    """Standard normal numbers by the Box-Muller transform, float32 `[B, count]`.

    Args:
      keys: int32 tensors, each `[B]` or `[]`.
      count: numbers per row.
    """
    half = (count + 1) // 2
    first = tf.cast(_bits24(keys, tf.range(half)) + 1, tf.float32) * 2.0**-24  # in (0, 1]
    second = tf.cast(_bits24(keys, tf.range(half, 2 * half)), tf.float32) * 2.0**-24
    radius, angle = tf.sqrt(-2.0 * tf.math.log(first)), 2.0 * math.pi * second
    pairs = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=-1)
    return pairs[..., :count]


def content_key(images: tf.Tensor) -> tf.Tensor:
    """An int32 key `[B]` of each image `[B, ...]` (uint8): the same image, the same key.

    Evaluation noise keyed by content is the same in any order, batch or process.
    """
    flat = tf.cast(tf.reshape(images, [tf.shape(images)[0], -1]), tf.int32)
    indices = tf.range(tf.shape(flat)[1])
    return tf.reduce_sum(_mix(flat + _mix(indices + _SALTS[0])), axis=-1)


def _bits24(keys: Sequence[tf.Tensor], indices: tf.Tensor) -> tf.Tensor:
    """Random integers in [0, 2**24), int32 `[B, indices]`."""
    first, second = (_fold(keys, salt)[..., tf.newaxis] for salt in _SALTS)
    mixed = _mix(tf.bitwise.bitwise_xor(_mix(indices + first), second))
    return _shift_right(mixed, 8)


def _fold(keys: Sequence[tf.Tensor], salt: int) -> tf.Tensor:
    folded = tf.constant(salt, tf.int32)
    for key in keys:
        folded = _mix(folded + tf.cast(key, tf.int32))
    return folded


def _mix(x: tf.Tensor) -> tf.Tensor:
    """lowbias32, a bijection of 32-bit integers that mixes their bits."""
    x = tf.bitwise.bitwise_xor(x, _shift_right(x, 16)) * _FACTORS[0]
    x = tf.bitwise.bitwise_xor(x, _shift_right(x, 15)) * _FACTORS[1]
    return tf.bitwise.bitwise_xor(x, _shift_right(x, 16))


def _shift_right(x: tf.Tensor, bits: int) -> tf.Tensor:
    """Logical shift: int32 would extend the sign."""
    unsigned = tf.bitcast(x, tf.uint32)
    return tf.bitcast(tf.bitwise.right_shift(unsigned, tf.constant(bits, tf.uint32)), tf.int32)
