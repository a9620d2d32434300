"""The official csv files of FER2013, row by row into arrays."""

import csv
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SIDE = 48
PIXELS = SIDE * SIDE
USAGES = ("Training", "PublicTest", "PrivateTest")
# The csv's codes are not the alphabetical order: neutral is last.
CODES = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")

COLUMNS = ("emotion", "pixels", "Usage")
_PIXEL_CHARACTERS = b"0123456789 "


@dataclass(frozen=True, eq=False)
class Fer2013Rows:
    """All rows of a csv, in its order: read-only arrays.

    Args:
        images: uint8 `[N, 48, 48, 1]`.
        emotions: uint8 `[N]`, the csv's codes: positions in `CODES`.
        usages: uint8 `[N]`, positions in `USAGES`.
        md5: Of the file; the complete `fer2013.csv` has f8428a1edbd21e88f42c73edd2a14f95.
    """

    images: np.ndarray
    emotions: np.ndarray
    usages: np.ndarray
    md5: str


def read_fer2013_csv(path: Path) -> Fer2013Rows:
    """Parses a csv with the columns emotion, pixels and Usage, in any order.

    The header may have spaces around its names, as `icml_face_data.csv` has.

    Args:
        path: The file.

    Returns:
        Its rows. The last file read stays in memory, since every split comes from the same file;
        it is read anew when it has changed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing, there are no rows, or a row has a wrong number of
            columns or pixels, a pixel that is not a whole number from 0 to 255, or an unknown
            emotion or usage. The message has the path and the line number.
    """
    path = path.resolve(strict=True)
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=1)
def _read(path: Path, modified_ns: int, size: int) -> Fer2013Rows:
    emotions, usages, pixels = bytearray(), bytearray(), bytearray()
    for line, fields in _rows(path):
        row = parse_row(fields, f"{path}, line {line}")
        emotions.append(row.emotion)
        usages.append(row.usage)
        pixels += row.image.tobytes()
    if not emotions:
        raise ValueError(f"{path} has a header but no rows")
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    # bytes, not bytearray: arrays on bytes are read-only, and this result is shared.
    images = np.frombuffer(bytes(pixels), np.uint8).reshape(-1, SIDE, SIDE, 1)
    return Fer2013Rows(
        images,
        np.frombuffer(bytes(emotions), np.uint8),
        np.frombuffer(bytes(usages), np.uint8),
        md5,
    )


@dataclass(frozen=True, eq=False)
class Fer2013Row:
    """One row: positions in the codes and in `USAGES`, and uint8 `[48, 48]`."""

    emotion: int
    usage: int
    image: np.ndarray


def parse_header(header: list[str], where: str) -> tuple[int, int, int]:
    """The positions of emotion, pixels and Usage, whose names may have spaces around them.

    Raises:
        ValueError: If these are not the columns; the message starts with `where`.
    """
    names = [name.strip() for name in header]
    if sorted(names) != sorted(COLUMNS):
        raise ValueError(
            f"{where}: the columns must be {', '.join(COLUMNS)}, in any order; "
            f"got {', '.join(names)[:100] or 'an empty file'}"
        )
    emotion, pixels, usage = (names.index(name) for name in COLUMNS)
    return emotion, pixels, usage


def in_order(row: list[str], columns: tuple[int, int, int], where: str) -> tuple[str, str, str]:
    """A row's (emotion, pixels, usage), from the positions that `parse_header` found.

    Raises:
        ValueError: If the row has more or fewer columns; the message starts with `where`.
    """
    if len(row) != len(COLUMNS):
        raise ValueError(f"{where}: a row has {len(COLUMNS)} columns; got {len(row)}")
    emotion, pixels, usage = columns
    return row[emotion], row[pixels], row[usage]


def parse_row(
    fields: tuple[str, str, str], where: str, codes: tuple[str, ...] = CODES
) -> Fer2013Row:
    """A row from its (emotion, pixels, usage).

    Args:
        fields: The texts.
        where: What messages start with, such as the path and the line.
        codes: The names of the emotions by their codes.

    Raises:
        ValueError: If one of them is not what it should be, as for `read_fer2013_csv`.
    """
    emotion, pixels, usage = fields
    code, position = _emotion(emotion, where, codes), _usage(usage, where)
    return Fer2013Row(code, position, _pixels(pixels, where).reshape(SIDE, SIDE))


def _rows(path: Path) -> Iterator[tuple[int, tuple[str, str, str]]]:
    """Yields the line number and (emotion, pixels, usage) of every row that is not blank."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            columns = parse_header(next(reader, []), f"{path}, line 1")
            for row in reader:
                if row:
                    yield reader.line_num, in_order(row, columns, f"{path}, line {reader.line_num}")
        except csv.Error as error:
            raise ValueError(
                f"{path}, line {reader.line_num}: not readable as csv: {error}"
            ) from error
        except UnicodeDecodeError as error:  # read in blocks, so the line is not known exactly
            raise ValueError(
                f"{path}, after line {reader.line_num}: not UTF-8 text: {error}"
            ) from error


def _emotion(text: str, where: str, codes: tuple[str, ...]) -> int:
    code = text.strip()
    if code not in map(str, range(len(codes))):
        known = ", ".join(f"{code} {name}" for code, name in enumerate(codes))
        raise ValueError(f"{where}: unknown emotion {text[:20]!r}; known are {known}")
    return int(code)


def _usage(text: str, where: str) -> int:
    usage = text.strip()
    if usage not in USAGES:
        raise ValueError(f"{where}: unknown Usage {text[:20]!r}; known are {', '.join(USAGES)}")
    return USAGES.index(usage)


def _pixels(text: str, where: str) -> np.ndarray:
    # Digits and blanks only, so that the quick text parser below cannot stop early or see a sign.
    if text.encode("utf-8").translate(None, _PIXEL_CHARACTERS):
        tokens = text.split(" ")
        wrong = next(token for token in tokens if token.strip("0123456789"))
        raise ValueError(f"{where}: the pixel {wrong[:20]!r} is not a whole number from 0 to 255")
    values = np.fromstring(text, np.int64, sep=" ")
    if values.size != PIXELS:
        count = len(text.split())
        raise ValueError(f"{where}: a row has {PIXELS} pixels ({SIDE}x{SIDE}); got {count}")
    if values.max() > 255:
        raise ValueError(f"{where}: the pixel {values[values > 255][0]} is above 255")
    return values.astype(np.uint8)
