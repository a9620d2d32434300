"""By which name and version TFDS knows EmotionSet."""

DATASET = "emotion_set"
VERSION = "1.0.0"
"""Raise it whenever other images, labels or splits come out of the same sources."""
BALANCED = "balanced_faces"
"""What `datasets.balance` makes of such a set, or of any other, which is read as one."""
