"""Chunks: runs of units that one process works on at a time, and the files that hold the result.

A chunk's file appears whole or not at all, so a build that was killed goes on from the chunks that
are there. It is an ordinary `.npz` without pickled objects.
"""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from datasets.emotionset.hashes import THUMBNAIL, thumbnail
from datasets.emotionset.image_steps import ImageSteps
from datasets.emotionset.record import Record, of_dropped
from datasets.emotionset.settings import CleaningSettings
from datasets.emotionset.source import Dropped, Example, Source, SourceError, Unit

# No file's fault: the disk for temporary files is full, or too many are open.
_OF_THIS_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)

# Enough of them that many processes have work until the end, few enough files.
_CHUNKS_WANTED = 256
_MOST_UNITS = 64


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Some units of a source, to be worked on by any process.

    Attributes:
      number: its place among all chunks of the build.
      source: what the units are of.
      units: in the source's order; a `Dropped` is something that the source could not list.
    """

    number: int
    source: Source
    units: tuple[Unit | Dropped, ...]

    def path(self, folder: Path) -> Path:
        """Where its result lies."""
        return folder / f"chunk_{self.number:06d}.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class ChunkResult:
    """What came out of a chunk.

    Attributes:
      records: of everything that was read, in the source's order.
      rows: int64 `[K]`, the records that have a picture.
      pictures: uint8 `[K, S, S, C]`, finished.
      thumbnails: uint8 `[K, 48, 48]`, of what the pictures show, whatever their size.
      dropped_rows: int64 `[D]`, the records of which only a small image was kept.
      dropped: uint8 `[D, 48, 48]`.
    """

    records: list[Record]
    rows: np.ndarray
    pictures: np.ndarray
    thumbnails: np.ndarray
    dropped_rows: np.ndarray
    dropped: np.ndarray


def make_chunks(source: Source, units: list[Unit | Dropped], first: int) -> list[Chunk]:
    """Cuts a source into chunks, the same ones on every machine."""
    size = min(_MOST_UNITS, -(-len(units) // _CHUNKS_WANTED)) or 1
    starts = range(0, len(units), size)
    return [
        Chunk(first + place, source, tuple(units[start : start + size]))
        for place, start in enumerate(starts)
    ]


def work_on(chunk: Chunk, settings: CleaningSettings, folder: Path) -> int:
    """Reads a chunk, runs the steps on each image, and writes the result unless it is there.

    Returns:
      the number of records.

    Raises:
      SourceError: the source as a whole is not usable.
      OSError: the result cannot be written.
    """
    path = chunk.path(folder)
    finished = count_records(path)
    if finished is not None:
        return finished
    result = _result(chunk, settings)
    _write(path, result)
    return len(result.records)


def _result(chunk: Chunk, settings: CleaningSettings) -> ChunkResult:
    steps = ImageSteps(settings, chunk.source.cropped)
    name = chunk.source.name
    records: list[Record] = []
    rows, pictures, thumbnails, dropped_rows, dropped = [], [], [], [], []
    for item in _items(chunk):
        if isinstance(item, Dropped):
            records.append(of_dropped(item, name))
            continue
        record, finished = steps.run(item, name)
        if finished is not None:
            rows.append(len(records))
            pictures.append(finished.picture)
            thumbnails.append(finished.thumbnail)
        else:
            dropped_rows.append(len(records))
            dropped.append(thumbnail(item.image))
        records.append(record)
    side = settings.image_size
    return ChunkResult(
        records,
        np.array(rows, np.int64),
        np.array(pictures, np.uint8).reshape(-1, side, side, settings.channels),
        _thumbnails(thumbnails),
        np.array(dropped_rows, np.int64),
        _thumbnails(dropped),
    )


def _thumbnails(images: list[np.ndarray]) -> np.ndarray:
    return np.array(images, np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL)


def _items(chunk: Chunk) -> Iterator[Example | Dropped]:
    for unit in chunk.units:
        if isinstance(unit, Dropped):
            yield unit
            continue
        try:
            yield from chunk.source.read(unit)
        except (SourceError, ImportError, MemoryError):
            raise  # of the whole source, or of this machine
        except Exception as error:  # files are made by others: one of them stops no build
            if getattr(error, "errno", None) in _OF_THIS_MACHINE:
                raise
            detail = f"{unit.key}: {type(error).__name__}: {str(error)[:200]}"
            yield Dropped(unit.key, "unreadable", " ".join(detail.split()))


def _write(path: Path, result: ChunkResult) -> None:
    # Not through `written_aside`: its name has the process alone, and Beam's workers may share one.
    aside = path.with_name(f".{path.stem}.{os.getpid()}.{os.urandom(4).hex()}.partial")
    fields = [dataclasses.asdict(record) for record in result.records]
    text = json.dumps(fields, default=_plain)
    arrays = {
        field.name: getattr(result, field.name)
        for field in dataclasses.fields(result)
        if field.name != "records"
    }
    content = io.BytesIO()
    count = np.array(len(result.records))
    np.savez(content, count=count, records=np.frombuffer(text.encode(), np.uint8), **arrays)
    try:
        aside.write_bytes(content.getvalue())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """NumPy's scalars, which sources may put into a provenance, as JSON knows them."""
    return value.item() if isinstance(value, np.generic) else str(value)


def count_records(path: Path) -> int | None:
    """The number of records of a chunk's file; None if it is not there, or not whole."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return int(file["count"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def read_records(path: Path) -> list[Record]:
    """The records of a chunk's file alone."""
    with np.load(path, allow_pickle=False) as file:
        return [Record(**fields) for fields in _json(file["records"])]


def read_arrays(path: Path, *names: str) -> tuple[np.ndarray, ...]:
    """Arrays of a chunk's file, by the names of `ChunkResult`'s fields."""
    with np.load(path, allow_pickle=False) as file:
        return tuple(file[name] for name in names)


def _json(content: np.ndarray) -> Any:
    return json.loads(content.tobytes().decode())
