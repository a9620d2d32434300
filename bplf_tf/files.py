"""Where a saved model lies. Needs no TensorFlow, so that a mistyped path is told at once."""

from __future__ import annotations

import os
from pathlib import Path


def is_pixel_model(path: str | os.PathLike[str]) -> bool:
    """Whether a path is that of a pixel model, an `.npz`, and not of a flow."""
    return Path(path).suffix == ".npz"


def model_path(path: str | os.PathLike[str]) -> Path:
    """The model file that `path` means: itself, or the `model.keras` of a folder.

    Raises:
      FileNotFoundError: if there is none.
    """
    path = Path(path)
    file = path / "model.keras" if path.is_dir() else path
    if (path / "saved_model.pb").exists():
        raise FileNotFoundError(
            f"no model at {file}: {path} holds a SavedModel, which is for tf.saved_model.load and "
            "servers; name the .keras file that it was exported from"
        )
    if not file.exists():
        raise FileNotFoundError(f"no model at {file}: there is no such file")
    return file
