"""Processes that end with the one that started them, and files that one process has alone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO, Any

# Enough for a step and its checkpoint.
_SECONDS_TO_END = 120.0

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)


class InUseError(Exception):
    """Another process has the file."""


@contextlib.contextmanager
def ended_with_the_block(
    processes: Callable[[], Iterable[subprocess.Popen[Any]]],
    seconds: float = _SECONDS_TO_END,
) -> Iterator[Callable[[], None]]:
    """Ends processes where the block is left before they end: by a signal or by an exception.

    They get one SIGTERM, whatever this process got, and time to save what they did; those that
    take longer, or a second signal, kill them. To be ended by nobody else, they need a session of
    their own: a terminal sends Ctrl-C to all processes of the one that it belongs to.

    Args:
      processes: those that were started so far and may still run.
      seconds: until they are killed.

    Yields:
      What to call now and then: it raises `KeyboardInterrupt` after Ctrl-C, and `SystemExit` with
      the exit code that shells have for it after another signal. A handler that raised itself
      could do so between the start of a process and the line that remembers it.
    """
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        del frame
        received.append(number)
        if len(received) > 1:
            _raise(number)
        # Not print: a signal may come in the midst of one.
        os.write(2, b"\nstopping, when what runs has saved a checkpoint; once more to kill it\n")

    def check() -> None:
        if received:
            _raise(received[0])

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # others cannot have handlers
        handlers = {number: signal.getsignal(number) for number in _SIGNALS}
        # What is ignored, as under nohup, stays so; None is no handler of Python's.
        before = {n: old for n, old in handlers.items() if old not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, receive)
        try:
            yield check
            check()  # a signal that came after the last call
        finally:
            _end([process for process in processes() if process.poll() is None], seconds)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _end(processes: list[subprocess.Popen[Any]], seconds: float) -> None:
    for process in processes:
        process.terminate()
    latest = time.monotonic() + seconds
    try:
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, latest - time.monotonic()))
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def open_alone(path: Path, keep: bool) -> IO[bytes]:
    """Opens a file for writing at its end that no other process has opened by this function.

    Whoever inherits the open file, such as a child process for its output, has it as well: it
    stays in use until all of them have ended, however they end. Where the system has no such
    locks, as on Windows and some network disks, nothing is refused.

    Args:
      path: of the file.
      keep: what it holds; else it is emptied, once nobody else has it.

    Raises:
      InUseError: another process has it.
    """
    file = path.open("ab")
    try:
        _lock(file)
        if not keep:
            file.truncate(0)
    except BlockingIOError as error:
        file.close()
        raise InUseError(f"another process is writing to {path}") from error
    except BaseException:
        file.close()
        raise
    return file


def _lock(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a disk without locks
        return
