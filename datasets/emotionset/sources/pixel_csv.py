"""A csv of emotion, pixels and Usage in units of some hundred rows: FER2013's, and CK+'s copy."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator

from datasets.emotionset.archives import Archive, MemberError
from datasets.emotionset.source import Dropped, SourceError, Unit
from datasets.fer2013_csv import (
    USAGES,
    Fer2013Row,
    in_order,
    parse_header,
    parse_row,
)

ROWS = 500  # of a unit: 4 MB of text
_LONGEST = 2**20  # bytes of a row; rows of 48x48 pixels have less than 10,000
SPLITS = dict(zip(USAGES, ("train", "validation", "test"), strict=True))


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Some rows of a csv: where they are, and how to read them.

    Attributes:
      path: of the archive, or of the folder.
      member: the csv in it.
      columns: positions of emotion, pixels and Usage.
      first_row: number of the first row, from 0; blank lines are no rows, broken ones are.
      first_line: number of its line in the file, from 1.
      offset: bytes before it.
      length: bytes of all of them.
      votes: of FER+, ten bytes for each row; None without FER+.
    """

    path: str
    member: str
    columns: tuple[int, int, int]
    first_row: int
    first_line: int
    offset: int
    length: int
    votes: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Index:
    """All chunks of a csv, and the usage of each row where it is one that is known."""

    chunks: tuple[Chunk, ...]
    usages: tuple[str | None, ...]


def index_csv(archive: Archive, member: str) -> Index:
    """Goes through the lines of a csv once, without looking at the pixels.

    Raises:
      SourceError: the columns are others, a line has no end, or there are no rows.
    """
    where = archive.where(member)
    chunks: list[Chunk] = []
    usages: list[str | None] = []
    try:
        with archive.open(member) as file:
            header = file.readline(_LONGEST)
            try:
                fields = next(csv.reader([header.decode("utf-8-sig")]), [])
                columns = parse_header(fields, f"{where}, line 1")
            except (csv.Error, UnicodeDecodeError) as error:
                raise SourceError(f"{where}, line 1 is no header of a csv: {error}") from error
            except ValueError as error:
                raise SourceError(str(error)) from error
            start = Chunk(archive.path, member, columns, 0, 2, len(header), 0)
            line, offset = 1, len(header)
            while text := file.readline(_LONGEST):
                if len(text) == _LONGEST:
                    raise SourceError(f"{where}, line {line + 1} has more than {_LONGEST} bytes")
                line, offset = line + 1, offset + len(text)
                if text.strip():
                    usages.append(_usage(text, columns[2]))
                    if len(usages) - start.first_row == ROWS:
                        length = offset - start.offset
                        chunks.append(dataclasses.replace(start, length=length))
                        start = Chunk(
                            archive.path, member, columns, len(usages), line + 1, offset, 0
                        )
            if len(usages) > start.first_row:
                chunks.append(dataclasses.replace(start, length=offset - start.offset))
    except MemberError as error:
        raise SourceError(str(error)) from error
    except OSError as error:
        raise SourceError(f"{where} cannot be read: {error}") from error
    if not usages:
        raise SourceError(f"{where} has a header but no rows")
    return Index(tuple(chunks), tuple(usages))


def _usage(line: bytes, column: int) -> str | None:
    fields = line.split(b",")
    text = fields[column].strip(b' "\r\n') if column < len(fields) else b""
    return next((usage for usage in USAGES if text == usage.encode()), None)


def row_key(row: int) -> str:
    """The key of a row, by its number from 0."""
    return f"row{row:05d}"


def chunk_unit(chunk: Chunk) -> Unit:
    """A chunk as a unit."""
    return Unit(f"rows{chunk.first_row:05d}", chunk)


def read_chunk(
    chunk: Chunk, codes: tuple[str, ...]
) -> Iterator[tuple[int, str, Fer2013Row | Dropped]]:
    """The rows of a chunk.

    Args:
      chunk: of `index_csv`.
      codes: the names of the emotions by their codes.

    Yields:
      The number of the row, the file and line for messages, and the row, or why it is none.
    """
    archive = Archive(chunk.path)
    where = archive.where(chunk.member)
    try:
        with archive.open(chunk.member) as file:
            file.seek(chunk.offset)
            content = file.read(chunk.length)
    except OSError as error:
        raise SourceError(f"{where} cannot be read: {error}") from error
    except MemberError as error:
        raise SourceError(str(error)) from error
    if len(content) != chunk.length:
        raise SourceError(f"{where} has become shorter while it was read")
    row = chunk.first_row
    # By lines, so that a stray quote cannot join rows and shift all that follow.
    for line, text in enumerate(content.split(b"\n"), start=chunk.first_line):
        if not text.strip():
            continue
        there = f"{where}, line {line}"
        try:
            yield row, there, _parse(text, chunk.columns, there, codes)
        except (ValueError, csv.Error) as error:
            detail = " ".join(str(error).split())
            if not detail.startswith(there):
                detail = f"{there}: not readable as csv: {detail}"
            yield row, there, Dropped(row_key(row), "broken_row", detail)
        row += 1


def _parse(
    text: bytes, columns: tuple[int, int, int], where: str, codes: tuple[str, ...]
) -> Fer2013Row:
    fields = next(csv.reader([text.decode("utf-8")], strict=True))
    return parse_row(in_order(fields, columns, where), where, codes)
