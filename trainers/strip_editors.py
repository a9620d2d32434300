"""Editors that are measured: faces at several strengths, by models and by two that know nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bplf_tf import BPLF, PixelSynthesis

StripEditor = Callable[[np.ndarray, str, Sequence[float]], np.ndarray]
"""Neutral faces, uint8 `[N, H, W, C]`, a label, and S strengths, to uint8 `[N, S, H, W, C]`."""

RETURN, PASTE = "return the input", "paste the mean"


def null_editors(examples: Mapping[str, np.ndarray]) -> dict[str, StripEditor]:
    """Two editors that bound what an editor is worth, by their names.

    One returns its input, and so keeps everything and changes nothing; the other fades the mean
    face of the expression in, and so shows the expression and loses who it was.

    Args:
      examples: faces of each label, uint8 `[M, H, W, C]`.
    """
    means = {name: faces.mean(axis=0, dtype=np.float64) for name, faces in examples.items()}

    def paste(images: np.ndarray, label: str, strengths: Sequence[float]) -> np.ndarray:
        faded = [(1 - t) * images + t * means[label] for t in strengths]
        return np.clip(np.rint(np.stack(faded, axis=1)), 0, 255).astype(np.uint8)

    def give_back(images: np.ndarray, label: str, strengths: Sequence[float]) -> np.ndarray:
        del label
        return np.repeat(images[:, np.newaxis], len(strengths), axis=1)

    return {RETURN: give_back, PASTE: paste}


def pixel_editor(model: PixelSynthesis) -> StripEditor:
    """A pixel model's editor."""
    return lambda images, label, strengths: np.stack(
        [model.transform(images, label, t) for t in strengths], axis=1
    )


def flow_editor(model: BPLF) -> StripEditor:
    """A flow's editor of neutral faces."""
    from bplf_tf.editing import sweep

    return lambda images, label, strengths: sweep(model, images, label, strengths, "neutral")
