"""Arrays and what is to be known of them in one `.npz`, without pickle."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def write_arrays(
    path: Path, file_format: str, about: dict[str, Any], arrays: Sequence[np.ndarray]
) -> None:
    """Writes a file, whole or not at all.

    Args:
      path: ending in .npz.
      file_format: what `read_arrays` will ask for.
      about: anything that JSON can hold.
      arrays: of numbers.

    Raises:
      ValueError: if the name ends otherwise.
      OSError: if the file cannot be written; what stood in its place is as it was.
    """
    if path.suffix != ".npz":
        raise ValueError(f"the file of a pixel model must end in .npz, got {path.name!r}")
    text = np.array(json.dumps({"format": file_format, **about}))
    named: dict[str, Any] = {f"array_{i}": array for i, array in enumerate(arrays)}
    aside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        np.savez(aside, about=text, **named)
        aside.replace(path)
    finally:
        with contextlib.suppress(OSError):  # which would hide the reason
            aside.unlink(missing_ok=True)


def read_arrays(path: Path, file_format: str) -> tuple[dict[str, Any], list[np.ndarray]]:
    """What `write_arrays` wrote; nothing in the file is run.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it holds something else, or is damaged.
    """
    if not path.exists():
        raise FileNotFoundError(f"no pixel model at {path}")
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if about["format"] != file_format:
                raise ValueError(f"its format is {about['format']!r}, not {file_format!r}")
            return about, [file[f"array_{i}"] for i in range(len(file.files) - 1)]
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a pixel model: {error}") from error
