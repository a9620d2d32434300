"""Drawn faces in other styles: what a model of the usual ones has never seen."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter, ImageOps

PHOTOGRAPH, PENCIL, PAINTING = "photograph", "pencil", "painting"
STYLES = (PHOTOGRAPH, PENCIL, PAINTING)


def in_style(image: np.ndarray, style: str) -> np.ndarray:
    """A face in another style; a function of its pixels alone.

    Args:
      image: uint8 `[H, W, C]`, C 1 or 3.
      style: `"photograph"`, as it is; `"pencil"`, its lines on white paper, by dividing it by its
        own blur; or `"painting"`, patches of few tones.

    Returns:
      uint8 `[H, W, C]`.

    Raises:
      ValueError: the style is none of those.
    """
    if style not in STYLES:
        raise ValueError(f"style must be one of {', '.join(STYLES)}; got {style!r}")
    if style == PHOTOGRAPH:
        return image
    planes = [Image.fromarray(plane) for plane in np.moveaxis(image, -1, 0)]
    convert = _pencil if style == PENCIL else _painting
    return np.stack([convert(plane) for plane in planes], axis=-1)


def _pencil(plane: Image.Image) -> np.ndarray:
    blurred = np.asarray(plane.filter(ImageFilter.GaussianBlur(plane.width / 16)), np.float32)
    drawn = 255.0 * np.asarray(plane, np.float32) / np.maximum(blurred, 1.0)
    return np.clip(np.rint(drawn), 0, 255).astype(np.uint8)


def _painting(plane: Image.Image) -> np.ndarray:
    side = 2 * max(1, plane.width // 64) + 1  # of the brush; odd
    patches = ImageOps.autocontrast(plane.filter(ImageFilter.MedianFilter(side)))
    tones = np.rint(np.asarray(patches, np.float32) / 51.0)  # six of them
    return np.asarray(51 * tones, np.uint8)
