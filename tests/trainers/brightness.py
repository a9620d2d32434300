"""Pictures whose label anyone can tell: how bright they are."""

import numpy as np

from datasets import ImageSource

CLASSES = ("bright", "dark", "neutral")
_LEVELS = (190, 20, 105)


def pictures(labels, seed, side=16):
    """uint8 `[N, side, side, 1]`, each with texture of its own."""
    labels = np.asarray(labels)
    noise = np.random.default_rng(seed).integers(0, 50, (len(labels), side, side, 1))
    return (np.array(_LEVELS)[labels][:, None, None, None] + noise).astype(np.uint8)


def brightness_source(split="train", count=180, seed=0, side=16):
    labels = (np.arange(count) % 3).astype(np.int32)
    return ImageSource(
        name="brightness",
        split=split,
        images=pictures(labels, seed, side),
        labels=labels,
        classes=CLASSES,
        provenance={"source": "made by this test"},
    )
