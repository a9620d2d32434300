"""The result of the pipeline: records in memory, pictures in the files of the chunks."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datasets.emotionset.chunks import read_arrays, read_records
from datasets.emotionset.duplicates import Found
from datasets.emotionset.hashes import THUMBNAIL
from datasets.emotionset.record import Record
from datasets.emotionset.settings import CleaningSettings
from datasets.emotionset.source import Source


class Collection:
    """All records of a build, in the order of its chunks.

    Attributes:
      records: of everything that was read.
      paths: the chunks' files.
    """

    def __init__(self, paths: Sequence[Path]):
        """Reads the records of the chunks' files."""
        self.paths = list(paths)
        self.records: list[Record] = []
        self._starts = []
        for path in self.paths:
            self._starts.append(len(self.records))
            self.records.extend(read_records(path))

    def chunks(self) -> Iterator[tuple[Path, int, list[Record]]]:
        """Each chunk's file, the place of its first record, and its records."""
        ends = [*self._starts[1:], len(self.records)]
        for path, start, end in zip(self.paths, self._starts, ends, strict=True):
            yield path, start, self.records[start:end]

    def thumbnails(self, places: Sequence[int]) -> np.ndarray:
        """Of records with a picture, by their places, in their order: uint8 `[N, 48, 48]`."""
        return self._gather(places, "rows", "thumbnails")

    def small_images(self, places: Sequence[int]) -> np.ndarray:
        """What is shown of records, whichever step dropped them, if any: uint8 `[N, 48, 48]`."""
        images = self._gather(places, "dropped_rows", "dropped")
        late = self._gather(places, "rows", "thumbnails")
        return np.maximum(images, late)  # what is in one of the two is black in the other

    def pictures(self, places: Sequence[int]) -> list[np.ndarray]:
        """Finished pictures, by the places of their records, in their order."""
        found: dict[int, np.ndarray] = {}
        for path, here in self._by_chunk(places):
            start, wanted = here
            rows, pictures = read_arrays(path, "rows", "pictures")
            place_of = {int(row): place for place, row in enumerate(rows)}
            found |= {place: pictures[place_of[place - start]] for place in wanted}
        return [found[place] for place in places]

    def kept_pictures(self) -> Iterator[tuple[Record, np.ndarray]]:
        """The kept records with their pictures, reading one chunk at a time."""
        for path, _, records in self.chunks():
            if any(record.kept for record in records):
                yield from kept_of_chunk(path, records)

    def _gather(self, places: Sequence[int], rows_name: str, images_name: str) -> np.ndarray:
        result = np.zeros((len(places), THUMBNAIL, THUMBNAIL), np.uint8)
        index: dict[int, list[int]] = defaultdict(list)  # of copies, one image is shown often
        for i, place in enumerate(places):
            index[place].append(i)
        for path, (start, wanted) in self._by_chunk(places):
            rows, images = read_arrays(path, rows_name, images_name)
            place_of = {int(row): place for place, row in enumerate(rows)}
            for place in wanted:
                if place - start in place_of:
                    result[index[place]] = images[place_of[place - start]]
        return result

    def _by_chunk(self, places: Sequence[int]) -> Iterator[tuple[Path, tuple[int, list[int]]]]:
        ordered = np.array(sorted(set(places)), np.int64)
        for path, start, records in self.chunks():
            low, high = np.searchsorted(ordered, [start, start + len(records)])
            if low < high:
                yield path, (start, ordered[low:high].tolist())


def kept_of_chunk(
    path: Path, records: Sequence[Record | None]
) -> Iterator[tuple[Record, np.ndarray]]:
    """The kept ones of a chunk's records, with their pictures; None is passed over."""
    rows, pictures = read_arrays(path, "rows", "pictures")
    for row, picture in zip(rows, pictures, strict=True):
        record = records[int(row)]
        if record is not None and record.kept:
            yield record, picture


@dataclasses.dataclass(frozen=True)
class Built:
    """A finished pipeline: what the builder writes and the report tells of.

    Attributes:
      collection: records, decided and proven, and pictures.
      settings: by which they were decided.
      sources: that were read.
      files: what was given for each of them, by the names of the flags.
      exact_copies: what was found among all that was read, by source and, under "all", of all.
      proof: what was compared to prove the splits.
    """

    collection: Collection
    settings: CleaningSettings
    sources: tuple[Source, ...]
    files: dict[str, str]
    exact_copies: dict[str, Found]
    proof: dict[str, int]

    def describe(self) -> dict[str, Any]:
        """Everything but the images, as plain JSON values."""
        return {
            "settings": self.settings.to_dict(),
            "files": self.files,
            "exact_copies": {name: found.to_dict() for name, found in self.exact_copies.items()},
            "proof": self.proof,
        }
