"""Faces in photographs: cut out for a model, and put back after it edited them."""

from __future__ import annotations

import dataclasses

import numpy as np

from datasets.emotionset.crop import placement
from datasets.emotionset.detectors import Detector, Face, largest
from datasets.resize import convert

WHICH = ("one", "largest", "all")
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_EDGE = 0.12  # width of the seam in which an edit fades out, as a share of the patch' side


class NoFaceError(ValueError):
    """A photograph has not the faces that were asked for."""


@dataclasses.dataclass(frozen=True, eq=False)
class FacePatch:
    """A square of a photograph, or all of it.

    Attributes:
      matrix: `[2, 3]`, the affine map from the photograph's pixels to the patch', or None for all
        of the photograph, which no seam surrounds.
      height: of the patch, in its own pixels, which are as large as the photograph's.
      width: likewise.
    """

    matrix: np.ndarray | None
    height: int
    width: int

    def cut(self, picture: np.ndarray, image_shape: tuple[int, int, int]) -> np.ndarray:
        """The patch as a model wants it, uint8 `[H, W, C]`, of uint8 `[h, w]` or `[h, w, 3]`."""
        import cv2

        patch = picture
        if self.matrix is not None:
            patch = cv2.warpAffine(
                picture,
                self.matrix,
                (self.width, self.height),
                flags=cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )
        patch = patch.reshape(*patch.shape[:2], -1)
        height, width, channels = image_shape
        return convert(patch[np.newaxis], (height, width), channels)[0][0]

    def put_back(self, picture: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """The photograph with the patch edited: what changed from `before` to `after` is added.

        Added, not pasted: what the model did not change keeps the detail that the patch lost when
        it was made small, and its colours where the model is grey. A grey change that darkens a
        colour scales it, or its weakest channel would reach 0 first and the hue turn.

        Args:
          picture: uint8 `[h, w]` or `[h, w, 3]`.
          before: uint8 `[H, W, C]`, as from `cut`.
          after: the same, edited.

        Returns:
          uint8 of the picture's shape; outside the patch, and where nothing changed, as it was.
        """
        import cv2

        change = after.astype(np.float32) - before.astype(np.float32)
        if change.shape[-1] == 3 and picture.ndim == 2:
            change = (change @ _LUMA)[..., np.newaxis]
        shrinks = self.height * self.width < change.shape[0] * change.shape[1]
        change = cv2.resize(
            change,
            (self.width, self.height),
            interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC,
        ).reshape(self.height, self.width, -1)
        if self.matrix is not None:
            change = cv2.warpAffine(
                change * _fading(self.height, self.width),
                self.matrix,
                picture.shape[1::-1],
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            ).reshape(*picture.shape[:2], -1)
        edited = picture.reshape(*picture.shape[:2], -1) + change
        if change.shape[-1] < edited.shape[-1]:
            luma = np.maximum(picture @ _LUMA, 1)[..., np.newaxis]
            darker = picture * np.maximum(1 + change / luma, 0)
            edited = np.where(change < 0, darker, edited)
        return np.clip(np.rint(edited), 0, 255).astype(np.uint8).reshape(picture.shape)


def whole_picture(picture: np.ndarray) -> FacePatch:
    """All of a picture that is one face."""
    return FacePatch(None, *picture.shape[:2])


def find_patches(
    picture: np.ndarray, detector: Detector, which: str, margin: float
) -> list[FacePatch]:
    """Patches around the faces of a photograph, turned so that eyes are level where they are known.

    Args:
      picture: uint8 `[h, w]` or `[h, w, 3]`.
      detector: finds the faces.
      which: `"one"`, and an error where there are several; `"largest"`, or `"all"`.
      margin: what a patch shows around the face on each side, as a share of its side.

    Raises:
      NoFaceError: there is no face, or there are several where one is wanted.
    """
    faces = detector.faces(picture)
    biggest = largest(faces)
    if biggest is None:
        raise NoFaceError(
            "no face was found; if the picture is nothing but a face, give --detector=none"
        )
    if which == "one" and len(faces) > 1:
        raise NoFaceError(
            f"{len(faces)} faces were found; give --faces=largest or --faces=all to edit the "
            "largest or all of them"
        )
    return [_patch(face, margin) for face in (faces if which == "all" else [biggest])]


def _patch(face: Face, margin: float) -> FacePatch:
    matrix, side = placement(face, margin, align=True)
    return FacePatch(matrix, side, side)


def _fading(height: int, width: int) -> np.ndarray:
    """1 within, and to the border a smooth fall to 0, float32 `[H, W, 1]`."""
    sides = []
    for count in (height, width):
        place = (np.arange(count) + 0.5) / count
        share = np.clip(np.minimum(place, 1 - place) / _EDGE, 0, 1)
        sides.append(share * share * (3 - 2 * share))
    return (sides[0][:, np.newaxis] * sides[1]).astype(np.float32)[..., np.newaxis]
