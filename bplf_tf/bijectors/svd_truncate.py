"""Singular values of images: the paper's truncation, and a true bijector in its place."""

import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability.python.internal import distribution_util
from tensorflow_probability.python.internal import prefer_static as ps

from bplf_tf.bijectors.base import FlowBijector

NO_DENSITY = (
    "SVDTruncate(rank=...) has no log-det: a projection maps many images to one, so a density on "
    "the full space does not exist. Use SVDTruncate(threshold=..., slope=...), a true bijector, or "
    "truncate the data before dequantisation with truncate_images"
)


class SVDTruncate(FlowBijector):
    """Acts on the singular values of every channel `X = U S V^T` of images `[..., H, W, C]`.

    `SVDTruncate(threshold=t, slope=e)`, a true bijector: with `f(s) = e * s` up to t and
    `s - (1 - e) * t` above, small singular values shrink and large ones stay.

    Forward: `X = U f^-1(S) V^T`, latent to image.
    Forward log-det: minus the inverse log-det at X.
    Inverse: `Y = U f(S) V^T`, image to latent.
    Inverse log-det: `sum_i log f'(s_i) + sum_{i<j} log[(f_i^2 - f_j^2) / (s_i^2 - s_j^2)]
      + |H - W| * sum_i log(f_i / s_i)`, summed over channels.

    `SVDTruncate(rank=k)`, the paper's truncation, is a projection and no bijector:

    Forward: the identity.
    Forward log-det: raises `ValueError`; there is no density on the full space.
    Inverse: the best approximation of rank k, `U_k S_k V_k^T`.
    Inverse log-det: raises `ValueError`.

    Gradients. Of the bijector, value and log-det are differentiable wherever no singular value
    equals the kink (t on the image side, e * t on the latent side), at equal and at zero singular
    values too, with respect to the input and the threshold; a closed form is used, since
    differentiating the singular vectors fails where values meet. At the kink itself a one-sided
    derivative is returned. Second derivatives are not supported. The gradient of the projection
    goes through an eigendecomposition and means nothing where the k-th and the next singular
    value meet.

    Speed: 64 images of 48x48 take some 20 ms on two CPU cores, and 40 times as long under XLA,
    whose decompositions are slow on CPUs: keep this bijector out of `jit_compile=True` there.

    Equal inputs are served from TFP's cache, as with every bijector; the projection on its own is
    not cached, but a `tfb.Chain` around it is.

    Source: the BPLF paper, section 3 (truncation); Lewis and Sendov 2005, "Nonsmooth analysis of
    singular values" (derivative of a spectral function).
    """

    def __init__(
        self,
        rank: int | None = None,
        threshold: Any = None,
        slope: float | None = None,
        name: str = "svd_truncate",
    ) -> None:
        """Creates the projection (`rank`) or the bijector (`threshold` and `slope`).

        Args:
          rank: singular values kept per channel, at least 1.
          threshold: t, in the unit of the images: a number, at least 0, or a scalar tensor or
            variable, of which values below 0 act as 0. `SVDTruncate.fit` finds one.
          slope: e, a number strictly between 0 and 1.
          name: name of the bijector.

        Raises:
          ValueError: if neither mode or both are asked for, or a value is out of its range.
        """
        parameters = dict(locals())
        if (rank is None) == (threshold is None) or (threshold is None) != (slope is None):
            raise ValueError(
                "SVDTruncate takes either rank=k (a projection) or both threshold=t and slope=e "
                f"(a bijector), got rank={rank}, threshold={threshold}, slope={slope}"
            )
        self._rank = None if rank is None else _checked_rank(rank)
        self._threshold = None if threshold is None else _checked_threshold(threshold)
        self._slope = None if slope is None else _checked_slope(slope)
        super().__init__(parameters=parameters, name=name)

    @classmethod
    def _parameter_properties(cls, dtype: Any) -> dict[str, Any]:
        del dtype
        return {}

    @property
    def rank(self) -> int | None:
        """Singular values kept, of the projection."""
        return self._rank

    @property
    def threshold(self) -> Any:
        """Where the small singular values end, of the bijector."""
        return self._threshold

    @property
    def slope(self) -> float | None:
        """Factor of the singular values below the threshold, of the bijector."""
        return self._slope

    @staticmethod
    def fit(images: Any, rank: int) -> float:
        """Threshold that parts the first `rank` singular values of typical images from the rest.

        Args:
          images: `[..., H, W, C]`, floating point, in the scale that the bijector will see
            (`[-0.5, 0.5)` inside the flow): an array or an eager tensor.
          rank: k, 1 to min(H, W).

        Returns:
          The median k-th largest singular value over all images and channels.

        Raises:
          ValueError: if the images are not floating point, not finite or none at all, or the rank
            does not fit them.
        """
        images = np.asarray(images)
        if not np.issubdtype(images.dtype, np.floating):
            raise ValueError(
                f"fit needs floating-point images in the scale of the flow, got {images.dtype}"
            )
        if images.ndim < 3 or images.size == 0:
            raise ValueError(f"fit needs images of shape [..., H, W, C], got {images.shape}")
        rank = _checked_rank(rank, images.shape)
        matrices = np.moveaxis(images, -1, -3).reshape(-1, *images.shape[-3:-1])
        kth = []
        for chunk in np.array_split(matrices, math.ceil(len(matrices) / 1024)):
            if not np.isfinite(chunk).all():
                raise ValueError("fit needs finite images, got NaN or infinite pixels")
            values = np.linalg.svd(chunk.astype(np.float64), compute_uv=False)
            kth.append(values[:, rank - 1])
        return float(np.median(np.concatenate(kth)))

    @property
    def _cache(self) -> Any:
        # A cache would return x for inverse(forward(x)), where the projection of x is due.
        return super()._cache if self._rank is None else _NoCache(self)

    def _inverse(self, y: tf.Tensor) -> tf.Tensor:
        if self._rank is None:
            return super()._inverse(y)
        _checked_rank(self._rank, y.shape)
        return _from_matrices(_best_approximation(_to_matrices(y), self._rank))

    def _forward(self, x: tf.Tensor) -> tf.Tensor:
        return super()._forward(x) if self._rank is None else tf.identity(x)

    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        threshold, slope = self._bend_on_images(x.dtype)
        # f^-1 has the shape of f: slope 1 / e up to e * t, slope 1 above.
        return _bend_singular_values(x, threshold * slope, 1.0 / slope)

    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        threshold, slope = self._bend_on_images(y.dtype)
        return _bend_singular_values(y, threshold, slope)

    def _bend_on_images(self, dtype: tf.DType) -> tuple[tf.Tensor, float]:
        if self._threshold is None or self._slope is None:
            raise ValueError(NO_DENSITY)
        if not dtype.is_floating:
            raise ValueError(f"SVDTruncate needs floating-point images, got {dtype.name}")
        return tf.maximum(tf.cast(self._threshold, dtype), 0.0), self._slope

    def _forward_log_det_jacobian(self, x: tf.Tensor) -> tf.Tensor:
        if self._rank is not None:
            raise ValueError(NO_DENSITY)
        return super()._forward_log_det_jacobian(x)

    def _inverse_log_det_jacobian(self, y: tf.Tensor) -> tf.Tensor:
        if self._rank is not None:
            raise ValueError(NO_DENSITY)
        return super()._inverse_log_det_jacobian(y)


