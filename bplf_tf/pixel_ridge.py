"""Ridge regressions of all pixels at once, by their normal equations in float64."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from bplf_tf.pixel_features import PixelFeatures, unit_range

MIN_SLOPE = 0.05
"""Least slope of a pixel that has to be invertible."""

RIDGES = (0.0004, 0.0012, 0.004, 0.012, 0.04, 0.12, 0.4, 1.2, 4.0, 12.0, 40.0)
"""What cross-validation chooses from."""

_BLOCK_BYTES = 64 << 20  # of the features that are held at once


@dataclasses.dataclass(frozen=True)
class _Sums:
    """The normal equations of P pixels with F features, from K parts of the data.

    Attributes:
      design: `[K, P, F, F]`, sums of products of features.
      target: `[K, P, F]`, sums of products with the wanted pixel.
      square: `[K, P]`, sums of the wanted pixel's squares.
    """

    design: np.ndarray
    target: np.ndarray
    square: np.ndarray


def ridge_weights(
    features: PixelFeatures,
    neutral: np.ndarray,
    expressive: np.ndarray,
    ridge: float,
    shared: bool = False,
    min_slope: float | None = None,
) -> np.ndarray:
    """Weights `w = (M^T M + ridge I)^-1 M^T t` of each pixel, the constant's penalised too.

    Args:
      features: which numbers are in a row of M.
      neutral: uint8 `[N, H, W, C]`; the rows of M are of its images.
      expressive: the same shape; t has a pixel of each of its images, in [0, 1].
      ridge: positive.
      shared: whether the channels of a position have the same weights, fitted to all of them.
      min_slope: least value of the first weight, of two; where it binds, the other one is the best
        for it, which is the exact solution of the constrained regression.

    Returns:
      float64 `[F, H, W, C]`, or `[F, H, W, 1]` where the channels share them.

    Source: the released code of Masked Linear Regression (IJCV 2020); r = 1 for the pixel model.
    """
    everything = [np.arange(len(neutral))]
    solved = [
        _solve(sums.design[0], sums.target[0], ridge, min_slope)
        for sums in _blocks(features, neutral, expressive, everything, shared)
    ]
    _, height, width, channels = neutral.shape
    weights = np.concatenate(solved)
    return weights.reshape(height, width, 1 if shared else channels, -1).transpose(3, 0, 1, 2)


def cross_validated_ridge(
    features: PixelFeatures,
    neutral: np.ndarray,
    expressive: np.ndarray,
    folds: Sequence[np.ndarray],
    shared: bool = False,
    min_slope: float | None = None,
    ridges: Sequence[float] = RIDGES,
) -> tuple[float, dict[float, float]]:
    """The ridge with the least error on pairs that were left out, and the errors of all.

    Args:
      features: as for `ridge_weights`, and so the arguments not named here.
      neutral: uint8 `[N, H, W, C]`.
      expressive: the same shape.
      folds: indices of the pairs left out together, each pair in one of them.
      shared: see there.
      min_slope: see there.
      ridges: to choose from.

    Returns:
      one of `ridges`, and the mean squared error of each, of pixels in [0, 1].
    """
    errors = dict.fromkeys(ridges, 0.0)
    for sums in _blocks(features, neutral, expressive, folds, shared):
        # Sums over the pairs kept are those over all less those over the pairs left out; and the
        # error on the latter is a quadratic form in the weights: no image is looked at again.
        kept_design = sums.design.sum(axis=0) - sums.design
        kept_target = sums.target.sum(axis=0) - sums.target
        for ridge in ridges:
            weights = _solve(kept_design, kept_target, ridge, min_slope)
            explained = (sums.design @ weights[..., np.newaxis])[..., 0] - 2 * sums.target
            errors[ridge] += float((sums.square + (weights * explained).sum(axis=-1)).sum())
    means = {ridge: error / neutral.size for ridge, error in errors.items()}
    return min(means, key=lambda ridge: means[ridge]), means


def make_folds(groups: Sequence[object] | np.ndarray, count: int, seed: int) -> list[np.ndarray]:
    """Splits pairs into folds so that no group is in two of them.

    Args:
      groups: who is to be seen in each pair.
      count: number of folds, at least 2.
      seed: of the order in which groups are dealt.

    Raises:
      ValueError: if there are fewer groups than folds.
    """
    names, of_pair = np.unique(np.asarray(groups), return_inverse=True)
    if count < 2 or len(names) < count:
        raise ValueError(
            f"cross-validation needs at least 2 folds and a person for each; got {count} folds "
            f"and {len(names)} people"
        )
    fold_of_group = np.empty(len(names), int)
    fold_of_group[np.random.default_rng(seed).permutation(len(names))] = (
        np.arange(len(names)) % count
    )
    return [np.flatnonzero(fold_of_group[of_pair] == fold) for fold in range(count)]


def matched_moments(
    neutral: np.ndarray,
    expressive: np.ndarray,
    shared: bool = False,
    min_slope: float = MIN_SLOPE,
) -> np.ndarray:
    """Slope and shift of each pixel that give neutral faces the mean and spread of others.

    `a = sd_e / sd_n`, `b = mean_e - a mean_n`: the likeliest increasing affine map between two
    Gaussians. To both variances that of rounding to 8 bits is added, so that pixels which never
    change get a slope of 1.

    Args:
      neutral: uint8 `[N, H, W, C]`.
      expressive: uint8 `[M, H, W, C]`, of other people.
      shared: whether the channels of a position have the same slope and shift.
      min_slope: least slope.

    Returns:
      float64 `[2, H, W, C]`, or `[2, H, W, 1]` where the channels share them.
    """
    rounding = 1 / 12 / 255**2
    mean_n, variance_n = _moments(neutral, shared)
    mean_e, variance_e = _moments(expressive, shared)
    slope = np.maximum(np.sqrt((variance_e + rounding) / (variance_n + rounding)), min_slope)
    return np.stack([slope, mean_e - slope * mean_n])


def _moments(images: np.ndarray, shared: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance over the images, of pixels in [0, 1]; exact sums of whole numbers."""
    total = np.zeros(images.shape[1:], np.int64)
    squares = np.zeros(images.shape[1:], np.int64)
    for start in range(0, len(images), 64):
        part = images[start : start + 64].astype(np.int64)
        total += part.sum(axis=0)
        squares += (part * part).sum(axis=0)
    count = len(images)
    if shared:
        count *= images.shape[-1]
        total, squares = (x.sum(axis=-1, keepdims=True) for x in (total, squares))
    return total / count / 255, (count * squares - total * total) / count**2 / 255**2


