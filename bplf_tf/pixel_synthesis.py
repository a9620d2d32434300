"""`PixelSynthesis`: expressions by linear regression, one pixel at a time. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bplf_tf.pixel_features import PixelFeatures, unit_range
from bplf_tf.pixel_files import read_arrays, write_arrays
from bplf_tf.pixel_pairs import check_images, check_pairs, pairs_by_label
from bplf_tf.pixel_ridge import (
    MIN_SLOPE,
    cross_validated_ridge,
    make_folds,
    matched_moments,
    ridge_weights,
)

if TYPE_CHECKING:
    from bplf_tf.bijectors import PixelAffine

NEUTRAL = "neutral"
CROSS_VALIDATION = "cross_validation"
RIDGE = 0.4
"""The source's lambda, for images in [0, 1]."""

Target = str | Mapping[str, float]
"""A label, or the shares of several, which sum to 1."""

_FORMAT = "bplf_tf.PixelSynthesis 1"
_FOLDS = 5


class PixelSynthesis:
    """Turns neutral faces into expressive ones: each output pixel sees one input pixel.

    A ridge regression from neutral to expressive faces of the same people, in closed form, for each
    pixel and each expression. Faces have to be aligned, since nothing can move; a few hundred pairs
    do. As it comes, the model is an affine map per pixel with slopes of at least `MIN_SLOPE`, hence
    invertible: it edits from any label to any other, and is a `PixelAffine` bijector.

    Images are uint8 `[N, H, W, C]`; inside, pixels lie in [0, 1].

    Attributes:
      features: what a pixel sees.
      invertible: whether slopes are kept at `MIN_SLOPE` or more.
      ridges: the lambda that each label was fitted with; None for moments.
      weights: float32 `[F, H, W, C]` for each label, or `[F, H, W, 1]`; the constant's last.

    Source: Akram and Khan, Pixel-based Facial Expression Synthesis, ICPR 2020, arXiv 2010.14397;
    for windows larger than one pixel, Masked Linear Regression, IJCV 128, 2020. The images are not
    stretched to their own darkest and brightest pixels, as the latter's code does.
    """

    def __init__(
        self,
        ridge: float | str = RIDGE,
        window: int = 1,
        kernel: str = "linear",
        degree: int = 2,
        centres: int = 8,
        shared_channels: bool = False,
        invertible: bool | None = None,
    ) -> None:
        """Creates a model to be fitted.

        Args:
          ridge: lambda, positive; or `"cross_validation"`, to choose it for each label.
          window: side of the square of input pixels that an output pixel sees; odd.
          kernel: `"linear"`; or `"polynomial"` or `"rbf"`, our reading of "kernel regression".
          degree: of the polynomial.
          centres: of the RBF kernel.
          shared_channels: whether the channels of a position have one set of weights.
          invertible: whether slopes are kept at `MIN_SLOPE` or more; by default where the model is
            affine in one pixel. False gives the plain ridge regression.

        Raises:
          ValueError: for values other than those, or an invertible model that is not affine in one
            pixel.
        """
        number = isinstance(ridge, int | float) and not isinstance(ridge, bool)
        if ridge != CROSS_VALIDATION and not (number and 0 < float(ridge) < math.inf):
            raise ValueError(
                f"ridge must be a positive number or {CROSS_VALIDATION!r}, got {ridge!r}"
            )
        self.features = PixelFeatures(window, kernel, degree, centres)
        if invertible and not self.features.affine:
            raise ValueError(
                "only a model that is linear in one pixel can be invertible, got "
                f"window={window} and kernel={kernel!r}"
            )
        self.ridge = ridge
        self.shared_channels = bool(shared_channels)
        self.invertible = self.features.affine if invertible is None else invertible
        self.image_shape: tuple[int, ...] | None = None
        self.weights: dict[str, np.ndarray] = {}
        self.ridges: dict[str, float | None] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels fitted, neutral not among them."""
        return tuple(self.weights)

    @property
    def size_bytes(self) -> int:
        """Bytes of all weights; a file of them has some hundred more."""
        return sum(weights.nbytes for weights in self.weights.values())

    @property
    def parameters(self) -> int:
        """Number of all weights."""
        return sum(weights.size for weights in self.weights.values())

    # Fitting

    def fit(
        self,
        neutral: Any,
        expressive: Mapping[str, Any],
        people: Any = None,
        seed: int = 0,
        pairs_checked: bool = False,
    ) -> PixelSynthesis:
        """Fits every expression to aligned pairs; forgets what was fitted before.

        Args:
          neutral: uint8 `[N, H, W, C]`; or such images for each label, where other people or other
            numbers of them show it.
          expressive: for each label uint8 `[N, H, W, C]`, the k-th of the person of the k-th
            neutral one.
          people: who is in each pair, `[N]`, or that for each label: cross-validation leaves people
            out, not pairs. By default each pair is taken for another person.
          seed: of the folds of cross-validation.
          pairs_checked: the caller knows that faces are paired and aligned; otherwise images that
            plainly are not raise.

        Returns:
          The model itself.

        Raises:
          ValueError: for images of another type or shape, or of several shapes; unequal numbers;
            people that do not fit; fewer than two pairs, no label, or pairs that are not pairs or
            not aligned.
        """
        given = pairs_by_label(neutral, expressive, NEUTRAL)
        groups_of: dict[str, Any] = {}
        for label, (before, after) in given.items():
            if len(before) != len(after):
                raise ValueError(
                    f"pairs need as many neutral images as {label!r} ones, got {len(before)} and "
                    f"{len(after)}"
                )
            if len(before) < 2:
                raise ValueError(f"fitting {label!r} needs at least two pairs, got {len(before)}")
            if isinstance(people, Mapping) and label not in people:
                raise ValueError(f"people: nothing is said of the pairs of {label!r}")
            groups = people[label] if isinstance(people, Mapping) else people
            if groups is not None and len(groups) != len(before):
                raise ValueError(f"got {len(groups)} people for {len(before)} pairs of {label!r}")
            if not pairs_checked:
                check_pairs(before, after, label, groups)
            groups_of[label] = groups
        weights, ridges = {}, {}
        for label, (before, after) in given.items():
            ridges[label] = self._ridge(before, after, groups_of[label], seed)
            weights[label] = ridge_weights(
                self.features, before, after, ridges[label], self.shared_channels, self._min_slope
            )
        return self._set(weights, ridges)

    def fit_unpaired(self, neutral: Any, expressive: Mapping[str, Any]) -> PixelSynthesis:
        """Fits every expression to the moments of images of other people; see `matched_moments`.

        Args:
          neutral: uint8 `[N, H, W, C]`; or such images for each label.
          expressive: for each label uint8 `[M, H, W, C]`; M may differ from N and between labels.

        Returns:
          The model itself.

        Raises:
          ValueError: for images of another type or shape, fewer than two of a kind, no label, or a
            model that is not invertible.
        """
        if not self.invertible:
            raise ValueError("moments determine an invertible model alone: one of a single pixel")
        given = pairs_by_label(neutral, expressive, NEUTRAL)
        for label, images in given.items():
            if min(map(len, images)) < 2:
                raise ValueError(
                    f"moments need at least two images of a kind, got {len(images[0])} neutral and "
                    f"{len(images[1])} {label!r} ones"
                )
        moments = {
            label: matched_moments(*images, self.shared_channels) for label, images in given.items()
        }
        return self._set(moments, dict.fromkeys(moments))

    @property
    def _min_slope(self) -> float | None:
        return MIN_SLOPE if self.invertible else None

    def _ridge(
        self,
        neutral: np.ndarray,
        expressive: np.ndarray,
        groups: Any,
        seed: int,
    ) -> float:
        if not isinstance(self.ridge, str):
            return float(self.ridge)
        names = np.arange(len(neutral)) if groups is None else np.asarray(groups)
        count = min(_FOLDS, len(np.unique(names)))
        best, _ = cross_validated_ridge(
            self.features,
            neutral,
            expressive,
            make_folds(names, count, seed),
            self.shared_channels,
            self._min_slope,
        )
        return best

    def _set(
        self, weights: Mapping[str, np.ndarray], ridges: Mapping[str, float | None]
    ) -> PixelSynthesis:
        self.weights = {label: w.astype(np.float32) for label, w in weights.items()}
        self.ridges = dict(ridges)
        _, height, width, _ = next(iter(self.weights.values())).shape
        # Shared weights fit any number of channels.
        channels = -1 if self.shared_channels else next(iter(self.weights.values())).shape[-1]
        self.image_shape = (height, width, channels)
        return self

    # Editing

    def transform(
        self,
        images: Any,
        target: Target,
        strength: float = 1.0,
        source: Target = NEUTRAL,
    ) -> np.ndarray:
        """Turns faces of one label into another, uint8 `[N, H, W, C]`.

        Out of the neutral it is `x + strength * (f_target(x) - x)`; from another source, which
        takes an invertible model, `A_mixture(A_source^-1(x))` of the mixture
        `(1 - strength) * source + strength * target`. Strength 0 returns the images.

        Args:
          images: uint8 `[N, H, W, C]`.
          target: a label, or the shares of several, which sum to 1.
          strength: 0 to 1 between source and target. Beyond, an invertible model accepts what
            `strength_range` says; any other accepts every finite number.
          source: what the images show.

        Raises:
          ValueError: for images that do not fit, an unknown label, shares that do not sum to 1, a
            strength out of range, or a source that takes an invertible model and has none.
        """
        images = self._checked(images)
        from_source, to_target = self._shares(source), self._shares(target)
        if not math.isfinite(strength):
            raise ValueError(f"strength must be a finite number, got {strength}")
        if self.invertible:
            slope, shift = self._affine(from_source, to_target, strength)
            edited = slope.astype(np.float32) * unit_range(images, np.float32)
            edited += shift.astype(np.float32)
        elif set(from_source) != {NEUTRAL}:
            raise ValueError(
                f"only an invertible model edits faces that are not {NEUTRAL}, got "
                f"source={source!r}"
            )
        else:
            edited = self._regressed(images, _mixture(from_source, to_target, strength))
        # In place, over the whole batch at once.
        edited *= 255
        np.rint(edited, out=edited)
        np.clip(edited, 0, 255, out=edited)
        return edited.astype(np.uint8)

    def strength_range(self, target: Target, source: Target = NEUTRAL) -> tuple[float, float]:
        """The least and the greatest strength of an invertible model, around 0 to 1.

        Slopes of the mixture `(1 - strength) * source + strength * target` are kept at `MIN_SLOPE`
        or more, so that `x_strength` can be inverted: from the neutral face,
        `1 + strength * (a - 1) >= MIN_SLOPE` for every pixel.

        Raises:
          ValueError: for an unknown label or a model that is not invertible.
        """
        if not self.invertible:
            raise ValueError("a model that is not invertible has no range of strengths")
        before, after = (
            self._slope_and_shift(self._shares(label))[0] for label in (source, target)
        )
        room = np.maximum(before - MIN_SLOPE, 0)
        change = after - before
        falls, rises = change < 0, change > 0
        high = float((room[falls] / -change[falls]).min()) if falls.any() else math.inf
        low = float((-room[rises] / change[rises]).max()) if rises.any() else -math.inf
        return low, max(high, 1.0)  # 1 but for rounding: both labels' slopes are large enough

    def bijector(self, target: Target, strength: float = 1.0) -> PixelAffine:
        """Neutral to target as a bijector (forward) on images in a flow's scale [-0.5, 0.5).

        Raises:
          ValueError: for an unknown label, a strength out of range or a model that is not
            invertible.
        """
        from bplf_tf.bijectors import PixelAffine

        if not self.invertible:
            raise ValueError("only an invertible model is a bijector")
        slope, shift = self._affine({NEUTRAL: 1.0}, self._shares(target), strength)
        return PixelAffine(slope.astype(np.float32), _flow_shift(slope, shift).astype(np.float32))

    def tables(self, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Slopes and shifts by label in a flow's scale, for `PixelAffine.of_condition`.

        Args:
          classes: a flow's labels, in its order; neutral has a slope of 1 and a shift of 0.

        Returns:
          float32 `[E, H, W, C]` each.

        Raises:
          ValueError: for a label that was not fitted or a model that is not invertible.
        """
        if not self.invertible:
            raise ValueError("only an invertible model is a bijector")
        affine = [self._slope_and_shift(self._shares(label)) for label in classes]
        slopes = np.stack([slope for slope, _ in affine]).astype(np.float32)
        shifts = np.stack([_flow_shift(*one) for one in affine]).astype(np.float32)
        return slopes, shifts

    def _checked(self, images: Any) -> np.ndarray:
        if self.image_shape is None:
            raise ValueError("the model has not been fitted")
        array = check_images("images", images)
        height, width, channels = self.image_shape
        if array.shape[1:3] != (height, width) or channels not in (-1, array.shape[3]):
            wanted = "C" if channels == -1 else channels
            raise ValueError(
                f"images must have shape [N, {height}, {width}, {wanted}], got {list(array.shape)}"
            )
        return array

    def _shares(self, label: Target) -> dict[str, float]:
        if self.image_shape is None:
            raise ValueError("the model has not been fitted")
        shares = {label: 1.0} if isinstance(label, str) else dict(label)
        known = (NEUTRAL, *self.labels)
        for name in shares:
            if name not in known:
                raise ValueError(f"unknown label {name!r}; the labels are {', '.join(known)}")
        if not all(map(math.isfinite, shares.values())) or abs(sum(shares.values()) - 1) > 1e-6:
            raise ValueError(f"the shares of a mixture must sum to 1, got {shares}")
        return shares

    def _slope_and_shift(self, shares: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Of a mixture, float64, each `[H, W, C]`."""
        total = np.zeros(next(iter(self.weights.values())).shape)
        for label, share in shares.items():
            if label == NEUTRAL:
                total[0] += share
            else:
                total += share * self.weights[label].astype(np.float64)
        return total[0], total[1]

    def _affine(
        self, source: Mapping[str, float], target: Mapping[str, float], strength: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Slope and shift of `A_mixture . A_source^-1`."""
        before, before_shift = self._slope_and_shift(source)
        after, after_shift = self._slope_and_shift(_mixture(source, target, strength))
        for slopes, what in ((before, f"source {source}"), (after, f"strength {strength:g}")):
            # A little less is rounding of float32.
            if not slopes.min() >= MIN_SLOPE * (1 - 1e-6):
                low, high = self.strength_range(target, source)
                raise ValueError(
                    f"{what} is not invertible: a slope would be {slopes.min():.3f}, less than "
                    f"{MIN_SLOPE}; strengths from {low:.3f} to {high:.3f} are accepted"
                )
        slope = after / before
        return slope, after_shift - slope * before_shift

    def _regressed(self, images: np.ndarray, shares: Mapping[str, float]) -> np.ndarray:
        """`x + sum over labels of share * (f(x) - x)`, float32 in [0, 1] and beyond."""
        pixels = unit_range(images, np.float32)
        others = {label: share for label, share in shares.items() if label != NEUTRAL}
        if not others:
            return pixels
        edited = np.float32(1 - sum(others.values())) * pixels
        weights = sum(np.float32(share) * self.weights[label] for label, share in others.items())
        rows = slice(0, images.shape[1])
        for weight, feature in zip(
            np.asarray(weights), self.features.each(pixels, rows, np.float32), strict=True
        ):
            edited += weight * feature
        return edited

    # Files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model as an `.npz` of plain arrays, whole or not at all.

        Raises:
          ValueError: if it has not been fitted, or the file's name ends otherwise.
          OSError: if the file cannot be written.
        """
        if self.image_shape is None:
            raise ValueError("the model has not been fitted")
        about = {
            "features": dataclasses.asdict(self.features),
            "ridge": self.ridge,
            "shared_channels": self.shared_channels,
            "invertible": self.invertible,
            "ridges": self.ridges,
        }
        write_arrays(Path(path), _FORMAT, about, list(self.weights.values()))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PixelSynthesis:
        """Reads what `save` wrote; nothing in the file is run.

        Raises:
          FileNotFoundError: if there is no such file.
          ValueError: if it holds something else.
        """
        about, arrays = read_arrays(Path(path), _FORMAT)
        try:
            model = cls(
                ridge=about["ridge"],
                **about["features"],
                shared_channels=about["shared_channels"],
                invertible=about["invertible"],
            )
            weights = dict(zip(about["ridges"], arrays, strict=True))
            model._check_weights(weights)
            return model._set(weights, about["ridges"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a pixel model: {error}") from error

    def _check_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        shapes = {array.shape for array in weights.values()}
        dtypes = {array.dtype.name for array in weights.values()}
        if len(shapes) != 1 or dtypes != {"float32"}:
            raise ValueError(f"weights of shapes {sorted(shapes)} and types {sorted(dtypes)}")
        (shape,) = shapes
        if len(shape) != 4 or shape[0] != self.features.count or 0 in shape:
            raise ValueError(f"weights of shape {shape} for {self.features.count} features")
        if not all(np.isfinite(array).all() for array in weights.values()):
            raise ValueError("weights that are not finite")


def _flow_shift(slope: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """The shift in a flow's scale: a pixel v / 255 here is (v + 0.5) / 256 - 0.5 there."""
    return (255 * shift - 127.5 * (1 - slope)) / 256


def _mixture(
    source: Mapping[str, float], target: Mapping[str, float], strength: float
) -> dict[str, float]:
    labels = dict.fromkeys([*source, *target])
    return {
        label: (1 - strength) * source.get(label, 0.0) + strength * target.get(label, 0.0)
        for label in labels
    }
