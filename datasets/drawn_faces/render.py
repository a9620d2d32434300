"""From parameters to a picture: reflectance times light, posed, on a backdrop, through a camera."""

from __future__ import annotations

import numpy as np
from PIL import Image

from datasets.drawn_faces import eyes, geometry, hair, mouth, shading
from datasets.drawn_faces.backdrop import backdrop
from datasets.drawn_faces.canvas import Array, Canvas, as_colour, resize, smooth, supersampling
from datasets.drawn_faces.colours import palette
from datasets.drawn_faces.parameters import ActionUnits, FaceParameters
from datasets.drawn_faces.pose import aligned, face_coordinates
from datasets.drawn_faces.sampling import (
    TEXTURE_STREAM,
    random_stream,
    sample_expression,
    sample_person,
)

MIN_SIZE, MAX_SIZE = 16, 512


def draw_face(
    seed: int, emotion: str | int, size: int = 48, channels: int = 1, align: bool = False
) -> Array:
    """The face of person `seed` showing `emotion`.

    The person, the pose, the light, the background and the camera's noise depend on `seed`
    alone, so the same seed with another emotion is the same person in the same photograph.

    Args:
        seed: int in [0, 2**63).
        emotion: a name of `bplf_tf.config.EMOTIONS`, or its index.
        size: height and width in pixels, 16 to 512.
        channels: 1 (grey) or 3 (RGB).
        align: whether the eyes lie in one place for all people; see `pose.aligned`.

    Returns:
        uint8 `[size, size, channels]`, the same in every process.

    Raises:
        ValueError: an argument is not one of those.
    """
    person = sample_person(seed)
    units = sample_expression(seed, emotion)
    return render(aligned(person) if align else person, units, seed, size, channels)


def pair(seed: int, emotion: str | int, size: int = 48, channels: int = 1) -> tuple[Array, Array]:
    """The same person in the same photograph, neutral and showing `emotion`; see `draw_face`."""
    neutral = draw_face(seed, "neutral", size, channels)
    return neutral, draw_face(seed, emotion, size, channels)


def render(
    face: FaceParameters,
    units: ActionUnits,
    seed: int = 0,
    size: int = 48,
    channels: int = 1,
) -> Array:
    """Draw a face from parameters; `seed` sets the texture of skin and hair and the noise.

    Returns:
        uint8 `[size, size, channels]`.

    Raises:
        ValueError: `size`, `channels` or `seed` is out of range.
    """
    check_shape(size, channels)
    rng = random_stream(seed, TEXTURE_STREAM)
    fine, coarse = rng.standard_normal((2, 64, 64), dtype=np.float32)
    canvas = Canvas(size)
    head, alpha = _head(face, units, canvas, channels, fine, coarse)
    picture = _pose(face, head, alpha, canvas, channels, geometry.build(face, units))
    return _camera(picture, face, size, rng)


def check_shape(size: int, channels: int) -> None:
    """Raise `ValueError` unless faces of this size and number of channels can be drawn."""
    if not isinstance(size, (int, np.integer)) or not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(f"size must be an integer in [{MIN_SIZE}, {MAX_SIZE}], got {size!r}.")
    if channels not in (1, 3):
        raise ValueError(f"channels must be 1 (grey) or 3 (RGB), got {channels!r}.")


