"""Reading a whole source in tests, and comparing it with what a fixture expects."""

import pickle
from typing import TypeVar

import numpy as np

from bplf_tf.config import EMOTIONS
from datasets.emotionset.source import Dropped, Example, Source, Unit
from tests.datasets.emotionset.fixtures import Expected

T = TypeVar("T")


def read_all(source: Source) -> tuple[dict[str, Example], dict[str, Dropped]]:
    """Examples and drops by key; checks what holds for every source.

    Source and units go through pickle, as they do on their way to other processes.
    """
    examples: dict[str, Example] = {}
    dropped: dict[str, Dropped] = {}
    units: set[str] = set()
    for unit in source.units():
        results = [unit] if isinstance(unit, Dropped) else None
        if isinstance(unit, Unit):
            assert unit.key not in units
            units.add(unit.key)
            results = list(sent(source).read(sent(unit)))
        for result in results or ():
            assert result.key not in examples, result.key
            if isinstance(result, Dropped):
                assert result.key not in dropped, result.key
                dropped[result.key] = result
                assert result.detail
                assert "\n" not in result.detail
                assert result.label in (None, "contempt", *EMOTIONS)
            else:
                examples[result.key] = result
                check_example(result)
    return examples, dropped


def sent(value: T) -> T:
    """The value as it arrives in another process."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301


def check_example(example: Example) -> None:
    assert example.image.dtype == np.uint8
    assert example.image.ndim == 2 or example.image.shape[2:] == (3,)
    assert example.label in (*EMOTIONS, "contempt")
    assert example.split in (None, "train", "validation", "test")


def check(source: Source, expected: Expected) -> dict[str, Example]:
    """The source gives just what is expected of it; its examples."""
    examples, dropped = read_all(source)
    assert {key: drop.reason for key, drop in dropped.items()} == expected.dropped
    assert sorted(examples) == sorted(expected.examples)
    for key, face in expected.examples.items():
        found = examples[key]
        assert (found.label, found.subject, found.split) == (face.label, face.subject, face.split)
        assert face.image is None or np.array_equal(found.image, face.image), key
    return examples
