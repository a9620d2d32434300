"""Same-padded convolutions whose gradients are quick on CPUs.

The networks of a flow read and write few channels (half of 4, 8, 16), and there oneDNN's gradient
kernels run at a few percent of what the machine can do. As matrix products over columns (im2col)
the same gradients take a fraction of the time; `benchmarks/convolution.py` measures it. On GPUs
the library's own gradients are used.
"""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps

# Up to this many channels a gradient goes through columns.
FEW_CHANNELS = 16

Gradients = tuple[tf.Tensor, tf.Tensor]

_PLAIN: contextvars.ContextVar[bool] = contextvars.ContextVar("plain", default=False)


@contextlib.contextmanager
def plain_convolutions() -> Iterator[None]:
    """Within it, every convolution is one operation of the library, with its own gradient.

    For graphs that another interpreter than TensorFlow will run, with kernels of its own.
    """
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolution of `[..., H, W, C_in]` with a kernel `[side, side, C_in, C_out]`, same padding.

    Differentiable any number of times with respect to both.
    """
    if x.shape.rank == 4:
        return _convolve(x, kernel)
    shape = ps.shape(x)
    flat = tf.reshape(x, ps.concat([[-1], shape[-3:]], axis=0))
    result = _convolve(flat, kernel)
    return tf.reshape(result, ps.concat([shape[:-1], [kernel.shape[-1]]], axis=0))


def add_bias(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Adds `[C]`, with the operation that TensorFlow fuses into convolutions, or `[..., C]`."""
    if bias.shape.rank > 1:
        return x + bias
    return tf.nn.bias_add(x, bias) if _by_library() else _bias_add(x, bias)


@tf.custom_gradient
def _bias_add(x: tf.Tensor, bias: tf.Tensor) -> tuple[tf.Tensor, Any]:
    def gradient(upstream: tf.Tensor) -> Gradients:
        rows = _rows(upstream)
        ones = tf.ones([1, ps.shape(rows)[0]], rows.dtype)
        return upstream, tf.matmul(ones, rows)[0]

    return tf.nn.bias_add(x, bias), gradient


def _by_library() -> bool:
    return _PLAIN.get() or bool(tf.config.list_logical_devices("GPU"))


def _convolve(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    side, _, channels_in, channels_out = kernel.shape
    if _by_library():
        return _library_convolution(x, kernel)
    if side == 1:
        return _convolution_1x1(x, kernel)
    if channels_out <= FEW_CHANNELS:
        return _convolution_to_few(x, kernel)
    if channels_in <= FEW_CHANNELS:
        return _convolution_from_few(x, kernel)
    return _library_convolution(x, kernel)


def _library_convolution(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")


@tf.custom_gradient
def _convolution_1x1(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    def gradient(upstream: tf.Tensor) -> Gradients:
        rows, matrix = _rows(upstream), kernel[0, 0]
        for_kernel = tf.matmul(_rows(x), rows, transpose_a=True)
        for_x = tf.reshape(tf.matmul(rows, matrix, transpose_b=True), ps.shape(x))
        return for_x, for_kernel[tf.newaxis, tf.newaxis]

    return _library_convolution(x, kernel), gradient


@tf.custom_gradient
def _convolution_to_few(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    side, _, channels_in, channels_out = kernel.shape

    def gradient(upstream: tf.Tensor) -> Gradients:
        # dx is the convolution of the upstream gradient with the turned kernel; its columns serve
        # the kernel's gradient too.
        columns = _rows(_columns(upstream, side))
        turned = tf.reshape(_turned(kernel), [-1, channels_in])
        for_turned = tf.matmul(columns, _rows(x), transpose_a=True)
        for_turned = tf.reshape(for_turned, [side, side, channels_out, channels_in])
        return tf.reshape(tf.matmul(columns, turned), ps.shape(x)), _turned(for_turned)

    return _to_few(x, kernel), gradient


@tf.custom_gradient
def _convolution_from_few(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
    side = kernel.shape[0]

    def gradient(upstream: tf.Tensor) -> Gradients:
        columns = _rows(_columns(x, side))
        for_kernel = tf.matmul(columns, _rows(upstream), transpose_a=True)
        return _to_few(upstream, _turned(kernel)), tf.reshape(for_kernel, kernel.shape)

    return _library_convolution(x, kernel), gradient


def _to_few(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A convolution to few channels.

    oneDNN computes 16 output channels even where 4 are wanted. So one convolution along the rows
    computes what every kernel row contributes, and another one, of zeros and ones, adds the
    contributions up, each from its own row of the image.
    """
    side, _, channels_in, channels_out = kernel.shape
    if side != 3 or channels_out > 8:
        return _library_convolution(x, kernel)
    by_row = tf.reshape(tf.transpose(kernel, [1, 2, 0, 3]), [1, side, channels_in, -1])
    adding = tf.reshape(tf.eye(side * channels_out, dtype=x.dtype), [side, 1, channels_out, -1])
    adding = tf.transpose(adding, [0, 1, 3, 2])
    return _library_convolution(_library_convolution(x, by_row), adding)


def _rows(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, [-1, x.shape[-1]])


def _turned(kernel: tf.Tensor) -> tf.Tensor:
    """Turned by 180 degrees, with inputs and outputs exchanged."""
    return tf.transpose(tf.reverse(kernel, axis=[0, 1]), [0, 1, 3, 2])


def _columns(x: tf.Tensor, side: int) -> tf.Tensor:
    """im2col: `[B, H, W, C] -> [B, H, W, side * side * C]`, the neighbourhood of each position."""
    channels = x.shape[-1]
    if channels <= 4:
        # Convolving with unit vectors: slices of so few channels are slow to copy.
        size = side * side * channels
        unit_vectors = tf.reshape(tf.eye(size, dtype=x.dtype), [side, side, channels, size])
        return _library_convolution(x, unit_vectors)
    height, width = ps.shape(x)[1], ps.shape(x)[2]
    before, after = (side - 1) // 2, side // 2
    padded = tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]])
    across = tf.concat([padded[:, :, j : j + width] for j in range(side)], axis=-1)
    return tf.concat([across[:, i : i + height] for i in range(side)], axis=-1)