def _head(
    face: FaceParameters,
    units: ActionUnits,
    canvas: Canvas,
    channels: int,
    fine: Array,
    coarse: Array,
) -> tuple[Array, Array]:
    """The lit head from the front, float32 `[P, P, channels]`, and its mask `[P, P]`."""
    shape = geometry.build(face, units)
    colours = palette(face)
    image = Image.new("RGB", canvas.shape, as_colour(colours.skin))
    grain = Image.fromarray(np.clip(205 + 42 * fine, 0, 255).astype(np.uint8))
    grain = grain.resize(canvas.shape, Image.Resampling.BILINEAR)
    mouth.paint_blush(image, face, shape, colours, canvas)
    hair.paint_beard(image, face, shape, colours, canvas, grain)
    mouth.paint_nose(image, shape, colours, canvas)
    mouth.paint_mouth(image, face, units, shape, colours, canvas)
    eyes.paint_eyes(image, face, shape, colours, canvas)
    eyes.paint_brows(image, face, shape, colours, canvas)
    eyes.paint_glasses(image, face, shape, colours, canvas)
    flat = image if channels == 3 else image.convert("L")
    reflectance = np.asarray(flat, np.float32).reshape(*canvas.shape, channels) / 255.0
    blotches = resize(0.7 * coarse[:24, :24], canvas.shape) + resize(fine, canvas.shape)
    reflectance *= (1.0 + face.skin_roughness * blotches)[..., None]
    diffuse, specular = shading.light(face, units, shape, canvas)
    covered = hair.paint_hair(reflectance, face, shape, colours, canvas, coarse)
    # The hair's shadow on the skin beside it.
    diffuse *= 1.0 - 0.55 * smooth(covered, canvas.length(0.10)) * (1.0 - covered)
    specular = specular * (1.0 - 0.8 * covered)
    # Hair hides the folds of the skin.
    diffuse += covered * (smooth(diffuse, canvas.length(0.12)) - diffuse)
    lit = reflectance * diffuse[..., None] + specular[..., None]
    return lit, np.maximum(hair.head_mask(face, shape, canvas), covered)


def _pose(
    face: FaceParameters,
    head: Array,
    alpha: Array,
    canvas: Canvas,
    channels: int,
    shape: geometry.Geometry,
) -> Array:
    """Turn, nod, tilt and place the head before the backdrop: float32 `[S, S, channels]`."""
    pixels = canvas.size * supersampling(canvas.size)
    axis = ((np.arange(pixels, dtype=np.float32) + 0.5) / (0.5 * pixels) - 1.0).astype(np.float32)
    u = (axis[None, :] - face.shift_x) * np.float32(1.0 / face.scale)
    v = (axis[:, None] - face.shift_y) * np.float32(1.0 / face.scale)
    cos, sin = np.float32(np.cos(face.roll)), np.float32(np.sin(face.roll))
    pivot = np.float32(0.5)  # heads tilt about the neck
    x = cos * u + sin * (v - pivot)
    y = cos * (v - pivot) - sin * u + pivot
    x, y = face_coordinates(face, x, y)
    half = 0.5 * canvas.pixels
    columns = np.clip(x * canvas.per_unit + half, 0, canvas.pixels - 1).astype(np.int32)
    rows = np.clip(y * canvas.per_unit + half, 0, canvas.pixels - 1).astype(np.int32)
    # Nearest neighbours do: several of them are averaged into each pixel of the picture.
    index = rows * canvas.pixels + columns
    behind = _backdrop(face, shape, axis, channels)
    cover = alpha.reshape(-1)[index][..., None]
    front = head.reshape(-1, channels)[index]
    return behind + cover * (front - behind)


def _backdrop(face: FaceParameters, shape: geometry.Geometry, axis: Array, channels: int) -> Array:
    """The backdrop at the pixels of `axis`; it is soft, so half the resolution is enough."""
    step = 2 if len(axis) % 2 == 0 else 1
    coarse = axis.reshape(-1, step).mean(axis=1)
    picture = backdrop(face, shape, palette(face), coarse, channels)
    return picture.repeat(step, axis=0).repeat(step, axis=1)


def _camera(picture: Array, face: FaceParameters, size: int, rng: np.random.Generator) -> Array:
    """Colour of the light, tone curve, pixels, grain."""
    factor = picture.shape[0] // size
    channels = picture.shape[-1]
    picture = picture.reshape(size, factor, size, factor, channels).mean(axis=(1, 3))
    if channels == 3:
        warmth = 0.06 * face.light_warmth
        picture = picture * np.array([1.0 + warmth, 1.0, 1.0 - warmth], np.float32)
    # A soft shoulder and toe keep the extremes clear of 0 and 255.
    toned = 0.045 + 0.90 * (1.0 - np.exp(-1.85 * np.maximum(picture, 0.0) ** 1.1))
    noise = rng.standard_normal((size, size, channels), dtype=np.float32) * face.grain
    return np.clip(np.round(255.0 * toned + noise), 0, 255).astype(np.uint8)
