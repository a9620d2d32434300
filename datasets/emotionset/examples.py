"""From chunks to what TFDS writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets.emotionset.collection import Collection, kept_of_chunk
from datasets.emotionset.record import Record
from datasets.emotionset.soft_labels import soft_label

ChunkOfSplit = tuple[Path, list[Record | None]]


def chunks_of_split(collection: Collection, split: str) -> Iterator[ChunkOfSplit]:
    """The files of chunks with images of a split.

    Yields:
      a file, and for each of its records the record where it goes to this split, else None.
    """
    for path, _, records in collection.chunks():
        wanted = [one if one.kept and one.split == split else None for one in records]
        if any(wanted):
            yield path, wanted


def examples_of_chunk(
    path: Path, records: Sequence[Record | None], labels: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Keys and examples of a chunk's records that are not None."""
    for record, picture in kept_of_chunk(path, records):
        yield (
            record.key,
            {
                "image": picture,
                "label": str(record.label),
                "soft_label": soft_label(str(record.label), record.votes, labels),
                "source": record.source,
                "subject": record.subject or "",
                "key": record.key,
            },
        )
