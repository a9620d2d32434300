"""Mouth, nose and blush: reflectance only, no light."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from datasets.drawn_faces.canvas import Array, Canvas, as_colour, ellipse
from datasets.drawn_faces.colours import Palette
from datasets.drawn_faces.geometry import SIDES, Geometry
from datasets.drawn_faces.parameters import ActionUnits, FaceParameters


def paint_blush(
    image: Image.Image,
    face: FaceParameters,
    geometry: Geometry,
    palette: Palette,
    canvas: Canvas,
) -> None:
    """Blood under the skin of cheeks and nose; hardly seen in grey."""
    places = [(side * 0.37, face.eye_height + 0.30, 0.15, 0.12) for side in SIDES]
    places.append((0.0, geometry.nose_tip_y, 0.09, 0.06))
    for x, y, rx, ry in places:
        canvas.fill(
            image, palette.blush, ellipse(x, y, rx, ry), blur=0.07, opacity=face.skin_redness
        )


def paint_nose(image: Image.Image, geometry: Geometry, palette: Palette, canvas: Canvas) -> None:
    """Nostrils and the shade under the tip."""
    y = geometry.nose_wing_y + 0.022
    under = ellipse(0.0, y + 0.012, geometry.nose_wing_x * 0.85, 0.022)
    canvas.fill(image, palette.shadow, under, blur=0.026, opacity=0.16)
    for side in SIDES:
        x = side * geometry.nose_wing_x * 0.52
        canvas.fill(image, palette.dark, ellipse(x, y, 0.024, 0.011), blur=0.009, opacity=0.75)


def paint_mouth(
    image: Image.Image,
    face: FaceParameters,
    units: ActionUnits,
    geometry: Geometry,
    palette: Palette,
    canvas: Canvas,
) -> None:
    """Lips, and what is seen between them."""
    mouth = geometry.mouth
    lips = np.concatenate([mouth.outer_upper, mouth.outer_lower[::-1]])
    canvas.fill(image, palette.lip, lips, blur=0.010)
    upper = np.concatenate([mouth.outer_upper, mouth.inner_upper[::-1]])
    canvas.fill(image, palette.upper_lip, upper, blur=0.008, opacity=0.8)
    inside = np.concatenate([mouth.inner_upper, mouth.inner_lower[::-1]])
    if mouth.opening > 0.012:
        _paint_inside(image, units, geometry, inside, palette, canvas)
        canvas.stroke(image, palette.dark, mouth.inner_lower, 0.014, 0.005, 0.6)
    # The line between the lips, deepest at the corners.
    line_opacity = 0.85 if mouth.opening <= 0.012 else 0.6
    canvas.stroke(image, palette.dark, mouth.inner_upper, 0.018, 0.006, line_opacity)
    for x, y in (mouth.inner_upper[0], mouth.inner_upper[-1]):
        canvas.fill(image, palette.dark, ellipse(x, y, 0.022, 0.016), blur=0.012, opacity=0.6)
    # The lower lip's shade.
    shade = mouth.outer_lower[4:-4] + (0.0, 0.016)
    canvas.stroke(image, palette.shadow, shade, 0.030, 0.020, 0.45)


def _paint_inside(
    image: Image.Image,
    units: ActionUnits,
    geometry: Geometry,
    inside: Array,
    palette: Palette,
    canvas: Canvas,
) -> None:
    mouth = geometry.mouth
    mask, corner = canvas.mask(inside, blur=0.005)
    cavity = Image.new("RGB", mask.size, as_colour(palette.mouth))

    def polygon(top: Array, bottom: Array, colour: tuple[int, ...]) -> None:
        points = canvas.points(np.concatenate([top, bottom[::-1]]))
        ImageDraw.Draw(cavity).polygon([(x - corner[0], y - corner[1]) for x, y in points], colour)

    opening = mouth.inner_lower - mouth.inner_upper
    if mouth.opening > 0.13:
        tongue = ellipse(0.0, float(mouth.inner_lower[10, 1]), mouth.half_width * 0.62, 0.075)
        polygon(tongue[:12], tongue[:11:-1], as_colour(palette.tongue))
    # Upper teeth hang from the upper lip: a smile shows them whole, a dropped jaw their edge.
    length = 0.030 + 0.055 * units.lip_corner_pull + 0.02 * units.upper_lip_raise
    if units.teeth_bare > 0.05:
        upper = mouth.inner_upper + opening * (0.0, 0.46)
        lower = mouth.inner_upper + opening * (0.0, 0.60)
        polygon(mouth.inner_upper, upper, as_colour(palette.teeth))
        polygon(lower, mouth.inner_lower, as_colour(palette.teeth))
    else:
        # Towards the corners the lip covers them.
        across = mouth.inner_upper[:, :1] / mouth.half_width
        hang = length * (1.0 - np.abs(across) ** 3) * (0.0, 1.0)
        upper = np.minimum(mouth.inner_upper + hang, mouth.inner_lower)
        polygon(mouth.inner_upper, upper, as_colour(palette.teeth))
        if units.lip_stretch > 0.2:
            lower = np.maximum(mouth.inner_lower - (0.0, 0.028), mouth.inner_upper)
            polygon(lower, mouth.inner_lower, as_colour(palette.teeth))
    draw = ImageDraw.Draw(cavity)
    gaps = np.linspace(-0.78, 0.78, 9) * mouth.half_width
    for gap in gaps:
        top = np.interp(gap, mouth.inner_upper[:, 0], mouth.inner_upper[:, 1])
        bottom = np.interp(gap, mouth.inner_upper[:, 0], upper[:, 1])
        ends = canvas.points(np.array([[gap, top], [gap, bottom]]))
        draw.line(
            [(x - corner[0], y - corner[1]) for x, y in ends], as_colour(palette.teeth_gap), 1
        )
    # The cheeks keep the light from the corners of the mouth.
    shade = Image.new("L", mask.size, 0)
    draw = ImageDraw.Draw(shade)
    for end in (mouth.inner_upper[0], mouth.inner_upper[-1]):
        x = canvas.points(end[None])[0][0]
        reach = 0.30 * mouth.half_width * canvas.per_unit
        draw.ellipse((x - corner[0] - reach, 0, x - corner[0] + reach, mask.height), fill=150)
    shade = shade.filter(ImageFilter.GaussianBlur(0.03 * canvas.per_unit))
    cavity.paste(as_colour(palette.mouth), (0, 0), shade)
    cavity = cavity.filter(ImageFilter.GaussianBlur(0.006 * canvas.per_unit))
    image.paste(cavity, corner, mask)
