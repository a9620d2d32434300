"""Files appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


class WriteError(OSError):
    """A file could not be written; what stood in its place is as it was."""


_SYSTEMS_WORDS = {os.strerror(number) for number in errno.errorcode}


def system_reason(error: Exception) -> str | None:
    """The operating system's words for what went wrong, or None if it was something else.

    Args:
      error: an `OSError`, or one of TensorFlow's, whose class says nothing of it: to write beyond
        the end of a disk is "resource exhausted" or "out of range", as is much else.
    """
    if isinstance(error, OSError):
        return error.strerror
    words = _first_line(error).rpartition("; ")[2]
    return words if words in _SYSTEMS_WORDS else None


def reason(error: Exception) -> str:
    """One line that says what went wrong."""
    return system_reason(error) or _first_line(error)


def _first_line(error: Exception) -> str:
    lines = str(getattr(error, "message", None) or error).splitlines() or [type(error).__name__]
    # TensorFlow says which operation of the graph it was.
    return re.sub(r"^\{\{.*?\}\} | \[Op:\w+\].*$", "", lines[0])


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yields a path in the same folder, with the same suffix, that becomes `path` at the end.

    If the block raises, what it wrote is removed and `path` is as it was.

    Raises:
      WriteError: for an `OSError` of the block, or where the result cannot take its place.
    """
    aside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield aside
        aside.replace(path)  # atomic within one file system
    except WriteError:  # of another file, which it names
        raise
    except OSError as error:
        raise WriteError(f"could not write {path}: {reason(error)}") from error
    finally:
        with contextlib.suppress(OSError):  # which would hide the reason
            aside.unlink(missing_ok=True)


@contextlib.contextmanager
def folder_written_aside(path: Path) -> Iterator[Path]:
    """Yields a new folder beside `path`, hidden by its name, that becomes `path` at the end.

    If the block raises, what it wrote is removed.

    Raises:
      WriteError: for an `OSError` of the block, or where `path` exists by then.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        aside.mkdir(parents=True)
        yield aside
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        aside.rename(path)  # atomic within one file system
    except OSError as error:
        raise WriteError(f"could not write {path}: {reason(error)}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a heading and a line per row, whole or not at all; what a row lacks stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_json(path: Path, value: Any) -> None:
    """Writes indented JSON, whole or not at all; raises `ValueError` for NaN and infinities."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")
