"""FER+: ten people's votes on each image of FER2013, and the labels that can be made of them."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Mapping

import numpy as np

from datasets.emotionset.archives import MemberError
from datasets.emotionset.source import Dropped, SourceError
from datasets.emotionset.sources.members import find_members, nothing_found

FILE_NAME = "fer2013new.csv"
# The columns of the file, in its order, and the labels they are votes for.
COLUMNS = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "contempt": "contempt",
    "unknown": "unknown",
    "NF": "not_a_face",
}
LABELS = ("none", "majority", "plurality", "soft")
LICENCE = "FER+ votes: MIT"
CITATION = (
    "E. Barsoum, C. Zhang, C. Canton Ferrer, Z. Zhang: Training Deep Networks for Facial "
    "Expression Recognition with Crowd-Sourced Label Distribution. ICMI 2016"
)
_BROKEN = 255  # in every column of a row that cannot be read
_MOST = 100  # votes that one column may have: there were ten people


@dataclasses.dataclass(frozen=True, eq=False)
class FerPlus:
    """All rows of a file.

    Attributes:
      votes: uint8 `[N, 10]`, in the order of `COLUMNS`; 255 throughout where a row is broken.
      usages: the Usage of each row, as the file has it.
      where: the file, for messages.
    """

    votes: np.ndarray
    usages: tuple[str, ...]
    where: str


def read_ferplus(path: str | os.PathLike[str]) -> FerPlus:
    """Reads `fer2013new.csv`.

    The images' names in it are of no use: some are empty, some are given twice, and most are not
    the number of the row. The rows are those of `fer2013.csv`, in its order.

    Args:
      path: the file, whatever its name, or a folder or an archive with it.

    Raises:
      SourceError: there is none, or its columns are others.
    """
    wanted = find_members(path, lambda name: name.rpartition("/")[2] == FILE_NAME)
    if not wanted:
        # A file that was named is taken at its word.
        members = find_members(path, lambda name: name.lower().endswith(".csv"))
        if len(members) != 1 or members[0][0].path != str(path):
            raise nothing_found(path, "FER+", FILE_NAME)
        wanted = members
    archive, name = min(wanted, key=lambda member: (member[1].count("/"), member[1]))
    where = archive.where(name)
    try:
        text = archive.read(name).decode("utf-8-sig")
    except (MemberError, UnicodeDecodeError) as error:
        raise SourceError(f"{where} cannot be read as text: {error}") from error
    # By lines, so that a stray quote cannot join rows and shift all that follow.
    lines = [line for line in io.StringIO(text) if line.strip()]
    header = [field.strip() for field in lines[0].split(",")] if lines else []
    if sorted(header) != sorted(["Usage", "Image name", *COLUMNS]):
        raise SourceError(
            f"{where}: the columns must be Usage, Image name, {', '.join(COLUMNS)}; "
            f"got {', '.join(header)[:100] or 'an empty file'}"
        )
    rows = [_row(line, header) for line in lines[1:]]
    votes = np.array([votes for votes, _ in rows], np.uint8).reshape(-1, len(COLUMNS))
    return FerPlus(votes, tuple(usage for _, usage in rows), where)


def _row(line: str, header: list[str]) -> tuple[list[int], str]:
    try:
        fields = next(csv.reader([line], strict=True))
    except csv.Error:
        fields = []
    texts = {name: text.strip() for name, text in zip(header, fields, strict=False)}
    votes = [texts.get(name, "") for name in COLUMNS]
    right = all(text.isascii() and text.isdigit() and int(text[:4]) <= _MOST for text in votes)
    if len(fields) != len(header) or not right:
        return [_BROKEN] * len(COLUMNS), ""
    return [int(text) for text in votes], texts["Usage"]


def named_votes(row: np.ndarray) -> dict[str, int] | None:
    """A row of `FerPlus.votes` by the names of the columns; None if the row was broken."""
    if (row == _BROKEN).any():
        return None
    return {name: int(count) for name, count in zip(COLUMNS, row, strict=True)}


def chosen_label(
    votes: Mapping[str, int] | None, how: str, own: str, key: str, where: str
) -> str | Dropped:
    """The label of an image.

    Args:
      votes: of the image, by the names of the columns; None where they cannot be read.
      how: one of `LABELS`. "none": FER2013's own label. "majority": what more than half of the
        votes are for. "plurality": what most are for. "soft": the same, and where several have
        most, FER2013's own label if it is one of them.
      own: FER2013's label.
      key: of the image.
      where: the file and line, for messages.

    Returns:
      The label, maybe "contempt", or why there is none: most votes are for unknown or for not a
      face, or there is no such choice.
    """
    if how == "none":
        return own
    if votes is None:
        return Dropped(key, "ferplus_broken_row", f"{where}: the votes cannot be read", own)
    shown = ", ".join(f"{name} {count}" for name, count in votes.items() if count)
    most = max(votes.values())
    top = [COLUMNS[name] for name, count in votes.items() if count == most]
    if len(top) > 1 and how == "soft" and own in top:
        top = [own]
    if most == 0 or len(top) > 1 or (how == "majority" and 2 * most <= sum(votes.values())):
        return Dropped(key, f"ferplus_no_{how}", f"{where}: votes: {shown or 'none'}", own)
    if top[0] in ("unknown", "not_a_face"):
        return Dropped(key, f"ferplus_{top[0]}", f"{where}: votes: {shown}", own)
    return top[0]
