"""Images to another size or another number of channels, with Pillow.

Sizes change with Pillow's Lanczos filter, which widens with the reduction and so is antialiased.
The aspect ratio is not kept: an image of another shape is stretched. Colour becomes grey by the
ITU-R 601 luma (0.299 R + 0.587 G + 0.114 B); grey becomes colour by repetition.
"""

from typing import Any

import numpy as np
from PIL import Image

from datasets.source import CHANNELS

ImageSize = int | tuple[int, int]


def check_image_size(image_size: ImageSize | None) -> tuple[int, int] | None:
    """Returns (height, width) of an int (square) or a pair, None of None; else ValueError."""
    if image_size is None:
        return None
    pair = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(pair) != 2 or not all(isinstance(side, int) and side >= 1 for side in pair):
        raise ValueError(
            f"image_size must be a whole number of pixels of at least 1, or (height, width); "
            f"got {image_size!r}"
        )
    return pair


def check_channels(channels: int | None) -> None:
    """Raises ValueError if `channels` is not None, 1 (grey) or 3 (RGB)."""
    if channels is not None and channels not in CHANNELS:
        raise ValueError(f"channels must be 1 (grey) or 3 (RGB); got {channels!r}")


def convert(
    images: np.ndarray, image_size: tuple[int, int] | None = None, channels: int | None = None
) -> tuple[np.ndarray, dict[str, Any] | None]:
    """Resizes and changes between grey and colour, where that is needed.

    Args:
        images: uint8 `[N, H, W, C]`, C 1 or 3.
        image_size: (height, width) wanted; None keeps it.
        channels: 1 or 3; None keeps them.

    Returns:
        uint8 `[N, height, width, channels]`, and what was done for the provenance: None if nothing.
    """
    old_size = images.shape[1:3]
    old_channels = images.shape[3]
    new_size = image_size or old_size
    new_channels = channels or old_channels
    if new_size == old_size and new_channels == old_channels:
        return images, None

    # Grey first when colour goes, grey last when it comes: Pillow resizes one channel either way.
    if new_channels < old_channels:
        images = np.stack([_grey(image) for image in images])
    if new_size != old_size:
        images = np.stack([_resize(image, new_size) for image in images])
    if new_channels > old_channels:
        images = np.repeat(images, new_channels, axis=-1)
    done: dict[str, Any] = {}
    if new_size != old_size:
        done["resized"] = {"from": list(old_size), "to": list(new_size), "filter": "lanczos"}
    if new_channels != old_channels:
        done["channels"] = {"from": old_channels, "to": new_channels}
    return images, done


def resize_picture(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A Pillow picture at (height, width), antialiased."""
    height, width = size
    if picture.size == (width, height):
        return picture
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _grey(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).convert("L"))[..., np.newaxis]


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    is_grey = image.shape[-1] == 1
    resized = np.asarray(resize_picture(Image.fromarray(image[..., 0] if is_grey else image), size))
    return resized[..., np.newaxis] if is_grey else resized
