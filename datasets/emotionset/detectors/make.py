"""The detector that the settings ask for, on images prepared as they ask."""

from __future__ import annotations

import dataclasses

import numpy as np

from datasets.emotionset.detectors.face import Detector, Face
from datasets.emotionset.settings import CleaningSettings


def make_detector(settings: CleaningSettings, crops: bool) -> Detector:
    """A detector for this process.

    Args:
      settings: which one, and how it works.
      crops: whether the images are crops of faces, for which the settings' padding and enlargement
        are meant; whole photographs have surroundings of their own.

    Raises:
      ValueError: what it needs is not there.
    """
    if settings.detector == "haar":
        from datasets.emotionset.detectors.haar import HaarDetector

        detector: Detector = HaarDetector(
            settings.haar_cascade, settings.haar_scale_factor, settings.haar_min_neighbors
        )
    elif settings.detector == "yunet":
        from datasets.emotionset.detectors.yunet import YuNetDetector

        detector = YuNetDetector(settings.yunet_model, settings.detector_score)
    else:
        from datasets.emotionset.detectors.mtcnn import MtcnnDetector

        detector = MtcnnDetector(settings.detector_score)
    if crops and (settings.padding or settings.upscale > 1):
        return _Prepared(detector, settings.padding, settings.upscale)
    return detector


class _Prepared(Detector):
    """Gives images a rim and enlarges them before another detector sees them."""

    def __init__(self, inner: Detector, padding: int, upscale: int):
        self._inner = inner
        self._padding = padding
        self._upscale = upscale

    def faces(self, image: np.ndarray) -> list[Face]:
        """The faces, in the pixels of the image as it came."""
        import cv2

        rim, times = self._padding, self._upscale
        prepared = cv2.copyMakeBorder(image, rim, rim, rim, rim, cv2.BORDER_REPLICATE)
        prepared = cv2.resize(prepared, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
        return [self._back(face) for face in self._inner.faces(prepared)]

    def _back(self, face: Face) -> Face:
        rim, times = self._padding, self._upscale
        eyes = face.eyes
        if eyes is not None:
            (x0, y0), (x1, y1) = eyes
            eyes = ((x0 / times - rim, y0 / times - rim), (x1 / times - rim, y1 / times - rim))
        return dataclasses.replace(
            face,
            left=face.left / times - rim,
            top=face.top / times - rim,
            width=face.width / times,
            height=face.height / times,
            eyes=eyes,
        )
