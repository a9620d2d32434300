"""A square around a detected face, turned so that the eyes are level where they are known."""

from __future__ import annotations

import math

import numpy as np

from datasets.emotionset.detectors import Face

# Beyond this a detector's eyes are more likely wrong than the head that far tilted.
_MOST_DEGREES = 45.0


def crop(image: np.ndarray, face: Face, margin: float, align: bool) -> np.ndarray:
    """The face, as many pixels large as it is in the image.

    Args:
      image: uint8 `[H, W]` or `[H, W, 3]`.
      face: where it is.
      margin: what is shown around the box on each side, as a share of the box' longer side.
      align: turn the crop about the face's middle, so that the eyes are level.

    Returns:
      uint8 `[S, S]` or `[S, S, 3]`. What lies outside the image repeats its border.
    """
    import cv2

    matrix, pixels = placement(face, margin, align)
    return cv2.warpAffine(
        image, matrix, (pixels, pixels), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def placement(face: Face, margin: float, align: bool) -> tuple[np.ndarray, int]:
    """Where `crop` takes a face from: the affine map `[2, 3]` from image to crop, and S."""
    import cv2

    side = max(face.width, face.height) * (1 + 2 * margin)
    # Of pixel centres: a box from pixel 0 that is 3 wide has its middle at 1.
    middle = (face.left + (face.width - 1) / 2, face.top + (face.height - 1) / 2)
    pixels = max(1, round(side))
    angle = tilt(face) if align else 0.0
    # Turned about the middle of the face, which comes to the middle of the crop.
    matrix: np.ndarray = cv2.getRotationMatrix2D(middle, angle, 1.0)
    matrix[:, 2] += np.subtract((pixels - 1) / 2, middle)
    if not angle:
        matrix[:, 2] = np.round(matrix[:, 2])  # whole pixels: nothing is interpolated
    return matrix, pixels


def tilt(face: Face) -> float:
    """Degrees by which the line of the eyes falls to the right; 0 where they are not known."""
    if face.eyes is None:
        return 0.0
    (x0, y0), (x1, y1) = face.eyes
    angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
    return angle if abs(angle) <= _MOST_DEGREES else 0.0
