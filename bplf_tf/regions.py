"""Parts of a face as soft masks, and edits that stay within them."""

from __future__ import annotations

from typing import Any

import numpy as np

from bplf_tf.stacking import stacked

Region = str | np.ndarray

# Middle and half-axes of ellipses, as shares of the width and the height of a picture of a face
# from the forehead to the chin: x, y, half-width, half-height.
_ELLIPSES = {
    "eyes": (0.50, 0.31, 0.46, 0.21),  # with the brows
    "mouth": (0.50, 0.80, 0.34, 0.21),  # with the chin, which falls with the jaw
    "face": (0.50, 0.52, 0.46, 0.50),
}
REGIONS = tuple(_ELLIPSES)
_SOFT = 0.25  # width of the edge, as a share of the ellipse' radius, to each side


def region_mask(region: Region, height: int, width: int) -> np.ndarray:
    """How much of each pixel is edited, float32 `[H, W, 1]` or `[B, H, W, 1]`, 0 to 1.

    Args:
      region: `"mouth"`, `"eyes"` (with the brows) or `"face"`, ellipses with soft edges where these
        lie in a picture of an upright face that fills it; or a mask `[H, W]` or `[B, H, W]`: bool,
        uint8 in 0..255, or floats in [0, 1].
      height: of the images.
      width: likewise.

    Raises:
      ValueError: for another name, or a mask of another shape, dtype or range.
    """
    if isinstance(region, str):
        if region not in _ELLIPSES:
            raise ValueError(
                f"a region is {', '.join(REGIONS)} or a mask [{height}, {width}], got {region!r}"
            )
        return _ellipse(*_ELLIPSES[region], height, width)
    mask = stacked("masks", region)
    if mask.ndim not in (2, 3) or mask.shape[-2:] != (height, width):
        raise ValueError(
            f"a mask must have shape [{height}, {width}] or [B, {height}, {width}], got "
            f"{list(mask.shape)}"
        )
    if mask.dtype == np.uint8:
        mask = mask / np.float32(255)
    elif mask.dtype != bool and mask.dtype.kind != "f":
        raise ValueError(f"a mask must be bool, uint8 or floats in [0, 1], got {mask.dtype}")
    mask = mask.astype(np.float32)
    if not ((mask >= 0) & (mask <= 1)).all():
        raise ValueError("a mask of floats must lie in [0, 1]")
    return mask[..., np.newaxis]


def blend_region(images: Any, edited: Any, region: Region) -> np.ndarray:
    """Edited images within a region, and the images as they were outside.

    Args:
      images: uint8 `[B, H, W, C]`.
      edited: the same shape.
      region: see `region_mask`.

    Returns:
      uint8 `[B, H, W, C]`.

    Raises:
      ValueError: for images of different shapes or other dtypes, or a region that does not fit.
    """
    images, edited = stacked("images", images), stacked("edited images", edited)
    for what, array in (("images", images), ("edited images", edited)):
        if array.dtype != np.uint8 or array.ndim != 4:
            raise ValueError(
                f"{what} must be uint8 [B, H, W, C], got {array.dtype} {list(array.shape)}"
            )
    if images.shape != edited.shape:
        raise ValueError(
            f"images and edited images must have one shape, got {list(images.shape)} and "
            f"{list(edited.shape)}"
        )
    mask = region_mask(region, *images.shape[1:3])
    if mask.ndim == 4 and len(mask) not in (1, len(images)):
        raise ValueError(f"got {len(mask)} masks for {len(images)} images")
    before = images.astype(np.float32)
    return np.rint(before + mask * (edited.astype(np.float32) - before)).astype(np.uint8)


def _ellipse(
    x: float, y: float, half_width: float, half_height: float, height: int, width: int
) -> np.ndarray:
    across = ((np.arange(width) + 0.5) / width - x) / half_width
    down = ((np.arange(height) + 0.5) / height - y) / half_height
    radius = np.hypot(across[np.newaxis], down[:, np.newaxis])
    share = np.clip((1 + _SOFT - radius) / (2 * _SOFT), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)[..., np.newaxis]
