"""A small source of drawn faces for the tests of everything that comes after the sources."""

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from bplf_tf import EMOTIONS
from datasets.drawn_faces.render import draw_face
from datasets.emotionset.source import Dropped, Example, Source, Unit


@dataclasses.dataclass(frozen=True)
class FakeSource(Source):
    """`people` persons with seven emotions each, a unit per person."""

    name: ClassVar[str] = "fake"
    title: ClassVar[str] = "Fake faces"
    licence: ClassVar[str] = "drawn by a test"
    citation: ClassVar[str] = "nobody: nothing"
    address: ClassVar[str] = "nowhere"
    cropped: ClassVar[bool] = True

    people: int = 10
    size: int = 48
    first_seed: int = 0
    named: bool = True

    def units(self) -> Iterator[Unit | Dropped]:
        for person in range(self.people):
            yield Unit(f"person{person:03d}", person)

    def read(self, unit: Unit) -> Iterator[Example | Dropped]:
        for emotion in EMOTIONS:
            yield Example(
                key=f"{unit.key}/{emotion}",
                image=face(self.first_seed + unit.place, emotion, self.size),
                label=emotion,
                subject=unit.key if self.named else None,
                provenance={"seed": self.first_seed + unit.place},
            )


class Given(Source):
    """The examples that it was made of, a unit each; for one process."""

    name = "given"
    title = "Given"
    licence = "made by a test"
    citation = "nobody: nothing"
    address = "nowhere"
    cropped = True

    def __init__(self, examples: list[Example | Dropped]):
        self.all = examples

    def units(self) -> Iterator[Unit | Dropped]:
        for place, example in enumerate(self.all):
            yield example if isinstance(example, Dropped) else Unit(example.key, place)

    def read(self, unit: Unit) -> Iterator[Example | Dropped]:
        yield self.all[unit.place]


@functools.cache
def face(seed: int, emotion: str, size: int = 48) -> np.ndarray:
    """Grey `[size, size]`."""
    return draw_face(seed, emotion, size, 1)[..., 0]


def example(seed: int, label: str = "happy", **changes: Any) -> Example:
    """A drawn face of nobody in particular."""
    drawn = label if label in EMOTIONS else "neutral"
    fields = {"key": f"{seed}_{label}", "image": face(seed, drawn), "label": label, **changes}
    return Example(**fields)
