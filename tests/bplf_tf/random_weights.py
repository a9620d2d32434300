"""Weights away from their start, so that tests prove something: zero heads included."""

from typing import Any

import numpy as np


def randomise(model: Any, scale: float = 0.1, seed: int = 0) -> Any:
    """Adds seeded noise to every trainable weight; returns the model."""
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        noise = scale * rng.standard_normal(tuple(variable.shape))
        variable.assign(variable.numpy() + noise.astype(variable.dtype))
    return model
