"""Light on the face: a relief from smooth bumps and folds, its normals, and the light on it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from datasets.drawn_faces.canvas import Canvas, resize, smooth
from datasets.drawn_faces.geometry import SIDES, Geometry
from datasets.drawn_faces.parameters import ActionUnits, FaceParameters

Array = np.ndarray
_STEP = 2  # the relief is smooth: half the canvas' resolution is enough
_DEPTH = 0.62  # how far the head reaches towards the camera


def light(
    face: FaceParameters, units: ActionUnits, geometry: Geometry, canvas: Canvas
) -> tuple[Array, Array]:
    """Diffuse and specular light on the canvas, float32 `[P, P]` each.

    The diffuse light multiplies the reflectance; about 1 where the key light falls squarely.
    """
    x, y = canvas.coordinates(_STEP)[None, :], canvas.coordinates(_STEP)[:, None]
    relief = _head(geometry, x, y) + _blobs(face, units, geometry, x[0], y[:, 0])
    folds = _folds(face, units, geometry, canvas)
    relief = relief - 0.055 * folds
    spacing = _STEP / canvas.per_unit
    slope_x, slope_y = _gradient(relief, spacing)
    norm = 1.0 / np.sqrt(1.0 + slope_x**2 + slope_y**2)
    towards = direction(face)
    facing = (towards[2] - towards[0] * slope_x - towards[1] * slope_y) * norm
    # Skin scatters light beyond the edge of the shadow, hence the wrapped Lambert term.
    diffuse = np.maximum(0.0, (facing + 0.25) / 1.25)
    sky = 0.80 + 0.20 * (slope_y * norm)  # more ambient light from above
    occlusion = _occlusion(relief, folds, canvas)
    total = face.light_fill * sky * occlusion + face.light_strength * diffuse * (
        0.45 + 0.55 * occlusion
    )
    total = total * (1.0 - _cast_shadow(face, geometry, towards, x, y))
    # Blinn-Phong: halfway between the light and the camera.
    halfway = towards + np.array([0.0, 0.0, 1.0])
    halfway /= np.linalg.norm(halfway)
    gloss = (halfway[2] - halfway[0] * slope_x - halfway[1] * slope_y) * norm
    specular = face.skin_shine * np.maximum(0.0, gloss) ** 22 * face.light_strength
    return resize(total, canvas.shape).copy(), resize(specular, canvas.shape)


def direction(face: FaceParameters) -> Array:
    """The unit vector towards the key light: x to the right, y down, z to the camera."""
    azimuth, elevation = face.light_azimuth, face.light_elevation
    return np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            -np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ]
    )


def _head(geometry: Geometry, x: Array, y: Array) -> Array:
    """The bare skull: flat in front, round at the sides."""
    width = np.maximum(geometry.half_width(y), 1e-3)
    across = np.maximum(0.0, 1.0 - np.abs(x / (1.02 * width)) ** 2.5)
    middle = 0.5 * (geometry.chin_y + geometry.crown_y)
    half = 0.5 * (geometry.chin_y - geometry.crown_y)
    along = np.maximum(0.0, 1.0 - np.abs((y - middle) / (1.04 * half)) ** 3.0)
    return (_DEPTH * np.sqrt(across) * along**0.4).astype(np.float32)


def _blobs(
    face: FaceParameters, units: ActionUnits, geometry: Geometry, x: Array, y: Array
) -> Array:
    """The sum of axis-parallel Gaussian bumps, as one matrix product."""
    bumps: list[tuple[float, float, float, float, float]] = []  # x, y, sd x, sd y, height
    add = bumps.append
    eye_y, tip_y = face.eye_height, geometry.nose_tip_y
    lips = geometry.mouth
    cheek = 0.055 * units.cheek_raise + 0.040 * units.lip_corner_pull
    for side, brow_y, eye in zip(SIDES, geometry.brow_y, geometry.eyes, strict=True):
        ex = side * face.eye_spacing
        add((ex * 0.93, eye_y - 0.02, 0.125, 0.085, -face.eye_depth))
        add((ex, eye_y + 0.005, 0.080, 0.060, 0.045))  # the eyeball under the lids
        add((ex * 0.55, eye_y - 0.01, 0.050, 0.070, -0.035))  # inner corner
        add((ex * 0.9, brow_y + 0.02, 0.150, 0.050, face.brow_ridge + 0.02 * units.brow_lower))
        add((ex * 1.25, eye_y + 0.27 - 0.04 * units.cheek_raise, 0.120, 0.090,
             face.cheekbone_height + cheek))  # fmt: skip
        add((side * 0.36, geometry.mouth_y + 0.02, 0.13, 0.17, face.cheek_fullness - 0.02))
        add((ex, eye.lower[10, 1] + 0.045, 0.075, 0.020, 0.010 * face.eye_bags
             + 0.012 * units.cheek_raise + 0.008 * units.lid_tighten))  # fmt: skip
        # Wings of the nose, and the nostrils' shade under them.
        wing = side * geometry.nose_wing_x * 0.80
        add((wing, geometry.nose_wing_y - 0.015, 0.038, 0.046, 0.050))
        add((side * (lips.half_width + 0.045), float(lips.inner_upper[0, 1]), 0.035, 0.045,
             -0.008 - 0.006 * units.lip_corner_pull))  # fmt: skip
    # The bridge rises from between the eyes to the tip; Gaussians along it make the slope.
    bridge = face.nose_bridge
    for place, share in ((0.15, 0.22), (0.40, 0.40), (0.65, 0.58), (0.85, 0.66)):
        along = eye_y + place * (tip_y - eye_y)
        spread = (tip_y - eye_y) * 0.17
        add((0.0, along, bridge * (0.75 + 0.4 * place), spread, face.nose_height * share))
    add((0.0, tip_y - 0.015, 0.070, 0.066, face.nose_height * 0.70))
    # The columella slopes back to the lip; without it the nose would be cut off below.
    add((0.0, tip_y + 0.065, 0.055, 0.050, face.nose_height * 0.42))
    # Philtrum, lips, the dent under the lip, chin.
    add((0.0, 0.5 * (tip_y + lips.outer_upper[10, 1]) + 0.03, 0.018, 0.030, -0.012))
    upper_y = float(lips.outer_upper[10, 1] + lips.inner_upper[10, 1]) / 2
    lower_y = float(lips.outer_lower[10, 1] + lips.inner_lower[10, 1]) / 2
    add((0.0, upper_y, lips.half_width * 0.62, 0.026, 0.022))
    add((0.0, upper_y, lips.half_width * 0.9, 0.110, 0.045))  # the teeth behind
    add((0.0, lower_y, lips.half_width * 0.55, 0.030, 0.028 * (1.0 - 0.5 * units.lip_press)))
    dent_y = float(lips.outer_lower[10, 1]) + 0.035
    add((0.0, dent_y, lips.half_width * 0.60, 0.036, -0.018 - 0.010 * units.chin_raise))
    chin_y = 0.45 * dent_y + 0.55 * geometry.chin_y
    add((0.0, chin_y, 0.11, 0.065, face.chin_prominence + 0.03 * units.chin_raise))
    # The forehead's curve.
    add((0.0, -0.56, 0.36, 0.18, 0.05))
    cx, cy, sx, sy, height = np.array(bumps, dtype=np.float32).T[:, :, None]
    across = np.exp(-0.5 * ((x[None, :] - cx) / sx) ** 2)
    down = np.exp(-0.5 * ((y[None, :] - cy) / sy) ** 2) * height
    return down.T @ across


def _folds(face: FaceParameters, units: ActionUnits, geometry: Geometry, canvas: Canvas) -> Array:
    """Depth of skin folds in [0, 1], float32 at half resolution."""
    image = Image.new("L", (canvas.pixels // _STEP,) * 2, 0)
    draw = ImageDraw.Draw(image)

    def fold(points: Array, width: float, depth: float) -> None:
        if depth > 0.02:
            scaled = [(x / _STEP, y / _STEP) for x, y in canvas.points(points)]
            pixels = max(1, round(width * canvas.per_unit / _STEP))
            # Folds run out at their ends.
            count = len(scaled) - 1
            for k in range(count):
                taper = (
                    min(1.0, 0.4 + 1.2 * min(k + 0.5, count - 0.5 - k) / count)
                    if count > 3
                    else 1.0
                )
                draw.line(
                    scaled[k : k + 2], fill=round(255 * min(1.0, depth * taper)), width=pixels
                )

    age = face.wrinkles
    mouth = geometry.mouth
    for side, eye in zip(SIDES, geometry.eyes, strict=True):
        # From the wing of the nose around the corner of the mouth.
        corner_x, corner_y = side * mouth.half_width, float(mouth.inner_upper[0, 1])
        start = np.array([side * (geometry.nose_wing_x + 0.015), geometry.nose_wing_y - 0.02])
        end = np.array([corner_x + side * 0.055, corner_y + 0.02 + 0.05 * age])
        bulge = np.array([side * (0.045 + 0.035 * units.lip_corner_pull), -0.015])
        t = np.linspace(0.0, 1.0, 9)[:, None]
        curve = start * (1 - t) + end * t + bulge * 4 * t * (1 - t)
        fold(curve, 0.028, 0.08 + 0.50 * age + 0.42 * units.lip_corner_pull
             + 0.42 * units.upper_lip_raise + 0.25 * units.nose_wrinkle
             + 0.25 * units.teeth_bare + 0.2 * units.lip_stretch)  # fmt: skip
        fold(eye.bag, 0.020, 0.45 * face.eye_bags * (0.4 + 0.6 * age) + 0.30 * units.cheek_raise
             + 0.35 * units.lid_tighten)  # fmt: skip
        # Crow's feet.
        outer = eye.upper[-1 if side > 0 else 0]
        for rise in (-0.05, 0.0, 0.05):
            ray = np.array([outer + (side * 0.03, rise * 0.4), outer + (side * 0.13, rise * 1.7)])
            fold(ray, 0.014, units.cheek_raise * (0.45 + 0.4 * age) + 0.30 * age)
        # Frown lines, and wrinkles on the bridge of the nose.
        frown = np.array([[side * 0.035, -0.115], [side * 0.045, -0.045], [side * 0.035, 0.02]])
        depth = 0.9 * units.brow_lower * (1.0 - 0.3 * units.inner_brow_raise)
        fold(frown + (0.0, face.eye_height), 0.022, depth + 0.25 * age)
        for rise in (0.02, 0.06, 0.10):
            wrinkle = np.array([[side * 0.005, rise + 0.015], [side * 0.085, rise - 0.012]])
            fold(wrinkle + (0.0, face.eye_height), 0.016, 0.8 * units.nose_wrinkle)
        # Marionette lines under drooping corners.
        droop = np.array([[corner_x, corner_y + 0.01], [corner_x + side * 0.03, corner_y + 0.11]])
        fold(droop, 0.024, 0.75 * units.lip_corner_depress + 0.25 * age)
    # Lines across the forehead; only the middle ones when the inner brows rise alone.
    raised = max(units.inner_brow_raise, units.outer_brow_raise)
    reach = 0.16 + 0.20 * units.outer_brow_raise
    top = min(geometry.brow_y) - 0.09
    for row in range(3):
        xs = np.linspace(-reach, reach, 9)
        ys = top - 0.075 * row - 0.02 * np.cos(4.0 * xs) + 0.012 * np.cos(9.0 * xs)
        fold(np.stack([xs, ys], axis=1), 0.018, 0.55 * raised * (0.5 + 0.5 * age) + 0.38 * age)
    soft = image.filter(ImageFilter.GaussianBlur(0.010 * canvas.per_unit / _STEP + 0.4))
    return np.asarray(soft, dtype=np.float32) / 255.0


def _cast_shadow(
    face: FaceParameters, geometry: Geometry, towards: Array, x: Array, y: Array
) -> Array:
    """The nose's shadow on the cheek away from the key light, and under the nose."""
    side, tip_y = -float(towards[0]), geometry.nose_tip_y
    reach = face.nose_height / 0.17
    beside = np.exp(-0.5 * ((x - 0.16 * side) / 0.055) ** 2) * np.exp(
        -0.5 * ((y - tip_y + 0.09) / 0.10) ** 2
    )
    below = np.exp(-0.5 * ((x - 0.10 * side) / 0.085) ** 2) * np.exp(
        -0.5 * ((y - tip_y - 0.10) / 0.035) ** 2
    )
    share = face.light_strength / (face.light_strength + face.light_fill)
    return share * reach * (0.55 * abs(side) * beside - 0.30 * float(towards[1]) * below)


def _gradient(relief: Array, spacing: float) -> tuple[Array, Array]:
    """Central differences along x and y."""
    slope_x, slope_y = np.zeros_like(relief), np.zeros_like(relief)
    slope_x[:, 1:-1] = (relief[:, 2:] - relief[:, :-2]) * (0.5 / spacing)
    slope_y[1:-1] = (relief[2:] - relief[:-2]) * (0.5 / spacing)
    return slope_x, slope_y


def _occlusion(relief: Array, folds: Array, canvas: Canvas) -> Array:
    """Ambient light left in hollows: places lower than their surroundings are darker."""
    radius = max(2, round(0.16 * canvas.per_unit / _STEP))
    hollow = np.maximum(0.0, smooth(relief, radius) - relief - 0.004)
    return np.clip(1.0 - 3.8 * hollow, 0.40, 1.0) * (1.0 - 0.42 * folds)
