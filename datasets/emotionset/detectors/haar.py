"""Haar cascades of OpenCV, as Viola and Jones, and Lienhart and Maydt, describe them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from datasets.emotionset.detectors.face import Detector, Face, face_of
from datasets.emotionset.picture import grey


class HaarDetector(Detector):
    """A cascade that comes with OpenCV; it finds boxes and no eyes."""

    def __init__(self, cascade: str, scale_factor: float, min_neighbors: int):
        """Loads `cascade`, a file of `cv2.data` without its ending.

        Raises:
          ValueError: OpenCV has no such cascade.
        """
        import cv2

        if not hasattr(cv2, "CascadeClassifier"):
            raise ValueError(
                f"OpenCV {cv2.__version__} has no Haar cascades; install opencv-python-headless<5"
            )
        folder = Path(cv2.data.haarcascades)
        path = folder / f"{cascade}.xml"
        # `cascade` is a name, never a path: OpenCV opens whatever it is given.
        if path.parent != folder or not path.is_file():
            known = sorted(file.stem for file in folder.glob("haarcascade_frontalface*.xml"))
            raise ValueError(f"OpenCV has no cascade {cascade!r}; it has {', '.join(known)}")
        self._cascade = cv2.CascadeClassifier(str(path))
        self._scale_factor = scale_factor
        self._min_neighbors = min_neighbors

    def faces(self, image: np.ndarray) -> list[Face]:
        """See `Detector.faces`."""
        boxes = self._cascade.detectMultiScale(
            grey(image), scaleFactor=self._scale_factor, minNeighbors=self._min_neighbors
        )
        return [face_of(box) for box in boxes]
