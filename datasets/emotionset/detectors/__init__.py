"""Face detectors, all of one shape: an image in, the faces found out."""

from datasets.emotionset.detectors.face import Detector, Face, largest
from datasets.emotionset.detectors.make import make_detector

__all__ = ["Detector", "Face", "largest", "make_detector"]