class _NoCache:
    """Stands in for TFP's cache and keeps nothing."""

    def __init__(self, bijector: SVDTruncate) -> None:
        self.forward = bijector._forward
        self.inverse = bijector._inverse

    def forward_attributes(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        del x
        return {}

    inverse_attributes = forward_attributes


def truncate_images(images: Any, rank: Any) -> tf.Tensor:
    """The best approximation of rank k per channel, clipped and rounded to uint8.

    Computed in float64, where rounding agrees with an SVD in float64; the eigendecomposition of
    the smaller Gram matrix takes a quarter of the time of an SVD.

    Args:
      images: uint8 `[..., H, W, C]`.
      rank: k, singular values kept: an integer of 1 to min(H, W), or a scalar integer tensor, so
        that one traced function serves a rank that changes.

    Returns:
      uint8 `[..., H, W, C]`.

    Raises:
      ValueError: if the images are not uint8 or the rank does not fit them.
    """
    images = tf.convert_to_tensor(images)
    if images.dtype != tf.uint8:
        raise ValueError(f"truncate_images needs uint8 images, got {images.dtype.name}")
    if not tf.is_tensor(rank):
        rank = _checked_rank(rank, images.shape)
    matrices = _to_matrices(tf.cast(images, tf.float64))
    truncated = _from_matrices(_best_approximation(matrices, rank))
    return tf.cast(tf.round(tf.clip_by_value(truncated, 0.0, 255.0)), tf.uint8)


def _to_matrices(images: tf.Tensor) -> tf.Tensor:
    """`[..., H, W, C] -> [..., C, H, W]`."""
    return distribution_util.move_dimension(images, -1, -3)


def _from_matrices(matrices: tf.Tensor) -> tf.Tensor:
    """`[..., C, H, W] -> [..., H, W, C]`."""
    return distribution_util.move_dimension(matrices, -3, -1)


def _best_approximation(matrices: tf.Tensor, rank: Any) -> tf.Tensor:
    """The nearest matrices of rank k (Eckart-Young): a projection on the leading eigenvectors.

    The Gram matrix squares the condition number, so it is taken in float64.
    """
    x = tf.cast(matrices, tf.float64)
    shape = ps.shape(matrices)
    wide = tf.get_static_value(shape[-2] < shape[-1])  # None: unknown, either Gram matrix serves
    _, vectors = tf.linalg.eigh(tf.matmul(x, x, transpose_a=not wide, transpose_b=bool(wide)))
    dropped = tf.shape(vectors)[-1] - tf.cast(rank, tf.int32)  # eigenvalues ascend
    leading = tf.cast(tf.range(tf.shape(vectors)[-1]) >= dropped, x.dtype)
    projection = tf.matmul(vectors * leading, vectors, transpose_b=True)
    truncated = tf.matmul(projection, x) if wide else tf.matmul(x, projection)
    return tf.cast(truncated, matrices.dtype)


class _Bend(NamedTuple):
    """`g(s) = slope * s` up to the knee, then slope 1, at singular values s `[..., n]`."""

    values: tf.Tensor  # g_i, [..., n]
    differences: tf.Tensor  # (g_i - g_j) / (s_i - s_j), [..., n, n]; g'(s_i) where s_i = s_j
    ratios: tf.Tensor  # (g_i + g_j) / (s_i + s_j), [..., n, n]; g'(0) where both are 0
    knee_derivative: tf.Tensor  # of g_i, [..., n]


def _bend(s: tf.Tensor, knee: tf.Tensor, slope: float) -> _Bend:
    # g(s) = (s - low) + slope * low with low = min(s, knee). So both quotients of g are a mean of
    # 1 and slope, weighted by the quotient of low: they stay between 1 and slope, whatever s is.
    low = tf.minimum(s, knee)
    below = tf.cast(s < knee, s.dtype)

    def pairwise(combine: Callable[[Any, Any], tf.Tensor]) -> tf.Tensor:
        whole = combine(s[..., tf.newaxis], s[..., tf.newaxis, :])
        part = combine(low[..., tf.newaxis], low[..., tf.newaxis, :])
        vanishes = tf.equal(whole, 0.0)  # then both values are equal, or both are 0
        quotient = part / tf.where(vanishes, tf.ones_like(whole), whole)
        weight = tf.where(vanishes, below[..., tf.newaxis], quotient)
        return (1.0 - weight) + slope * weight

    return _Bend(
        values=(s - low) + slope * low,
        differences=pairwise(operator.sub),
        ratios=pairwise(operator.add),
        knee_derivative=(slope - 1.0) * (1.0 - below),
    )


def _bend_singular_values(
    images: tf.Tensor, knee: tf.Tensor, slope: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Value `[..., H, W, C]` and log-det `[...]` of g on the singular values of every channel."""
    matrices = _to_matrices(images)
    mapped, values = _map_singular_values(matrices, knee, slope)
    log_det = _log_det(_bend(values, knee, slope), ps.shape(matrices))
    return _from_matrices(mapped), tf.reduce_sum(log_det, axis=-1)


def _map_singular_values(
    matrices: tf.Tensor, knee: tf.Tensor, slope: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """`U S V^T [..., m, n] -> (U g(S) V^T, S [..., min(m, n)])` with a closed-form gradient."""

    @tf.custom_gradient
    def mapped(x: tf.Tensor, knee: tf.Tensor) -> Any:
        _, u, v = tf.linalg.svd(x)
        # XLA's decomposition is exact to 1e-10 only. These values and the first-order map of what
        # the decomposition misses leave an error of second order.
        s = tf.nn.relu(tf.reduce_sum(u * tf.matmul(x, v), axis=-2))
        bend = _bend(s, knee, slope)

        def derivative(e: tf.Tensor) -> tf.Tensor:
            return _spectral_derivative(e, u, v, bend)

        y = _compose(u, bend.values, v) + derivative(x - _compose(u, s, v))

        def gradient(y_gradient: tf.Tensor, s_gradient: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            along = tf.reduce_sum(u * tf.matmul(y_gradient, v), axis=-2)
            knee_gradient = tf.reduce_sum(along * bend.knee_derivative)
            # The derivative is its own adjoint.
            return derivative(y_gradient) + _compose(u, s_gradient, v), knee_gradient

        return (y, s), gradient

    return mapped(matrices, knee)


def _compose(u: tf.Tensor, s: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    return tf.matmul(u * s[..., tf.newaxis, :], v, transpose_b=True)


def _spectral_derivative(e: tf.Tensor, u: tf.Tensor, v: tf.Tensor, bend: _Bend) -> tf.Tensor:
    """Directional derivative of `U S V^T -> U g(S) V^T` along e `[..., m, n]`.

    In the bases U and V the symmetric part is scaled by the divided differences and the
    antisymmetric part by the ratios; what lies outside the span of U or V by g_i / s_i.
    """
    ue = tf.matmul(u, e, transpose_a=True)
    inside = tf.matmul(ue, v)
    transposed = tf.linalg.matrix_transpose(inside)
    core = 0.5 * (bend.differences * (inside + transposed) + bend.ratios * (inside - transposed))
    outer = tf.linalg.diag_part(bend.ratios)
    right = outer[..., tf.newaxis] * (ue - tf.matmul(inside, v, transpose_b=True))
    left = (tf.matmul(e, v) - tf.matmul(u, inside)) * outer[..., tf.newaxis, :]
    return tf.matmul(u, tf.matmul(core, v, transpose_b=True) + right) + tf.matmul(
        left, v, transpose_b=True
    )


def _log_det(bend: _Bend, shape: Any) -> tf.Tensor:
    """Log-det of `U S V^T -> U g(S) V^T` on matrices `[..., m, n]`, `[...]`."""
    pairs = tf.math.log(bend.differences) + tf.math.log(bend.ratios)
    distinct = 0.5 * (tf.reduce_sum(pairs, axis=[-2, -1]) - tf.linalg.trace(pairs))
    derivatives = tf.math.log(tf.linalg.diag_part(bend.differences))
    ratios = tf.math.log(tf.linalg.diag_part(bend.ratios))
    excess = tf.cast(ps.abs(shape[-2] - shape[-1]), ratios.dtype)
    return distinct + tf.reduce_sum(derivatives + excess * ratios, axis=-1)


def _checked_rank(rank: Any, shape: Any = None) -> int:
    """`rank` as an int, where it fits images of `shape [..., H, W, C]`."""
    try:
        value = None if isinstance(rank, bool) else operator.index(rank)
    except TypeError:
        value = None
    if value is None or value < 1:
        raise ValueError(f"rank must be an integer of at least 1, got {rank!r}")
    sides = [] if shape is None else [side for side in tuple(shape)[-3:-1] if side is not None]
    if sides and value > min(sides):
        raise ValueError(f"rank must lie in 1..{min(sides)} for images {shape}, got {value}")
    return value


def _checked_threshold(threshold: Any) -> Any:
    if isinstance(threshold, tf.Variable) or tf.is_tensor(threshold):
        if not threshold.dtype.is_floating or not threshold.shape.is_compatible_with([]):
            raise ValueError(
                "threshold must be a floating-point scalar, got "
                f"{threshold.dtype.name} of shape {threshold.shape}"
            )
        return threshold
    try:
        value = float(threshold)
    except (TypeError, ValueError):
        raise ValueError(f"threshold must be a number or a scalar, got {threshold!r}") from None
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"threshold must be finite and at least 0, got {value}")
    return value


def _checked_slope(slope: Any) -> float:
    try:
        value = float(slope)
    except (TypeError, ValueError):
        raise ValueError(f"slope must be a number, got {slope!r}") from None
    if not 0 < value < 1:
        raise ValueError(f"slope must lie strictly between 0 and 1, got {value}")
    return value
