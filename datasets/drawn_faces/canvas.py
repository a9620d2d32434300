"""A square pixel grid over the face plane, and small drawing helpers on it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Array = np.ndarray
EXTENT = 1.12  # the canvas spans [-EXTENT, EXTENT], a little more than the picture


def supersampling(size: int) -> int:
    """How many canvas pixels a picture's pixel gets per axis."""
    return 4 if size <= 64 else 3 if size <= 128 else 2


class Canvas:
    """Maps face units to canvas pixels for a picture of `size` pixels."""

    def __init__(self, size: int):
        self.size = size
        self.per_unit = 0.5 * size * supersampling(size)
        # Even, so that the shading can be computed at half the resolution.
        self.pixels = 2 * int(np.ceil(EXTENT * self.per_unit))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (self.pixels, self.pixels)

    def points(self, curve: Array) -> list[tuple[float, float]]:
        """Canvas coordinates of `[N, 2]` face coordinates, as Pillow wants them."""
        scaled = np.asarray(curve) * self.per_unit + 0.5 * self.pixels
        return list(map(tuple, scaled.tolist()))

    def length(self, units: float, least: int = 1) -> int:
        """A length in whole canvas pixels."""
        return max(least, round(units * self.per_unit))

    def box(self, curve: Array, margin: float) -> tuple[int, int, int, int]:
        """The canvas pixels around a curve, `margin` face units wider, clipped to the canvas."""
        half = 0.5 * self.pixels
        x_low, y_low = ((curve.min(axis=0) - margin) * self.per_unit + half).tolist()
        x_high, y_high = ((curve.max(axis=0) + margin) * self.per_unit + half).tolist()
        x0 = min(max(int(x_low), 0), self.pixels - 1)
        y0 = min(max(int(y_low), 0), self.pixels - 1)
        x1 = min(max(int(x_high) + 1, x0 + 1), self.pixels)
        y1 = min(max(int(y_high) + 1, y0 + 1), self.pixels)
        return x0, y0, x1, y1

    def mask(
        self, *polygons: Array, blur: float = 0.0, opacity: float = 1.0
    ) -> tuple[Image.Image, tuple[int, int]]:
        """The union of polygons as a soft mask, cropped to what it covers, and its corner."""
        x0, y0, x1, y1 = self.box(np.concatenate(polygons), 2.5 * blur + 0.01)
        mask = Image.new("L", (x1 - x0, y1 - y0), 0)
        draw, level = ImageDraw.Draw(mask), round(255 * opacity)
        for polygon in polygons:
            draw.polygon([(x - x0, y - y0) for x, y in self.points(polygon)], level)
        if blur:
            mask = mask.filter(ImageFilter.GaussianBlur(blur * self.per_unit))
        return mask, (x0, y0)

    def fill(
        self,
        image: Image.Image,
        colour: Array,
        *polygons: Array,
        blur: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """Paint polygons with soft edges in one colour."""
        mask, corner = self.mask(*polygons, blur=blur, opacity=opacity)
        image.paste(as_colour(colour), (*corner, corner[0] + mask.width, corner[1] + mask.height),
                    mask)  # fmt: skip

    def stroke(
        self,
        image: Image.Image,
        colour: Array,
        curve: Array,
        width: float,
        blur: float = 0.0,
        opacity: float = 1.0,
    ) -> None:
        """Draw a soft line of a width in face units."""
        x0, y0, x1, y1 = self.box(curve, 2.5 * blur + width)
        mask = Image.new("L", (x1 - x0, y1 - y0), 0)
        points = [(x - x0, y - y0) for x, y in self.points(curve)]
        ImageDraw.Draw(mask).line(
            points, fill=round(255 * opacity), width=self.length(width), joint="curve"
        )
        if blur:
            mask = mask.filter(ImageFilter.GaussianBlur(blur * self.per_unit))
        image.paste(as_colour(colour), (x0, y0, x1, y1), mask)

    def coordinates(self, step: int = 1) -> Array:
        """Face coordinates of the centres of every `step`-th block of pixels along one axis."""
        return _coordinates(self.pixels, self.per_unit, step)


@lru_cache(maxsize=16)
def _coordinates(pixels: int, per_unit: float, step: int) -> Array:
    centres = (np.arange(pixels // step) + 0.5) * step - 0.5 * pixels
    values = (centres / per_unit).astype(np.float32)
    values.flags.writeable = False
    return values


def as_colour(colour: Array) -> tuple[int, ...]:
    """A colour in [0, 1] as Pillow's bytes."""
    return tuple(min(255, max(0, round(255.0 * part))) for part in colour.tolist())


def ellipse(x: float, y: float, rx: float, ry: float, count: int = 24) -> Array:
    """A closed polygon `[count, 2]` around an ellipse."""
    angle = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    return np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1)


def resize(values: Array, shape: tuple[int, int]) -> Array:
    """Bilinear resize of a float32 map."""
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def smooth(values: Array, factor: int) -> Array:
    """A broad blur of a float32 map: down by `factor` and back."""
    height, width = values.shape
    image = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32))
    small = image.resize((max(2, width // factor), max(2, height // factor)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
