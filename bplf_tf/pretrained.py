"""Trained models that come with the library."""

from __future__ import annotations

from pathlib import Path

from bplf_tf.model import BPLF, load_model

_FOLDER = Path(__file__).parent / "pretrained_models"


def load_pretrained(name: str) -> BPLF:
    """A model whose weights come with the library; nothing is downloaded.

    Args:
      name: `"drawn_faces"`: drawn faces of seven expressions, 48x48 grey. What it was trained on
        and what it reached is in `pretrained_models/drawn_faces/model_card.md` beside this file.

    Raises:
      ValueError: for an unknown name.
    """
    known = sorted(path.parent.name for path in _FOLDER.glob("*/model.keras"))
    if name not in known:
        raise ValueError(f"unknown pretrained model {name!r}; there are {', '.join(known)}")
    return load_model(_FOLDER / name)
