"""Drawn faces: portraits rendered from parameters, with seven emotions.

Importing this package registers the TFDS builder, so `tfds.load("drawn_faces/48_gray")` works.
TensorFlow itself is imported only when prepared data are read.
"""

from datasets.drawn_faces.arrays import load_arrays
from datasets.drawn_faces.builder import DrawnFaces, DrawnFacesConfig
from datasets.drawn_faces.parameters import ActionUnits, FaceParameters
from datasets.drawn_faces.render import draw_face, pair, render
from datasets.drawn_faces.sampling import sample_expression, sample_person

__all__ = [
    "ActionUnits",
    "DrawnFaces",
    "DrawnFacesConfig",
    "FaceParameters",
    "draw_face",
    "load_arrays",
    "pair",
    "render",
    "sample_expression",
    "sample_person",
]
