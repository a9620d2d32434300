"""Bytes of an image file into pixels, with no trust in them."""

from __future__ import annotations

import io
import warnings

import numpy as np

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF")
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff")
MAX_PIXELS = 40_000_000  # far above any camera of these data sets, far below what fills memory


class ImageError(ValueError):
    """The bytes are no image that can be read; the message says why, in one line."""


def is_image(name: str) -> bool:
    """Whether a file's name has the suffix of an image."""
    return name.lower().endswith(SUFFIXES)


def decode_image(content: bytes) -> np.ndarray:
    """Pixels of an image file.

    Args:
      content: the file.

    Returns:
      uint8 `[H, W]` of a grey image, `[H, W, 3]` (RGB) of any other; turned upright by its EXIF
      orientation, 16-bit grey by its high byte, without alpha.

    Raises:
      ImageError: it is truncated, damaged, of another kind, or larger than `MAX_PIXELS`.
    """
    from PIL import Image, ImageOps

    if not content:
        raise ImageError("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which are checked here, and odd metadata
            with Image.open(io.BytesIO(content), formats=FORMATS) as file:
                # Before any pixel is decompressed.
                if file.width * file.height > MAX_PIXELS:
                    raise ImageError(f"{file.width}x{file.height} pixels are too many")
                picture = ImageOps.exif_transpose(file)
        if picture.mode.startswith("I;16"):
            return (np.asarray(picture) >> 8).astype(np.uint8)
        if picture.mode in ("I", "F"):
            raise ImageError(f"32-bit pixels (mode {picture.mode}) are not supported")
        is_grey = picture.mode in ("1", "L", "LA", "La")
        return np.asarray(picture.convert("L" if is_grey else "RGB"))
    except ImageError:
        raise
    except Exception as error:  # Pillow's file plugins let errors of many kinds through
        text = " ".join(str(error).split())[:200]
        raise ImageError(f"not readable as an image: {type(error).__name__}: {text}") from error
