"""What a detector gives."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in an image, in pixels from the image's upper left corner.

    Attributes:
      left, top, width, height: the box.
      eyes: (x, y) of the eye on the left side of the image and of the one on the right, where the
        detector finds them.
      score: the detector's confidence, 0 to 1, or 1 where it has none.
    """

    left: float
    top: float
    width: float
    height: float
    eyes: tuple[Point, Point] | None = None
    score: float = 1.0


def face_of(
    box: Sequence[float], eyes: tuple[Point, Point] | None = None, score: float = 1.0
) -> Face:
    """A face of (left, top, width, height), with its eyes in any order."""
    left, top, width, height = map(float, box)
    if eyes is not None and eyes[0][0] > eyes[1][0]:
        eyes = (eyes[1], eyes[0])
    return Face(left, top, width, height, eyes, float(score))


class Detector(abc.ABC):
    """Finds faces. Made in the process that uses it: what it holds cannot be sent to another."""

    @abc.abstractmethod
    def faces(self, image: np.ndarray) -> list[Face]:
        """The faces of a uint8 image `[H, W]` or `[H, W, 3]` (RGB), in no particular order."""


def largest(faces: Sequence[Face]) -> Face | None:
    """The largest face, the first of equal ones; None of none."""
    return max(faces, key=lambda face: face.width * face.height, default=None)
