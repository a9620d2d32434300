"""How near an edited face comes to another one: to the true one of a pair, or to the input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from bplf_tf.metrics.confidence import estimate, share_interval
from bplf_tf.regions import blend_region, region_mask

# Two images of 8 bits that are equal may have differed by rounding: their PSNR is not infinite.
_LEAST_SQUARED_ERROR = 1 / 12
# Of Wang et al.: a Gaussian with a standard deviation of 1.5 pixels, cut off at 11x11.
_SIGMA, _SSIM_SIDE = 1.5, 11


def mse(edited: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Mean squared error in grey levels squared, float64 `[N]`, of uint8 `[N, H, W, C]`.

    Raises:
      ValueError: for images of different shapes.
    """
    _check_shapes(edited, true)
    difference = edited.astype(np.float32) - true.astype(np.float32)
    return (difference**2).mean(axis=(1, 2, 3), dtype=np.float64)


def psnr(edited: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio in dB, float64 `[N]`, of uint8 `[N, H, W, C]`; 58.9 if equal.

    Raises:
      ValueError: for images of different shapes.
    """
    return 10 * np.log10(255**2 / np.maximum(mse(edited, true), _LEAST_SQUARED_ERROR))


def ssim(edited: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Structural similarity (Wang et al. 2004), `[N]`, by scikit-image; 11 pixels or more a side.

    Raises:
      ValueError: for smaller images.
    """
    return ssim_maps(edited, true).mean(axis=(1, 2))


def ssim_outside(
    edited: np.ndarray, images: np.ndarray, regions: Sequence[str] = ("eyes", "mouth")
) -> np.ndarray:
    """The same, `[N]`, over what an expression need not change: all but some parts of a face.

    Args:
      edited: uint8 `[N, H, W, C]`.
      images: what they were edited from.
      regions: parts to leave out; see `bplf_tf.regions`.

    Raises:
      ValueError: for images under 11 pixels, or an unknown region.
    """
    height, width = images.shape[1:3]
    inside = np.max([region_mask(region, height, width)[..., 0] for region in regions], axis=0)
    # A window beside a part looks into it, and is to find nothing changed there.
    outside = blend_region(edited, images, inside)
    edge = _SSIM_SIDE // 2
    weights = 1 - inside[edge : height - edge, edge : width - edge].astype(np.float64)
    return (ssim_maps(outside, images) * weights).sum(axis=(1, 2)) / weights.sum()


def ssim_maps(edited: np.ndarray, true: np.ndarray) -> np.ndarray:
    """SSIM of every place whose window lies within the image, float64 `[N, H - 10, W - 10]`.

    Raises:
      ValueError: for images under 11 pixels, or of different shapes.
    """
    _check_shapes(edited, true)
    if min(edited.shape[1:3]) < _SSIM_SIDE:
        raise ValueError(f"SSIM needs images of at least 11x11, got {list(edited.shape)}")
    edge = _SSIM_SIDE // 2
    maps = [
        structural_similarity(
            one,
            other,
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=_SIGMA,
            use_sample_covariance=False,
            full=True,
        )[1]
        for one, other in zip(edited, true, strict=True)
    ]
    return np.stack(maps)[:, edge:-edge, edge:-edge].mean(axis=-1, dtype=np.float64)


def _check_shapes(edited: np.ndarray, true: np.ndarray) -> None:
    if edited.shape != true.shape or edited.ndim != 4:
        raise ValueError(
            f"images must have one shape [N, H, W, C], got {list(edited.shape)} and "
            f"{list(true.shape)}"
        )


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "psnr": psnr,
    "ssim": ssim,
    "mse": mse,
}


def mean_over_people(
    values: np.ndarray, people: Sequence[str] | np.ndarray, share: bool = False
) -> dict[str, Any]:
    """Mean of the people's means and its 95 % confidence interval.

    Images of one person are no independent observations.

    Args:
      values: `[N]`.
      people: `[N]`.
      share: whether the mean is a share, in [0, 1].

    Returns:
      `mean`, `people`, and `half_width` of the interval by Student's t, None for one person and for
      equal means; of a share instead the ends of the `interval`, by Wilson's score, which a share
      of 1 has too.
    """
    _, of_value = np.unique(np.asarray(people), return_inverse=True)
    of_people = np.bincount(of_value, values) / np.bincount(of_value)
    found = estimate(of_people)
    if not share:
        return {"mean": found.mean, "half_width": found.half_width, "people": found.count}
    if found.half_width is None:  # all people agree, and count once each
        interval = share_interval(found.mean, found.count)
    else:
        variance = float(of_people.var(ddof=1) / found.count)
        interval = share_interval(found.mean, len(values), variance, found.count - 1)
    return {"mean": found.mean, "interval": list(interval), "people": found.count}
