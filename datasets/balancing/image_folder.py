"""A balanced set as a folder of PNG files, as `datasets.folder` reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from datasets.balancing.faces import Face

PROVENANCE = "bplf_tf"
"""Under which name a file holds its face's provenance, so that it stays with it: a text chunk."""


def write(faces: Iterable[Face], folder: Path) -> None:
    """Writes `<split>/<label>/<key>.png` into an existing folder.

    Raises:
      OSError: for a full disk and the like.
    """
    for face in faces:
        place = folder / face.split / face.label
        place.mkdir(parents=True, exist_ok=True)
        pixels = face.image[:, :, 0] if face.image.shape[-1] == 1 else face.image
        text = PngInfo()
        text.add_text(PROVENANCE, json.dumps(face.provenance))
        file = place / f"{face.key.replace('/', '_')}.png"
        Image.fromarray(pixels).save(file, format="PNG", pnginfo=text)
