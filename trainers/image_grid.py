"""Labelled grids of small images, as one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from datasets.files import written_aside

_BACKGROUND = (255, 255, 255)
_INK = (40, 40, 40)
_TEXT_SIZE = 15
_BORDER = 8
_TILE_GAP = 2
_BLOCK_GAP = 14
_SHORTEST_TILE = 90  # pixels; smaller images are enlarged by a whole number


def image_grid(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]], headings: Sequence[str] = ()
) -> Image.Image:
    """Draws rows of images with a caption at the left and a heading over each block.

    Args:
      rows: `(caption, blocks)`; each block is uint8 `[n, H, W, C]`, C 1 or 3, all of one H, W, C.
        Blocks stand side by side. Rows may differ in n; the places left over stay empty.
      headings: one text per block, or none.

    Returns:
      An RGB picture.

    Raises:
      ValueError: no rows, rows with different numbers of blocks, or images of several shapes.
    """
    _check(rows, headings)
    height, width = rows[0][1][0].shape[1:3]
    scale = max(1, round(_SHORTEST_TILE / min(height, width)))
    tile_height, tile_width = height * scale, width * scale
    counts = [max(len(blocks[i]) for _, blocks in rows) for i in range(len(rows[0][1]))]

    font = ImageFont.load_default(size=_TEXT_SIZE)
    captions = max((font.getlength(caption) for caption, _ in rows), default=0.0)
    left = _BORDER + (int(captions) + _BLOCK_GAP if captions else 0)
    top = _BORDER + (_TEXT_SIZE + 8 if any(headings) else 0)
    lefts = []
    right = left
    for i, count in enumerate(counts):
        lefts.append(right)
        heading = font.getlength(headings[i]) if headings else 0.0
        right += max(count * (tile_width + _TILE_GAP) - _TILE_GAP, int(heading)) + _BLOCK_GAP
    bottom = top + len(rows) * (tile_height + _TILE_GAP) - _TILE_GAP

    picture = Image.new("RGB", (right - _BLOCK_GAP + _BORDER, bottom + _BORDER), _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    for x, heading_text in zip(lefts, headings, strict=False):
        draw.text((x, _BORDER), heading_text, _INK, font)
    for r, (caption, blocks) in enumerate(rows):
        y = top + r * (tile_height + _TILE_GAP)
        draw.text((_BORDER, y + tile_height / 2), caption, _INK, font, anchor="lm")
        for x, block in zip(lefts, blocks, strict=True):
            for i, image in enumerate(block):
                tile = _rgb(image).resize((tile_width, tile_height), Image.Resampling.NEAREST)
                picture.paste(tile, (x + i * (tile_width + _TILE_GAP), y))
    return picture


def save_png(picture: Image.Image, path: Path) -> None:
    """Writes a PNG, whole or not at all."""
    with written_aside(path) as aside:
        picture.save(aside, format="PNG")


def _rgb(image: np.ndarray) -> Image.Image:
    return Image.fromarray(image[:, :, 0] if image.shape[-1] == 1 else image).convert("RGB")


def _check(rows: Sequence[tuple[str, Sequence[np.ndarray]]], headings: Sequence[str]) -> None:
    if not rows or not rows[0][1]:
        raise ValueError("a grid needs at least one row with at least one block of images")
    if len({len(blocks) for _, blocks in rows}) > 1:
        raise ValueError("all rows of a grid must have the same number of blocks")
    if headings and len(headings) != len(rows[0][1]):
        raise ValueError(f"{len(rows[0][1])} blocks but {len(headings)} headings")
    shapes = {block.shape[1:] for _, blocks in rows for block in blocks}
    if len(shapes) > 1:
        raise ValueError(f"all images of a grid must have one shape, got {sorted(shapes)}")
    for _, blocks in rows:
        for block in blocks:
            if block.dtype != np.uint8 or block.ndim != 4 or block.shape[-1] not in (1, 3):
                raise ValueError(
                    "blocks of a grid must be uint8 [n, height, width, 1 or 3], "
                    f"got {block.dtype} {list(block.shape)}"
                )
