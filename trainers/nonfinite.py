"""Figures that are NaN or infinite end what computes them: nothing is skipped or averaged away."""

from __future__ import annotations

import numpy as np

NONFINITE = 3
"""Exit code of a program that such a figure ended."""


class NonFiniteError(ArithmeticError):
    """A figure is NaN or infinite."""


def check_finite(bits: np.ndarray) -> None:
    """Raises `NonFiniteError` unless all bits/dim `[draws, N]` are finite; says which are not."""
    wrong = np.flatnonzero(~np.isfinite(bits).all(axis=0))
    if wrong.size:
        raise NonFiniteError(
            f"bits/dim of {wrong.size} of {bits.shape[1]} images are not finite; the first of them "
            f"is number {wrong[0]}, counted from 0"
        )
