"""How much of a picture is fine detail: the share of its energy at high spatial frequencies."""

from __future__ import annotations

from typing import Any

import numpy as np

CUT_OFF = 0.25
"""Cycles per pixel: half of what pixels can show along a row; waves shorter than four pixels."""

# A grey level's difference in a corner, where the window is lowest, is more.
_NO_ENERGY = 1e-13


def high_frequency_share(images: np.ndarray, cut_off: float = CUT_OFF) -> np.ndarray:
    """Share of each image's energy above a radial frequency, `[N]`, in [0, 1].

    The mean is removed, so that brightness does not count, and what counts is a share, so that
    contrast does not. A Hann window fades the borders out: the discrete Fourier transform takes a
    picture for a tile of a floor, and the edge between its left and its right side, which is no
    detail, for high frequencies. White noise has the share of the frequencies themselves.

    Args:
      images: uint8 `[N, H, W, C]`; colour is averaged.
      cut_off: in cycles per pixel, in (0, 0.5).

    Raises:
      ValueError: if the cut-off is another, or an image has one value everywhere.
    """
    if not 0 < cut_off < 0.5:
        raise ValueError(f"cut_off must lie in (0, 0.5) cycles per pixel, got {cut_off}")
    energy = _energy(images)
    total = energy.sum(axis=(1, 2))
    if not (total > _NO_ENERGY).all():
        raise ValueError("an image with one value everywhere has no energy to share out")
    height, width = energy.shape[1:]
    frequency = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.fftfreq(width))
    return energy[:, frequency > cut_off].sum(axis=1) / total


def smoothness(images: np.ndarray) -> dict[str, Any]:
    """The `shares` of those images that have energy, and how many are `flat` and have none."""
    varied = _energy(images).sum(axis=(1, 2)) > _NO_ENERGY
    shares = high_frequency_share(images[varied]).tolist() if varied.any() else []
    return {"shares": shares, "flat": int(np.sum(~varied))}


def _energy(images: np.ndarray) -> np.ndarray:
    """Of each wave in each image, `[N, H, W]`."""
    grey = images.astype(np.float64).mean(axis=-1)
    window = np.outer(*map(_hann, grey.shape[1:]))
    # The mean under the window: what is left of it would count as the lowest frequencies.
    mean = (window * grey).sum(axis=(1, 2), keepdims=True) / window.sum()
    return np.abs(np.fft.fft2(window * (grey - mean))) ** 2


def _hann(count: int) -> np.ndarray:
    # Without the zeros at its ends, which would leave the outermost pixels out altogether.
    return np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2
