"""Pictures for the report: contact sheets and mean faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_GAP = 2
_TEXT_WIDTH = 84
_TILE = 96  # images are enlarged to at least about this many pixels
_BACKGROUND, _INK = (255, 255, 255), (40, 40, 40)


def evenly(count: int, wanted: int) -> list[int]:
    """At most `wanted` places out of `count`, spread evenly from the first on."""
    if count <= wanted:
        return list(range(count))
    return [place * count // wanted for place in range(wanted)]


def rows_sheet(rows: Sequence[tuple[str, Sequence[np.ndarray]]]) -> Image.Image:
    """Named rows of images of one size, uint8 `[S, S]` or `[S, S, C]`."""
    side = max(image.shape[0] for _, images in rows for image in images)
    columns = max(len(images) for _, images in rows)
    step = side + _GAP
    sheet = Image.new("RGB", (_TEXT_WIDTH + columns * step, len(rows) * step), _BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for row, (name, images) in enumerate(rows):
        draw.text((4, row * step + side // 2), name, _INK, font, anchor="lm")
        for column, image in enumerate(images):
            sheet.paste(_picture(image), (_TEXT_WIDTH + column * step, row * step))
    return sheet


def block_sheet(images: Sequence[np.ndarray], columns: int = 16) -> Image.Image:
    """Images of one size, row after row."""
    side = images[0].shape[0]
    step = side + _GAP
    columns = min(columns, len(images))
    height = -(-len(images) // columns) * step
    sheet = Image.new("RGB", (columns * step, height), _BACKGROUND)
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        sheet.paste(_picture(image), (column * step, row * step))
    return sheet


def named_sheet(images: Sequence[tuple[str, np.ndarray]]) -> Image.Image:
    """A row of images, enlarged, with their names below."""
    times = max(1, _TILE // images[0][1].shape[0])
    side = images[0][1].shape[0] * times
    sheet = Image.new("RGB", (len(images) * (side + _GAP), side + 18), _BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for place, (name, image) in enumerate(images):
        left = place * (side + _GAP)
        sheet.paste(_picture(image).resize((side, side), Image.Resampling.BICUBIC), (left, 0))
        draw.text((left + side // 2, side + 9), name, _INK, font, anchor="mm")
    return sheet


def _picture(image: np.ndarray) -> Image.Image:
    pixels = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    return Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
