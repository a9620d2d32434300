"""The steps that look at one image alone, from what a source gives to a finished picture."""

from __future__ import annotations

import dataclasses

import numpy as np

from datasets.emotionset.crop import crop, tilt
from datasets.emotionset.detectors import Detector, Face, largest, make_detector
from datasets.emotionset.hashes import digest, perceptual_hash, thumbnail
from datasets.emotionset.picture import fit, grey
from datasets.emotionset.record import Record, of_example
from datasets.emotionset.settings import CONTEMPT, CleaningSettings
from datasets.emotionset.source import Example

NOT_A_FACE = "NF"  # the name of FER+'s column
_LEAST_SIDE = 16  # below this there is no face to be recognised


@dataclasses.dataclass(frozen=True, eq=False)
class Finished:
    """What is left of an image that all steps kept.

    Attributes:
      picture: uint8 `[S, S, C]`, as it will be written.
      thumbnail: uint8 `[48, 48]`, of what the picture shows, whatever S is.
    """

    picture: np.ndarray
    thumbnail: np.ndarray


class ImageSteps:
    """Runs them in one process; makes the detector when the first image needs it."""

    def __init__(self, settings: CleaningSettings, crops: bool):
        """Prepares.

        Args:
          settings: the steps wanted and their thresholds.
          crops: whether the source's images are crops of faces already.
        """
        self._settings = settings
        self._crops = crops
        self._detector: Detector | None = None

    def run(self, example: Example, source: str) -> tuple[Record, Finished | None]:
        """Runs the steps until one drops the image.

        Returns:
          the image's record, and its picture, or None if it was dropped.
        """
        record = of_example(example, source)
        image = example.image
        record.digest = digest(image)
        face = None
        self._check_label(record)
        self._check_pixels(record, image)
        self._check_votes(record)
        if record.kept and self._settings.has("face"):
            face = self._find_face(record, image)
        if not record.kept:
            return record, None

        shown = image
        if face is not None and not self._crops:
            shown = crop(image, face, self._settings.margin, self._settings.align)
        picture = fit(shown, self._settings.image_size, self._settings.channels)
        record.picture_digest = digest(picture)
        record.perceptual_hash = perceptual_hash(shown)
        return record, Finished(picture, thumbnail(shown))

    def _check_label(self, record: Record) -> None:
        if record.label == CONTEMPT and self._settings.contempt == "drop":
            record.drop("labels", "contempt", "contempt is not one of the seven emotions")
        elif record.label not in self._settings.labels and record.label != CONTEMPT:
            record.drop("labels", "unknown_label", f"the label {record.label!r} is not known")

    def _check_pixels(self, record: Record, image: np.ndarray) -> None:
        height, width = image.shape[:2]
        if min(height, width) < _LEAST_SIDE:
            record.drop("read", "too_small", f"{width}x{height} pixels, {_LEAST_SIDE} are needed")
        if not self._settings.has("blank") or not record.kept:
            return
        pixels = grey(image)
        if pixels.min() == pixels.max():
            record.drop("blank", "blank", f"all pixels are {pixels.flat[0]}")
            return
        deviation = float(pixels.std(dtype=np.float64))
        if deviation < self._settings.min_deviation:
            record.drop("blank", "nearly_constant", f"standard deviation {deviation:.2f}")

    def _check_votes(self, record: Record) -> None:
        if not self._settings.has("not_a_face") or not record.votes:
            return
        against, total = record.votes.get(NOT_A_FACE, 0), sum(record.votes.values())
        if total and against / total >= self._settings.not_a_face_votes:
            record.drop("not_a_face", "not_a_face", f"{against} of {total} votes for not a face")

    def _find_face(self, record: Record, image: np.ndarray) -> Face | None:
        if self._detector is None:
            self._detector = make_detector(self._settings, self._crops)
        faces = self._detector.faces(image)
        face = largest(faces)
        if face is None:
            record.drop("face", "no_face", f"{self._settings.detector} found no face")
            return None
        box = (face.left, face.top, face.width, face.height)
        found = {
            "detector": self._settings.detector,
            "box": [round(number, 1) for number in box],
            "faces": len(faces),
        }
        if not self._crops and self._settings.align and face.eyes is not None:
            found["turned"] = round(tilt(face), 1)
        record.provenance["face"] = found
        return face
