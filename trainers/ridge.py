"""The flag --ridge: lambda of a pixel model, or how it is chosen."""

from __future__ import annotations

import math

HELP = "Lambda of the pixel model, or cross_validation to choose it for each expression."


def ridge_of(text: str) -> float | str:
    """What `PixelSynthesis` takes as its ridge; raises `ValueError` naming the flag."""
    from bplf_tf.pixel_synthesis import CROSS_VALIDATION

    if text == CROSS_VALIDATION:
        return text
    try:
        ridge = float(text)
    except ValueError:
        ridge = math.nan
    if not (math.isfinite(ridge) and ridge > 0):
        raise ValueError(f"--ridge must be a positive number or {CROSS_VALIDATION}, got {text}")
    return ridge
