"""SIGTERM outside of the training steps, where nothing is left to be saved."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM came; whatever lets Ctrl-C through lets this through as well."""


@contextlib.contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """The first SIGTERM in the block raises `Terminated`; a second one ends the process at once.

    Use it in the main thread; elsewhere it does nothing.
    """

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        del frame
        signal.signal(number, signal.SIG_DFL)
        raise Terminated

    with _sigterm(terminate):
        yield


@contextlib.contextmanager
def sigterm_ends_at_once() -> Iterator[None]:
    """In the block, SIGTERM does what it does in a program that knows nothing of it.

    For calls that wait in C++ without end: no handler of Python's runs before they return.
    """
    with _sigterm(signal.SIG_DFL):
        yield


@contextlib.contextmanager
def _sigterm(handler: Any) -> Iterator[None]:
    try:
        before = signal.signal(signal.SIGTERM, handler)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        # None is a handler of C's, which Python cannot put back.
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
