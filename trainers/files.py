"""Files appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yields a path in the same folder, with the same suffix, that becomes `path` at the end.

    If the block raises, what it wrote is removed and `path` is as it was.
    """
    aside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield aside
        aside.replace(path)  # atomic within one file system
    finally:
        aside.unlink(missing_ok=True)


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
