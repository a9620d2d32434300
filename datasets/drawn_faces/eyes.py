"""Eyes, brows and glasses: reflectance only, no light."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from datasets.drawn_faces.canvas import Canvas, as_colour, ellipse
from datasets.drawn_faces.colours import Palette
from datasets.drawn_faces.geometry import SIDES, Eye, Geometry
from datasets.drawn_faces.parameters import FaceParameters


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
            blur=0.030, opacity=0.30 + 1.5 * (face.eye_depth - 0.05),
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
    """Both brows, as soft as hair."""
    for brow in geometry.brows:
        canvas.fill(image, palette.brow, brow, blur=0.012, opacity=face.brow_density)


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
        canvas.fill(image, palette.glass, lens, opacity=0.08 * face.glasses)
        # A window mirrored in the lens, on the side of the light.
        glint_x = x + 0.45 * size * np.sign(face.light_azimuth)
        glint = np.array([[-0.10, -0.05], [0.05, -0.07], [0.0, 0.05], [-0.13, 0.06]])
        glint = glint * size * 2.2 + (glint_x, y - 0.30 * size)
        canvas.fill(image, palette.glass, glint, blur=0.018, opacity=0.45 * face.glasses)
        canvas.stroke(image, palette.frame, lens, 0.026, 0.004, 0.85 * face.glasses)
        edge = side * (face.eye_spacing + 0.01 + size)
        temple = np.array([[edge, y - 0.05], [side * 0.74, y - 0.08]])
        canvas.stroke(image, palette.frame, temple, 0.026, 0.004, 0.85 * face.glasses)
    gap = max(0.02, face.eye_spacing + 0.01 - size)
    xs = np.linspace(-gap, gap, 7)
    bridge = np.stack([xs, y - 0.05 - 0.02 * (1.0 - (xs / gap) ** 2)], axis=1)
    canvas.stroke(image, palette.frame, bridge, 0.024, 0.004, 0.85 * face.glasses)
