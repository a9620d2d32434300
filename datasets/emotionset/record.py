"""What is known of an image, from the moment it was read to the report."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from datasets.emotionset.source import Dropped, Example


@dataclasses.dataclass
class Record:
    """An image of a source, kept or dropped.

    Attributes:
      key: `source/key of the source`, unique in the build.
      source: the source's name.
      label: a name, or None where what was dropped had none.
      subject: `source/name`, or None where the source names nobody.
      official_split: the source's own split, or None.
      provenance: as the source has it, and what was done to the image.
      votes: FER+'s counts by name, or None.
      digest: SHA-256 of the image as the source has it, or None if it was not read.
      picture_digest: of the finished picture, or None if there is none.
      perceptual_hash: 64 bits, of the face; 0 if there is no finished picture.
      step: the step that dropped it, or None if it is kept.
      reason: a short name, which groups what was dropped.
      detail: what was wrong with it, one line.
      copy_of: the key of the record whose copy it is, if that is why it was dropped.
      split: where it goes, or None as long as that is not known.
    """

    key: str
    source: str
    label: str | None = None
    subject: str | None = None
    official_split: str | None = None
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)
    votes: dict[str, int] | None = None
    digest: str | None = None
    picture_digest: str | None = None
    perceptual_hash: int = 0
    step: str | None = None
    reason: str | None = None
    detail: str | None = None
    copy_of: str | None = None
    split: str | None = None

    @property
    def kept(self) -> bool:
        """Whether no step has dropped it."""
        return self.step is None

    def drop(self, step: str, reason: str, detail: str) -> None:
        """Notes that a step takes it out; the first one counts."""
        if self.kept:
            self.step, self.reason, self.detail = step, reason, detail


def of_example(example: Example, source: str) -> Record:
    """The record of an example that was just read."""
    return Record(
        key=f"{source}/{example.key}",
        source=source,
        label=example.label,
        subject=None if example.subject is None else f"{source}/{example.subject}",
        official_split=example.split,
        provenance=dict(example.provenance),
        votes=example.votes,
    )


def of_dropped(dropped: Dropped, source: str) -> Record:
    """The record of something that gave no example."""
    record = Record(key=f"{source}/{dropped.key}", source=source, label=dropped.label)
    # Libraries' messages name objects by their addresses, which differ from run to run.
    record.drop("read", dropped.reason, re.sub(r" at 0x[0-9a-fA-F]+", "", dropped.detail))
    return record