def _blocks(
    features: PixelFeatures,
    neutral: np.ndarray,
    expressive: np.ndarray,
    folds: Sequence[np.ndarray],
    shared: bool,
) -> Iterator[_Sums]:
    """The normal equations of some rows of pixels at a time, in the order of the pixels."""
    count, height, width, channels = neutral.shape
    of_a_row = 8 * count * width * channels * (features.count + 1)
    # The products too: of wide windows they are more than the features.
    of_a_row += 8 * len(folds) * width * channels * features.count**2
    step = max(1, _BLOCK_BYTES // of_a_row)
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        wanted = unit_range(expressive[:, rows], np.float64)
        # [rows, W, C, F, N], or with the channels among the observations.
        stacked = np.stack(
            [np.broadcast_to(one, wanted.shape) for one in features.each(neutral, rows)]
        ).transpose(2, 3, 4, 0, 1)
        pixels = wanted.transpose(1, 2, 3, 0)
        parts = [_products(stacked[..., fold], pixels[..., fold], shared) for fold in folds]
        yield _Sums(*(np.stack(one) for one in zip(*parts, strict=True)))


def _products(
    features: np.ndarray, wanted: np.ndarray, shared: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal equations of `features [h, W, C, F, n]` and `wanted [h, W, C, n]`, pixel by pixel."""
    design = features @ features.swapaxes(-1, -2)
    target = (features @ wanted[..., np.newaxis])[..., 0]
    square = (wanted * wanted).sum(axis=-1)
    if shared:
        design, target, square = (x.sum(axis=2) for x in (design, target, square))
    size = features.shape[3]
    return design.reshape(-1, size, size), target.reshape(-1, size), square.ravel()


def _solve(
    design: np.ndarray, target: np.ndarray, ridge: float, min_slope: float | None
) -> np.ndarray:
    """Weights `[..., F]` of `design [..., F, F]` and `target [..., F]`."""
    penalised = design + ridge * np.eye(design.shape[-1])
    weights: np.ndarray = np.linalg.solve(penalised, target[..., np.newaxis])[..., 0]
    if min_slope is None:
        return weights
    slope = np.maximum(weights[..., 0], min_slope)
    shift = (target[..., 1] - slope * design[..., 0, 1]) / penalised[..., 1, 1]
    return np.stack([slope, shift], axis=-1)
