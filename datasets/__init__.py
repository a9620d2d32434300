"""Labelled images for training and evaluation, and the `tf.data` input path.

`load(name, split)` returns an `ImageSource`, which is plain NumPy; `datasets.input` turns it into
`tf.data`. Importing this package imports neither TensorFlow nor Pillow.
"""

from datasets.registry import NAMES, load
from datasets.source import SPLITS, ImageSource

__all__ = ["NAMES", "SPLITS", "ImageSource", "load"]
