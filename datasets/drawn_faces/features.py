"""The painted features: eyes, brows, mouth, nostrils, glasses.  Reflectance only, no light."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from datasets.drawn_faces.canvas import Array, Canvas, as_colour, ellipse
from datasets.drawn_faces.colours import Palette
from datasets.drawn_faces.geometry import SIDES, Eye, Geometry
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
    for place in (*places, (0.0, geometry.nose_tip_y, 0.09, 0.06)):
        canvas.fill(image, palette.blush, ellipse(*place), blur=0.07, opacity=face.skin_redness)


def paint_nose(image: Image.Image, geometry: Geometry, palette: Palette, canvas: Canvas) -> None:
    """Nostrils and the shade under the tip."""
    y = geometry.nose_wing_y + 0.022
    under = ellipse(0.0, y + 0.012, geometry.nose_wing_x * 0.85, 0.022)
    canvas.fill(image, palette.shadow, under, blur=0.026, opacity=0.16)
    for side in SIDES:
        x = side * geometry.nose_wing_x * 0.52
        canvas.fill(image, palette.dark, ellipse(x, y, 0.024, 0.011), blur=0.009, opacity=0.75)


def paint_eyes(
    image: Image.Image,
    face: FaceParameters,
    geometry: Geometry,
    palette: Palette,
    canvas: Canvas,
) -> None:
    """Sockets, eyeballs, lids and lashes."""
    for eye in geometry.eyes:
        canvas.fill(
            image, palette.shadow, ellipse(*eye.centre, face.eye_width * 1.12, 0.085),
            blur=0.030, opacity=0.22 + 1.2 * (face.eye_depth - 0.05),
        )  # fmt: skip
        canvas.stroke(image, palette.shadow, eye.bag, 0.018, 0.010, 0.25 + 0.45 * face.eye_bags)
        _paint_eyeball(image, face, eye, palette, canvas)
        canvas.stroke(image, palette.shadow, eye.crease, 0.016, 0.006, 0.75 * face.lid_crease)
        canvas.stroke(image, palette.lash, eye.upper, 0.026, 0.005, 0.95)
        canvas.stroke(image, palette.shadow, eye.lower, 0.012, 0.004, 0.7)


def _paint_eyeball(
    image: Image.Image, face: FaceParameters, eye: Eye, palette: Palette, canvas: Canvas
) -> None:
    outline = np.concatenate([eye.upper, eye.lower[::-1]])
    mask, corner = canvas.mask(outline, blur=0.003)
    ball = Image.new("RGB", mask.size, as_colour(palette.sclera))
    draw = ImageDraw.Draw(ball)

    def disc(x: float, y: float, radius: float, colour: tuple[int, ...]) -> None:
        box = [(x - radius, y - radius), (x + radius, y + radius)]
        (x0, y0), (x1, y1) = canvas.points(np.array(box))
        draw.ellipse((x0 - corner[0], y0 - corner[1], x1 - corner[0], y1 - corner[1]), fill=colour)

    x, y = eye.iris
    radius = face.iris_size
    disc(x, y, radius, as_colour(palette.iris_rim))
    disc(x, y, radius * 0.82, as_colour(palette.iris))
    disc(x, y, radius * 0.46, as_colour(palette.pupil))
    # The key light mirrored on the cornea.
    glint = np.sign(face.light_azimuth) * 0.35 * radius
    disc(x + glint, y - 0.35 * radius, radius * 0.16, (255, 255, 255))
    # The upper lid's shade on the eyeball.
    lid = [(px - corner[0], py - corner[1]) for px, py in canvas.points(eye.upper)]
    shade = Image.new("L", mask.size, 0)
    ImageDraw.Draw(shade).line(lid, fill=150, width=canvas.length(0.034))
    shade = shade.filter(ImageFilter.GaussianBlur(0.010 * canvas.per_unit))
    ball.paste(as_colour(palette.dark), (0, 0), shade)
    ball = ball.filter(ImageFilter.GaussianBlur(0.005 * canvas.per_unit))
    image.paste(ball, corner, mask)


def paint_brows(
    image: Image.Image,
    face: FaceParameters,
    geometry: Geometry,
    palette: Palette,
    canvas: Canvas,
) -> None:
    for brow in geometry.brows:
        canvas.fill(image, palette.brow, brow, blur=0.012, opacity=face.brow_density)


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
    for corner in (mouth.inner_upper[0], mouth.inner_upper[-1]):
        canvas.fill(image, palette.dark, ellipse(*corner, 0.022, 0.016), blur=0.012, opacity=0.6)
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
        upper = np.minimum(mouth.inner_upper + (0.0, length), mouth.inner_lower)
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
        (x, y), = canvas.points(end[None])  # fmt: skip
        reach = 0.30 * mouth.half_width * canvas.per_unit
        draw.ellipse((x - corner[0] - reach, 0, x - corner[0] + reach, mask.height), fill=150)
    shade = shade.filter(ImageFilter.GaussianBlur(0.03 * canvas.per_unit))
    cavity.paste(as_colour(palette.mouth), (0, 0), shade)
    cavity = cavity.filter(ImageFilter.GaussianBlur(0.006 * canvas.per_unit))
    image.paste(cavity, corner, mask)


def paint_glasses(
    image: Image.Image, face: FaceParameters, geometry: Geometry, palette: Palette, canvas: Canvas
) -> None:
    """Frames around both eyes; nothing where the opacity is small."""
    if face.glasses < 0.02:
        return
    size = face.glasses_size
    exponent = 4.5 - 2.4 * face.glasses_roundness
    angle = np.linspace(0.0, 2.0 * np.pi, 33)
    # A superellipse: round to nearly square.
    across = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2.0 / exponent)
    down = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2.0 / exponent)
    y = face.eye_height + 0.02
    for side in SIDES:
        x = side * (face.eye_spacing + 0.01)
        lens = np.stack([x + size * across, y + 0.78 * size * down], axis=1)
        canvas.fill(image, palette.glass, lens, opacity=0.10 * face.glasses)
        canvas.stroke(image, palette.frame, lens, 0.026, 0.004, 0.85 * face.glasses)
        edge = side * (face.eye_spacing + 0.01 + size)
        temple = np.array([[edge, y - 0.05], [side * 0.74, y - 0.08]])
        canvas.stroke(image, palette.frame, temple, 0.026, 0.004, 0.85 * face.glasses)
    gap = max(0.02, face.eye_spacing + 0.01 - size)
    xs = np.linspace(-gap, gap, 7)
    bridge = np.stack([xs, y - 0.05 - 0.02 * (1.0 - (xs / gap) ** 2)], axis=1)
    canvas.stroke(image, palette.frame, bridge, 0.024, 0.004, 0.85 * face.glasses)
