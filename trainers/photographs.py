"""Photographs as files: their pixels, and all that has to be in the file that is written again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from datasets.files import written_aside
from datasets.folder import SUFFIXES, decode

_QUALITY = 95  # of formats that lose something
_TRANSPARENT = {".png", ".tif", ".tiff", ".webp"}


@dataclasses.dataclass(frozen=True, eq=False)
class Photograph:
    """A picture, upright.

    Attributes:
      path: where it was read.
      pixels: uint8 `[H, W]` or `[H, W, 3]`.
      alpha: uint8 `[H, W]`, or None where all of it is opaque.
      profile: its ICC profile, or None.
    """

    path: Path
    pixels: np.ndarray
    alpha: np.ndarray | None
    profile: bytes | None


def read_photograph(path: Path) -> Photograph:
    """Reads a picture of any format that `datasets.folder` reads.

    Raises:
      FileNotFoundError: it is not there.
      ValueError: it cannot be read.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no picture {path}")
    pixels = decode(path)
    with Image.open(path) as file:
        profile = file.info.get("icc_profile")
        alpha = None
        if file.has_transparency_data:
            upright = ImageOps.exif_transpose(file)
            alpha = np.asarray(upright.convert("RGBA").getchannel("A"))
    # A profile of three channels would not fit what is read as grey, and the other way round.
    kept = profile if pixels.ndim == 3 else None
    return Photograph(path, pixels, alpha, kept)


def write_photograph(photograph: Photograph, pixels: np.ndarray, path: Path) -> None:
    """Writes edited pixels with the photograph's transparency and profile, whole or not at all.

    Args:
      photograph: as it was read.
      pixels: of its size, or several of them side by side.
      path: where to; formats that know no transparency go without.

    Raises:
      ValueError: the format that the name ends in cannot be written.
      WriteError: the file cannot be written.
    """
    picture = Image.fromarray(pixels)
    if photograph.alpha is not None and path.suffix.lower() in _TRANSPARENT:
        times = pixels.shape[1] // photograph.alpha.shape[1]
        picture.putalpha(Image.fromarray(np.tile(photograph.alpha, (1, times))))
    options: dict[str, Any] = {}
    if photograph.profile is not None:
        options["icc_profile"] = photograph.profile
    with written_aside(path) as aside:
        picture.save(aside, quality=_QUALITY, **options)


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, by name; those of folders in it are not among them."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
