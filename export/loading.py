"""The model that a command exports: a flow or a pixel model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bplf_tf.files import is_pixel_model, model_path

if TYPE_CHECKING:
    from bplf_tf import BPLF, PixelSynthesis


def load_any(path: str) -> tuple[Path, BPLF | PixelSynthesis]:
    """The file that a path means, and the model in it.

    Args:
      path: a run directory or `model.keras` of a flow, or the `.npz` of a pixel model.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it holds something else.
    """
    from bplf_tf import PixelSynthesis, load_model

    file = model_path(path)
    return file, PixelSynthesis.load(file) if is_pixel_model(file) else load_model(file)
