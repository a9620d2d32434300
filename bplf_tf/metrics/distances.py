"""How far the distribution of generated features is from that of real ones: KID and FID."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics.pairwise import polynomial_kernel

from bplf_tf.metrics.features import check_features

_ROWS = 1024  # of a kernel's matrix at a time


def kernel_distance(real: Any, generated: Any) -> float:
    """KID: the unbiased squared maximum mean discrepancy with `k(x, y) = (x.y / F + 1)^3`.

    It is 0 in the mean over sets of one distribution, so it may be negative; unlike FID it has no
    bias at small numbers. All pairs count: the mean over random subsets of 1,000, which is common,
    estimates the same with more noise.

    Args:
      real: `[N, F]`, N of 2 or more.
      generated: `[M, F]`.

    Raises:
      ValueError: for features that are not of this form.

    Source: Bińkowski et al. 2018, arXiv 1801.01401; estimator of Gretton et al. 2012, lemma 6.
    """
    x, y = check_features(real, generated)
    n, m = len(x), len(y)
    within_real = (_kernel_sum(x, x) - _kernel_of_itself(x)) / (n * (n - 1))
    within_generated = (_kernel_sum(y, y) - _kernel_of_itself(y)) / (m * (m - 1))
    return within_real + within_generated - 2 * _kernel_sum(x, y) / (n * m)


def frechet_distance(real: Any, generated: Any) -> float:
    """FID: the squared 2-Wasserstein distance of Gaussians with the features' moments.

    `|mu_r - mu_g|^2 + tr(S_r + S_g - 2 (S_r S_g)^(1/2))`. Too large at small numbers, the more so
    the more features there are: compare sets of equal numbers alone.

    Args:
      real: `[N, F]`, N of 2 or more.
      generated: `[M, F]`.

    Raises:
      ValueError: for features that are not of this form.

    Source: Heusel et al. 2017, arXiv 1706.08500, equation 6.
    """
    x, y = check_features(real, generated)
    covariances = [np.atleast_2d(np.cov(part, rowvar=False)) for part in (x, y)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # S_r S_g and the symmetric S_r^(1/2) S_g S_r^(1/2) have the same eigenvalues.
    products = np.linalg.eigvalsh(root @ covariances[1] @ root)
    traces = sum(float(np.trace(covariance)) for covariance in covariances)
    difference = x.mean(axis=0) - y.mean(axis=0)
    between = 2 * float(np.sqrt(np.maximum(products, 0)).sum())
    return float(difference @ difference) + traces - between


def _kernel_sum(x: np.ndarray, y: np.ndarray) -> float:
    parts = [x[start : start + _ROWS] for start in range(0, len(x), _ROWS)]
    return float(sum(polynomial_kernel(part, y, degree=3, coef0=1).sum() for part in parts))


def _kernel_of_itself(x: np.ndarray) -> float:
    return float((((x * x).sum(axis=1) / x.shape[1] + 1) ** 3).sum())
