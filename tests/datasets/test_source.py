import dataclasses
from typing import Any

import numpy as np
import pytest

from datasets import ImageSource


def arguments(**changes: Any) -> dict[str, Any]:
    return {
        "name": "made up",
        "split": "train",
        "images": np.zeros((4, 6, 5, 1), np.uint8),
        "labels": np.array([0, 1, 2, 1], np.int32),
        "classes": ("a", "b", "c", "d"),
        "provenance": {"source": "a test"},
        **changes,
    }


def test_what_it_says_of_itself() -> None:
    source = ImageSource(**arguments())
    assert len(source) == 4
    assert source.image_shape == (6, 5, 1)
    assert source.class_counts() == {"a": 1, "b": 2, "c": 1, "d": 0}
    assert "zeros" not in repr(source)
    assert len(repr(source)) < 200


def test_nothing_can_be_changed() -> None:
    images = np.zeros((4, 6, 5, 1), np.uint8)
    source = ImageSource(**arguments(images=images))
    with pytest.raises(ValueError, match="read-only"):
        source.images[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        source.labels[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        source.split = "test"  # type: ignore[misc]
    assert images.flags.writeable, "the caller's own array stays as it was"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "training"}, "split must be one of train, validation, test; got 'training'"),
        ({"images": np.zeros((4, 6, 5, 1))}, "must be a uint8 array; got float64"),
        ({"images": [[0]]}, "must be a uint8 array; got list"),
        ({"images": np.zeros((4, 6, 5), np.uint8)}, r"\[N, H, W, C\]; got uint8 \[4, 6, 5\]"),
        ({"images": np.zeros((0, 6, 5, 1), np.uint8)}, "no images"),
        ({"images": np.zeros((4, 0, 5, 1), np.uint8)}, r"at least 1.*got uint8 \[4, 0, 5, 1\]"),
        ({"images": np.zeros((4, 6, 5, 2), np.uint8)}, r"1 \(grey\) or 3.*\[4, 6, 5, 2\]"),
        ({"labels": np.zeros(4, np.int64)}, "must be an int32 array; got int64"),
        ({"labels": np.zeros(3, np.int32)}, r"shape \[4\].*got int32 \[3\]"),
        ({"labels": np.zeros((4, 1), np.int32)}, r"shape \[4\].*got int32 \[4, 1\]"),
        ({"labels": np.array([0, 9, 4, 0], np.int32)}, "2 are not, the first is 9 at position 1"),
        ({"labels": np.array([0, 0, 0, -1], np.int32)}, "the first is -1 at position 3"),
        ({"classes": ()}, "at least one"),
        ({"classes": ["a", "b", "c"]}, "must be a tuple"),
        ({"classes": ("a", "b", "a")}, "different"),
        ({"classes": ("a", "", "c")}, "non-empty"),
        ({"provenance": {"path": object()}}, "JSON-able"),
        ({"provenance": {"mean": np.float32(1)}}, "JSON-able"),
        ({"provenance": ["a"]}, "must be a dict; got list"),
    ],
)
def test_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageSource(**arguments(**changes))
