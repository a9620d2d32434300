"""What one pixel of a synthesised face sees of the input face."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

KERNELS = ("linear", "polynomial", "rbf")


@dataclasses.dataclass(frozen=True)
class PixelFeatures:
    """The numbers from which a pixel of the output is computed, linearly.

    With a window of 1 and the linear kernel they are the input pixel of the same position and a
    constant. The kernels that are not linear are our reading of the paper's index term "kernel
    regression": it does not say which kernel, nor of what.

    Attributes:
      window: side r of the square of input pixels around the position; odd. Beyond the border of
        the image there is nothing.
      kernel: `"linear"`; `"polynomial"`, the powers of the pixel; or `"rbf"`, Gaussian bumps on
        the range of grey levels. The latter two see one pixel: their window is 1.
      degree: highest power of the polynomial, 1 to 3.
      centres: number of bumps, 2 or more, evenly from black to white; each as wide (one standard
        deviation) as they are apart.

    Source of the window: Khan, Akram et al., Masked Linear Regression for Learning Local Receptive
    Fields for Facial Expression Synthesis, IJCV 128, 2020. Of the single pixel: Akram and Khan,
    Pixel-based Facial Expression Synthesis, ICPR 2020.
    """

    window: int = 1
    kernel: str = "linear"
    degree: int = 2
    centres: int = 8

    def __post_init__(self) -> None:
        if not _is_integer(self.window) or self.window < 1 or self.window % 2 == 0:
            raise ValueError(f"window must be an odd positive integer, got {self.window!r}")
        if self.kernel not in KERNELS:
            raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, got {self.kernel!r}")
        if self.kernel != "linear" and self.window != 1:
            raise ValueError(f"the {self.kernel} kernel sees one pixel: window must be 1, got "
                             f"{self.window}")  # fmt: skip
        if not _is_integer(self.degree) or not 1 <= self.degree <= 3:
            raise ValueError(f"degree must be 1, 2 or 3, got {self.degree!r}")
        if not _is_integer(self.centres) or self.centres < 2:
            raise ValueError(f"centres must be an integer of at least 2, got {self.centres!r}")

    @property
    def affine(self) -> bool:
        """Whether a pixel of the output is an affine function of the pixel at its position."""
        return self.kernel == "linear" and self.window == 1

    @property
    def count(self) -> int:
        """How many there are, with the constant, which is the last."""
        if self.kernel == "linear":
            return self.window**2 + 1
        return (self.degree if self.kernel == "polynomial" else self.centres) + 1

    def each(
        self, images: np.ndarray, rows: slice, dtype: np.dtype | type = np.float64
    ) -> Iterator[np.ndarray]:
        """The features of some rows of pixels, one after the other.

        Args:
          images: uint8 `[N, H, W, C]`, or floats in [0, 1].
          rows: of the pixels wanted, with start and stop.
          dtype: floating, of the features.

        Yields:
          `count` arrays `[N, rows, W, C]`; the last is the constant 1, of shape `[1, 1, 1, 1]`.
        """
        if self.kernel == "linear":
            yield from self._window(images, rows, dtype)
        else:
            pixels = unit_range(images[:, rows], dtype)
            yield from self._powers(pixels) if self.kernel == "polynomial" else self._bumps(pixels)
        yield np.ones([1, 1, 1, 1], dtype)

    def _window(
        self, images: np.ndarray, rows: slice, dtype: np.dtype | type
    ) -> Iterator[np.ndarray]:
        reach = self.window // 2
        height, width = images.shape[1:3]
        first, last = rows.start, rows.stop
        pixels = unit_range(images[:, max(0, first - reach) : last + reach], dtype)
        if reach:
            above, below = max(0, reach - first), max(0, last + reach - height)
            pixels = np.pad(pixels, ((0, 0), (above, below), (reach, reach), (0, 0)))
        for down in range(self.window):
            for right in range(self.window):
                yield pixels[:, down : down + last - first, right : right + width]

    def _powers(self, pixels: np.ndarray) -> Iterator[np.ndarray]:
        power = pixels
        yield power
        for _ in range(1, self.degree):
            power = power * pixels
            yield power

    def _bumps(self, pixels: np.ndarray) -> Iterator[np.ndarray]:
        apart = 1 / (self.centres - 1)
        for number in range(self.centres):
            yield np.exp(-0.5 * ((pixels - number * apart) / apart) ** 2)


def unit_range(images: np.ndarray, dtype: np.dtype | type) -> np.ndarray:
    """uint8 images as floats in [0, 1]; floats as they are."""
    if images.dtype == np.uint8:
        return images.astype(dtype) * np.asarray(1 / 255, dtype)
    return images.astype(dtype, copy=False)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
