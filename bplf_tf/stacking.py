"""Images that are given as a list, as one array."""

from __future__ import annotations

from typing import Any

import numpy as np


def stacked(name: str, images: Any) -> np.ndarray:
    """What was given as an array, of whatever dtype and shape it has.

    Args:
      name: what to call it in an error.
      images: an array, or a sequence of arrays of one shape.

    Raises:
      ValueError: if the images of a sequence have different shapes.
    """
    try:
        return np.asarray(images)
    except ValueError:
        shapes = sorted({tuple(np.shape(image)) for image in images})
        if len(shapes) < 2:
            raise  # something else is wrong with them
        raise ValueError(
            f"{name} must all have one shape, got {', '.join(str(list(s)) for s in shapes)}"
        ) from None
