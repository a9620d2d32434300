"""Files that a build needs on disk for a while: made once for all its processes, then removed."""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import multiprocessing
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from datasets.emotionset.source import SourceError


def temporary_copy(key: str, write: Callable[[BinaryIO], None]) -> Path:
    """A file that `write` has written, made once for all processes of a build.

    It lies in a folder of the user's own in the temporary folder (`$TMPDIR`), and goes when the
    process ends that started the others.
    """
    folder = Path(tempfile.gettempdir()) / f"emotionset-{getattr(os, 'getuid', lambda: 0)()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o077):
        raise SourceError(f"{folder} belongs to someone else, or others may write to it")
    path = folder / hashlib.sha256(key.encode()).hexdigest()
    if multiprocessing.parent_process() is None:
        _remove_at_exit(path)
    if path.is_file():
        return path
    descriptor, aside = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as target:
            write(target)
        Path(aside).replace(path)
    except BaseException as error:
        Path(aside).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise SourceError(f"no temporary copy could be made in {folder}: {error}") from error
        raise
    return path


@functools.cache
def _remove_at_exit(path: Path) -> None:
    """Removes the file when this process ends, but not when one that was forked from it does."""
    process = os.getpid()

    def remove() -> None:
        if os.getpid() == process:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)

    atexit.register(remove)
