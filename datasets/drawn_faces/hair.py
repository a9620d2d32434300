"""Hair, beard and ears."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from datasets.drawn_faces.canvas import Array, Canvas, as_colour, ellipse, resize
from datasets.drawn_faces.colours import LUMINANCE, Palette
from datasets.drawn_faces.geometry import SIDES, Geometry
from datasets.drawn_faces.parameters import FaceParameters


def ears(face: FaceParameters, geometry: Geometry) -> list[Array]:
    """Polygons of the ears."""
    y = face.eye_height + 0.10
    width = float(geometry.half_width(np.array(y)))
    return [
        ellipse(side * (width - 0.02 + 0.5 * face.ear_spread), y, 0.5 * face.ear_spread + 0.055,
                face.ear_size)
        for side in SIDES
    ]  # fmt: skip


def hair_polygon(face: FaceParameters, geometry: Geometry) -> Array:
    """The hair in front of the head: a cap down to the hairline, and strands beside the face."""
    # Cropped hair ends above the ears, long hair leaves the picture.
    end_y = face.eye_height - 0.05 + 1.45 * max(0.0, face.hair_length - 0.30) ** 0.8
    thick = face.hair_volume * (0.35 + 0.65 * min(1.0, face.hair_length * 1.6 + 0.2))
    angle = np.linspace(0.0, np.pi, 25)
    crown = geometry.crown_y - thick
    half = geometry.half_width_scale * 1.02 + thick
    # Outer edge from the left temple over the crown to the right one.
    outer_x = -half * np.cos(angle)
    outer_y = -0.12 + (crown + 0.12) * np.sin(angle) ** 0.85
    outer = np.stack([outer_x, outer_y], axis=1)
    side_y = np.linspace(end_y, -0.12, 7)[:-1]
    flare = 1.0 + 0.10 * np.clip((side_y + 0.12) / 1.2, 0.0, 1.0)
    inner_x = np.maximum(geometry.half_width(side_y), 0.55 * half) * 0.93
    left = np.stack([-half * flare, side_y], axis=1)
    right = np.stack([half * flare, side_y], axis=1)[::-1]
    left_inner = np.stack([-np.minimum(inner_x, half), side_y], axis=1)
    right_inner = left_inner[::-1] * (-1.0, 1.0)
    # The hairline from right to left, with bays above the temples and a parted fringe.
    temple = geometry.half_width_scale
    line_x = np.linspace(0.93, -0.93, 25) * temple
    relative = line_x / temple
    height = -face.hairline - face.hair_recession * np.exp(
        -(((np.abs(relative) - 0.52) / 0.18) ** 2)
    )
    fringe = 0.30 * face.hair_fringe
    parted = np.exp(-(((line_x - face.hair_part) / 0.16) ** 2))
    height = height + fringe * (1.0 - parted) * (1.0 - 0.6 * relative**2)
    height = np.maximum(height, crown + 0.06)
    sides = np.clip((np.abs(relative) - 0.60) / 0.33, 0.0, 1.0) ** 2.0
    line_y = height * (1.0 - sides) + (-0.02) * sides
    hairline = np.stack([line_x, line_y], axis=1)
    if end_y <= -0.12:  # cropped: no strands below the temples
        return np.concatenate([outer, hairline])
    return np.concatenate([left, outer, right, right_inner, hairline, left_inner])


def paint_hair(
    reflectance: Array,
    face: FaceParameters,
    geometry: Geometry,
    palette: Palette,
    canvas: Canvas,
    strands: Array,
) -> Array:
    """Paint the hair into `reflectance` (in place) and return its mask, float32 `[P, P]`."""
    small, corner = canvas.mask(hair_polygon(face, geometry), blur=0.022)
    mask = np.zeros(canvas.shape, np.float32)
    mask[corner[1] : corner[1] + small.height, corner[0] : corner[0] + small.width] = np.asarray(
        small
    )
    mask *= 1.0 / 255.0
    x, y = canvas.coordinates(2)[None, :], canvas.coordinates(2)[:, None]
    texture = resize(_strands(face, geometry, x, y, strands), canvas.shape)
    # A soft edge that frays along the strands.
    mask = np.clip(mask + 0.5 * texture * mask * (1.0 - mask), 0.0, 1.0)
    shaded = 1.0 + 0.17 * texture
    colour = palette.hair if reflectance.shape[-1] == 3 else [palette.hair @ LUMINANCE]
    for part, value in enumerate(colour):
        layer = reflectance[..., part]
        layer += mask * (float(value) * shaded - layer)
    return mask


def _strands(face: FaceParameters, geometry: Geometry, x: Array, y: Array, noise: Array) -> Array:
    """Noise stretched along the hair, which falls from the parting; about normal."""
    locks = Image.fromarray(noise[:12])
    rows, columns = 64, 256
    table = np.asarray(locks.resize((columns, rows), Image.Resampling.BICUBIC))
    fine = np.asarray(Image.fromarray(noise[12:16]).resize((columns, rows)))
    table = table + 0.8 * np.roll(fine[:, ::-1], 7, axis=1)
    dx, dy = x - face.hair_part, np.maximum(0.05, y - geometry.crown_y + 0.25)
    angle = dx / (np.abs(dx) * 0.55 + dy)  # cheaper than arctan2, and good enough
    across = ((angle * 0.5 + 0.5) * columns).astype(np.int32) % columns
    down = ((np.abs(dx) * 0.7 + dy) * 0.30 * rows).astype(np.int32) % rows
    return table[down, across]


def paint_beard(
    image: Image.Image,
    face: FaceParameters,
    geometry: Geometry,
    palette: Palette,
    canvas: Canvas,
    noise: Image.Image,
) -> None:
    """Beard, moustache and stubble around the mouth; the lips are painted over them.

    `noise` is a canvas-sized texture of mode L that thins the hairs out here and there.
    """
    for polygon, density, blur in (
        (_lower_face(geometry), max(face.beard, 0.38 * face.stubble), 0.045),
        (_above_lip(geometry), max(face.moustache, 0.32 * face.stubble), 0.018),
    ):
        if density < 0.02:
            continue
        mask, corner = canvas.mask(polygon, blur=blur, opacity=density)
        box = (*corner, corner[0] + mask.width, corner[1] + mask.height)
        mask = ImageChops.multiply(mask, noise.crop(box))
        image.paste(as_colour(palette.beard), box, mask)


def _lower_face(geometry: Geometry) -> Array:
    """Jaw and chin, from the ears down, with the cheeks left free."""
    y, width = geometry.outline(0.10, geometry.chin_y, 17)
    left, right = np.stack([-width, y], axis=1), np.stack([width, y], axis=1)[::-1]
    across = np.linspace(0.9, -0.9, 15)
    dip = np.abs(across) ** 1.5
    lip_y = float(geometry.mouth.outer_upper[:, 1].min())
    cheek_y = (lip_y + 0.12) * (1.0 - dip) + 0.14 * dip
    edge = float(geometry.half_width(np.array(0.14)))
    return np.concatenate([left, right, np.stack([across * edge, cheek_y], axis=1)])


def _above_lip(geometry: Geometry) -> Array:
    """The moustache: between nose and upper lip, drooping a little at its ends."""
    lip = geometry.mouth.outer_upper
    t = np.linspace(-1.0, 1.0, 13)
    x = t * geometry.mouth.half_width
    bottom = np.interp(x, lip[:, 0], lip[:, 1]) + 0.020
    middle = geometry.nose_wing_y + 0.05
    top = middle + (float(lip[0, 1]) - 0.02 - middle) * np.abs(t) ** 1.8
    top = np.minimum(top, bottom - 0.03)
    bottom = bottom + 0.05 * np.abs(t) ** 4
    edge = np.stack([1.12 * x, top], axis=1), np.stack([1.12 * x, bottom], axis=1)[::-1]
    return np.concatenate(edge)


def head_mask(face: FaceParameters, geometry: Geometry, canvas: Canvas) -> Array:
    """Where the head is, without the hair: float32 `[P, P]`."""
    y, width = geometry.outline(geometry.crown_y, geometry.chin_y, 33)
    head = np.concatenate([np.stack([-width, y], axis=1), np.stack([width, y], axis=1)[::-1]])
    small, (x0, y0) = canvas.mask(head, *ears(face, geometry), blur=0.008)
    mask = np.zeros(canvas.shape, np.float32)
    mask[y0 : y0 + small.height, x0 : x0 + small.width] = np.asarray(small, np.float32) / 255.0
    return mask
