"""Pairs that pixel models can learn from, and what they ought to find in them."""

import numpy as np


def make_pairs(count=20, shape=(6, 5, 2), seed=0, noise=4.0):
    """uint8 `[N, H, W, C]` twice: the second is an affine map of each pixel, and noise."""
    rng = np.random.default_rng(seed)
    neutral = rng.integers(0, 256, (count, *shape), np.uint8)
    slope = rng.uniform(-0.1, 1.2, shape)  # some pixels would have to be turned around
    expressive = slope * neutral + rng.uniform(0, 60, shape) + rng.normal(0, noise, neutral.shape)
    return neutral, np.clip(np.rint(expressive), 0, 255).astype(np.uint8)


def direct_ridge(neutral, expressive, ridge, row, column, channels, reach):
    """The regression of one pixel by itself, the window clipped at the border, all in float64.

    Returns the weights in the layout of the model, zeros where the window leaves the image.
    """
    _, height, width, _ = neutral.shape
    x, t = neutral / 255.0, expressive / 255.0
    places = [
        (row + down, column + right)
        for down in range(-reach, reach + 1)
        for right in range(-reach, reach + 1)
    ]
    inside = [0 <= r < height and 0 <= c < width for r, c in places]
    columns = [
        np.concatenate([x[:, r, c, channel] for channel in channels])
        for (r, c), is_inside in zip(places, inside, strict=True)
        if is_inside
    ]
    wanted = np.concatenate([t[:, row, column, channel] for channel in channels])
    design = np.stack([*columns, np.ones_like(wanted)], axis=1)
    normal = design.T @ design + ridge * np.eye(design.shape[1])
    solution = np.linalg.solve(normal, design.T @ wanted)
    weights = np.zeros(len(places) + 1)
    weights[[*np.flatnonzero(inside), len(places)]] = solution
    return weights
