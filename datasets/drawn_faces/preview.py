"""A labelled contact sheet: `python -m datasets.drawn_faces.preview --out=faces.png`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from absl import app, flags
from PIL import Image, ImageDraw, ImageFont

from bplf_tf.config import EMOTIONS
from datasets.drawn_faces.render import draw_face

_OUT = flags.DEFINE_string("out", "drawn_faces.png", "Picture file to write.")
_COLUMNS = flags.DEFINE_integer("columns", 10, "Faces per emotion.", lower_bound=1)
_SIZE = flags.DEFINE_integer("size", 48, "Height and width of a face in pixels.")
_CHANNELS = flags.DEFINE_integer("channels", 1, "1 (grey) or 3 (RGB).")
_ZOOM = flags.DEFINE_integer("zoom", 2, "Enlargement of the pixels.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the first face.", lower_bound=0)
_SAME = flags.DEFINE_bool("same_people", False, "The same people in every row: pairs.")


def contact_sheet(
    columns: int = 10,
    size: int = 48,
    channels: int = 1,
    zoom: int = 2,
    seed: int = 0,
    same_people: bool = False,
) -> Image.Image:
    """One row per emotion with its name, `columns` faces each, enlarged `zoom` times.

    With `same_people` every row shows the persons `seed`, `seed + 1`, ...; otherwise all differ.

    Raises:
        ValueError: see `draw_face`.
    """
    rows = []
    for row, emotion in enumerate(EMOTIONS):
        first = seed if same_people else seed + row * columns
        faces = [draw_face(first + k, emotion, size, channels) for k in range(columns)]
        rows.append(np.concatenate(faces, axis=1))
    pixels = np.concatenate(rows, axis=0)
    picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels).convert("RGB")
    picture = picture.resize(
        (picture.width * zoom, picture.height * zoom), Image.Resampling.BICUBIC
    )
    margin = 72
    sheet = Image.new("RGB", (picture.width + margin, picture.height), "white")
    sheet.paste(picture, (margin, 0))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for row, emotion in enumerate(EMOTIONS):
        draw.text((6, (row + 0.5) * size * zoom), emotion, "black", font, anchor="lm")
    return sheet


def main(arguments: list[str]) -> None:
    """Write the sheet that the flags describe."""
    if len(arguments) > 1:
        raise app.UsageError(f"unknown arguments: {' '.join(arguments[1:])}")
    sheet = contact_sheet(
        _COLUMNS.value, _SIZE.value, _CHANNELS.value, _ZOOM.value, _SEED.value, _SAME.value
    )
    out = Path(_OUT.value)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    print(f"{sheet.width}x{sheet.height} pixels in {out}")


if __name__ == "__main__":
    app.run(main)
