"""What a source of EmotionSet is: labelled faces of known origin, read in small units of work."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np


@dataclasses.dataclass(frozen=True)
class Unit:
    """What one process reads at a time: an image file, some rows of a csv, a sequence, a video.

    Attributes:
      key: unique within the source and the same in every build, such as the path inside the
        source; units are in the order in which `Source.units` yields them.
      place: what `Source.read` needs to find it again; it is sent to other processes, so it holds
        plain values and no open file.
    """

    key: str
    place: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """A labelled image, as its source has it.

    Attributes:
      key: unique within the source and the same in every build.
      image: uint8 `[H, W]` or `[H, W, 3]` (RGB), neither cropped nor resized.
      label: a name out of `EMOTIONS`, or "contempt".
      subject: who it shows, where the source names its people; unique within the source.
      split: "train", "validation" or "test" where the source has official splits.
      provenance: where it comes from: file, row, frame, what was chosen and why. JSON values.
      votes: FER+'s ten counts by name, where they are known.
    """

    key: str
    image: np.ndarray
    label: str
    subject: str | None = None
    split: str | None = None
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)
    votes: dict[str, int] | None = None


@dataclasses.dataclass(frozen=True)
class Dropped:
    """Something of a source that gave no example: counted and listed in the report.

    Attributes:
      key: of what was dropped, as an example's would be.
      reason: a short name that groups drops, such as "unreadable" or "no_label".
      detail: what was wrong with it, one line, with the file's name.
      label: of the drop, where it is known.
    """

    key: str
    reason: str
    detail: str
    label: str | None = None


class SourceError(ValueError):
    """A source cannot be used at all: names what was given and what is accepted."""


class Source(abc.ABC):
    """One of the data sets that EmotionSet is made of. Small, picklable, with no open files.

    Attributes:
      name: in flags, keys and reports.
      title: for people.
      licence: what its licence allows, in one line.
      citation: of the work to cite, in one line.
      address: where it is to be asked for.
      cropped: whether images are crops of faces already, whose pixels are to stay as they are:
        detection then filters and does not crop.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    licence: ClassVar[str]
    citation: ClassVar[str]
    address: ClassVar[str]
    cropped: ClassVar[bool] = False

    @abc.abstractmethod
    def units(self) -> Iterator[Unit | Dropped]:
        """Everything that there is to read, in an order that does not depend on the machine.

        Raises:
          SourceError: nothing usable is there.
        """

    @abc.abstractmethod
    def read(self, unit: Unit) -> Iterator[Example | Dropped]:
        """The examples of a unit. What is wrong with single images is a `Dropped`, not an error."""

    def examples(self) -> Iterator[Example | Dropped]:
        """All of them, one after another, in this process."""
        for unit in self.units():
            if isinstance(unit, Dropped):
                yield unit
            else:
                yield from self.read(unit)
