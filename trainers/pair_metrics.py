"""How near an edited face comes to the true one of a pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Two images of 8 bits that are equal may have differed by rounding: their PSNR is not infinite.
_LEAST_SQUARED_ERROR = 1 / 12


def mse(edited: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Mean squared error in grey levels squared, `[N]`, of uint8 `[N, H, W, C]`."""
    difference = edited.astype(np.float32) - true.astype(np.float32)
    return (difference**2).mean(axis=(1, 2, 3), dtype=np.float64)


def psnr(edited: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio in dB, `[N]`; 58.9 for equal images."""
    return 10 * np.log10(255**2 / np.maximum(mse(edited, true), _LEAST_SQUARED_ERROR))


def ssim(edited: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Structural similarity (Wang et al. 2004), `[N]`, by TensorFlow; images of 11 pixels or more.

    Raises:
      ValueError: for smaller images.
    """
    import tensorflow as tf

    if min(edited.shape[1:3]) < 11:
        raise ValueError(f"SSIM needs images of at least 11x11, got {list(edited.shape)}")
    return tf.image.ssim(edited, true, max_val=255).numpy().astype(np.float64)


METRICS = {"psnr": psnr, "ssim": ssim, "mse": mse}


def mean_over_people(values: np.ndarray, people: Sequence[str] | np.ndarray) -> dict[str, float]:
    """Mean of the people's means, and half of its 95 % confidence interval.

    Images of one person are no independent observations. Of one person there is no interval, and
    the half is 0.

    Args:
      values: `[N]`.
      people: `[N]`.
    """
    names, of_value = np.unique(np.asarray(people), return_inverse=True)
    means = np.bincount(of_value, values) / np.bincount(of_value)
    half = 0.0
    if len(names) > 1:
        half = 1.96 * float(means.std(ddof=1)) / len(names) ** 0.5
    return {"mean": float(means.mean()), "interval": half, "people": len(names)}
