"""MTCNN (Zhang et al., 2016) by the package `mtcnn`, which runs on TensorFlow."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from datasets.emotionset.detectors.face import Detector, Face, face_of
from datasets.emotionset.picture import rgb
from datasets.quiet_tensorflow import import_tensorflow

# Smaller images leave the first of its networks nothing to look at.
_LEAST_SIDE = 24


class MtcnnDetector(Detector):
    """Finds boxes and eyes."""

    def __init__(self, score: float):
        """Loads the networks.

        Raises:
          ValueError: the package is not installed.
        """
        if importlib.util.find_spec("mtcnn") is None:
            raise ValueError(
                "the detector mtcnn needs the extra of that name: pip install -e '.[mtcnn]'"
            )
        import_tensorflow()  # mtcnn would, and not quietly
        from mtcnn import MTCNN

        self._detector: Any = MTCNN(device="CPU:0")
        self._score = score

    def faces(self, image: np.ndarray) -> list[Face]:
        """See `Detector.faces`."""
        if min(image.shape[:2]) < _LEAST_SIDE:
            return []
        try:
            found = self._detector.detect_faces(rgb(image))
        except (ValueError, IndexError):  # how it meets an image without a single candidate
            return []
        return [
            face_of(
                one["box"],
                (_point(one["keypoints"]["left_eye"]), _point(one["keypoints"]["right_eye"])),
                one["confidence"],
            )
            for one in found
            if one["confidence"] >= self._score
        ]


def _point(pair: Any) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
