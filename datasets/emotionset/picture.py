"""Single images between grey and colour and between sizes, as EmotionSet's steps need them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from datasets.resize import resize_picture


def simplest(image: np.ndarray) -> np.ndarray:
    """uint8 `[H, W]` of `[H, W]`, `[H, W, 1]` and of RGB whose channels are equal; else the RGB."""
    if image.ndim == 3 and image.shape[2] == 1:
        return image[..., 0]
    if image.ndim == 3 and (image == image[..., :1]).all():
        return image[..., 0]
    return image


def grey(image: np.ndarray) -> np.ndarray:
    """uint8 `[H, W]`: the ITU-R 601 luma of RGB, and grey as it is."""
    simple = simplest(image)
    if simple.ndim == 2:
        return np.ascontiguousarray(simple)
    return np.asarray(Image.fromarray(np.ascontiguousarray(simple)).convert("L"))


def rgb(image: np.ndarray) -> np.ndarray:
    """uint8 `[H, W, 3]`, contiguous: grey is repeated."""
    simple = simplest(image)
    if simple.ndim == 2:
        simple = np.repeat(simple[..., None], 3, axis=2)
    return np.ascontiguousarray(simple)


def fit(image: np.ndarray, side: int, channels: int) -> np.ndarray:
    """uint8 `[side, side, channels]`: resized with antialiasing, grey before it where it goes."""
    simple = grey(image) if channels == 1 else simplest(image)
    picture = Image.fromarray(np.ascontiguousarray(simple))
    resized = np.asarray(resize_picture(picture, (side, side)))
    if resized.ndim == 2:
        resized = np.repeat(resized[..., None], channels, axis=2)
    return resized
