"""Graphs for other interpreters than TensorFlow, with kernels of their own."""

import contextlib
import contextvars
from collections.abc import Iterator

_PLAIN: contextvars.ContextVar[bool] = contextvars.ContextVar("plain", default=False)


@contextlib.contextmanager
def plain_operations() -> Iterator[None]:
    """Within it, graphs have the fewest operations instead of those that are quick in TensorFlow.

    A convolution is one operation, and so are the halving and joining of channels; a batch of
    conditions has as many rows as that of images, and is not broadcast.
    """
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)


def plain() -> bool:
    """Whether the caller is within `plain_operations`."""
    return _PLAIN.get()
