"""Background, long hair behind the neck, neck and clothes, in the picture's own frame."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from datasets.drawn_faces.canvas import Array, as_colour
from datasets.drawn_faces.colours import Palette
from datasets.drawn_faces.geometry import Geometry
from datasets.drawn_faces.parameters import FaceParameters


def backdrop(
    face: FaceParameters, geometry: Geometry, palette: Palette, axis: Array, channels: int
) -> Array:
    """Everything behind the head: float32 `[S, S, channels]`, display values around [0, 1].

    `axis` holds the face coordinates of the pixels along either axis, before the head's own
    shift and scale.
    """
    pixels = len(axis)
    x, y = axis[None, :], axis[:, None]
    along = x * np.cos(face.background_angle) + y * np.sin(face.background_angle)
    vignette = 0.035 * (x**2 + y**2)
    wall = face.background + face.background_gradient * along - vignette
    layers = Image.new("RGB", (pixels, pixels))
    mask = Image.new("L", (pixels, pixels), 0)
    per_unit = pixels / float(axis[-1] - axis[0] + axis[1] - axis[0])

    def points(polygon: Array) -> list[tuple[float, float]]:
        placed = polygon * face.scale + (face.shift_x, face.shift_y)
        return list(map(tuple, ((placed + 1.0) * per_unit).tolist()))

    colour, cover = ImageDraw.Draw(layers), ImageDraw.Draw(mask)

    def paint(polygon: Array, fill: Array) -> None:
        at = points(polygon)
        colour.polygon(at, fill=as_colour(fill))
        cover.polygon(at, fill=255)

    if face.hair_length > 0.45:
        paint(_back_hair(face, geometry), palette.hair * 1.5)
    jaw_y = 0.45 * geometry.chin_y + 0.2
    neck = face.neck_width
    paint(np.array([[-neck, jaw_y], [neck, jaw_y], [neck * 1.08, 1.3], [-neck * 1.08, 1.3]]),
          palette.skin)  # fmt: skip
    slope = 1.02 + 0.04 * face.neck_width
    shoulders = np.array(
        [[-1.6, 1.32], [-0.95, slope + 0.08], [-neck * 1.02, slope - 0.14], [-0.10, slope + 0.10],
         [0.10, slope + 0.10], [neck * 1.02, slope - 0.14], [0.95, slope + 0.08], [1.6, 1.32],
         [1.6, 2.0], [-1.6, 2.0]]
    )  # fmt: skip
    paint(shoulders, palette.clothes)
    for side in (-1.0, 1.0):
        collar = np.array([[neck * 1.06, slope - 0.17], [0.06, slope + 0.10],
                           [neck * 0.85, slope + 0.14], [neck * 1.25, slope - 0.08]])  # fmt: skip
        paint(collar * (side, 1.0), palette.collar)
    soft = 0.008 * per_unit
    layers = layers.filter(ImageFilter.GaussianBlur(soft))
    mask = mask.filter(ImageFilter.GaussianBlur(soft))
    body = np.asarray(layers if channels == 3 else layers.convert("L"), np.float32) / 255.0
    body = body.reshape(pixels, pixels, channels)
    # A cylinder in the key light, in the shade of the chin.
    across = np.clip((x - face.shift_x) / (face.scale * 1.1 * neck), -1.3, 1.3)
    lit = 0.62 + 0.34 * np.sin(face.light_azimuth) * across - 0.16 * across**2
    chin = face.shift_y + face.scale * geometry.chin_y
    shade = 0.45 + 0.55 * np.clip((y - chin - 0.02) / 0.40, 0.0, 1.0)
    level = (face.light_fill + 0.75 * face.light_strength) * np.clip(lit, 0.15, 1.2) * shade
    alpha = np.asarray(mask, np.float32)[..., None] / 255.0
    colours = np.array([0.98, 1.0, 1.03]) if channels == 3 else np.ones(1)
    return (
        wall[..., None] * (1.0 - alpha) * colours.astype(np.float32)
        + body * level[..., None] * alpha
    ).astype(np.float32)


def _back_hair(face: FaceParameters, geometry: Geometry) -> Array:
    """Hair that falls behind the neck, a little inside the edge of the hair in front."""
    half = 0.95 * (geometry.half_width_scale + face.hair_volume)
    end = 0.50 + 1.3 * (face.hair_length - 0.45) / 0.55
    angle = np.linspace(0.0, np.pi, 17)
    upper = np.stack([-half * np.cos(angle), -0.12 - 0.8 * np.sin(angle)], axis=1)
    lower = np.stack([1.06 * half * np.cos(angle), end + 0.14 * np.sin(angle)], axis=1)
    # A turned head takes it along.
    return np.concatenate([upper, lower]) + (0.27 * np.sin(face.yaw), 0.0)
