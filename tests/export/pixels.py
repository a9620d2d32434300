"""How near exported images have to be to the model's own."""

import numpy as np


def assert_same_pixels(image, expected, largest=1, equal=0.999):
    difference = np.abs(image.astype(int) - expected)
    assert image.shape == expected.shape
    assert image.dtype == expected.dtype == np.uint8
    assert difference.max() <= largest
    assert (difference == 0).mean() >= equal
