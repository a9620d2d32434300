"""FER2013: 35,887 faces of 48x48 pixels from the web, as a csv or as folders of images."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from datasets.emotionset.archives import Archive
from datasets.emotionset.source import Dropped, Example, Source, SourceError, Unit
from datasets.emotionset.sources import ferplus as votes_of
from datasets.emotionset.sources.images import is_image
from datasets.emotionset.sources.members import (
    Members,
    find_members,
    nothing_found,
    read_image,
)
from datasets.emotionset.sources.pixel_csv import (
    SPLITS,
    Chunk,
    chunk_unit,
    index_csv,
    read_chunk,
    row_key,
)
from datasets.fer2013_csv import CODES, USAGES
from datasets.locate import CSV_NAMES

ACCEPTED = f"{' or '.join(CSV_NAMES)}, or folders such as train/angry and test/angry"
FOLDERS = {
    "anger": ("anger", "angry"),
    "disgust": ("disgust", "disgusted"),
    "fear": ("fear", "fearful"),
    "happy": ("happiness", "happy"),
    "neutral": ("neutral",),
    "sad": ("sad", "sadness"),
    "surprise": ("surprise", "surprised"),
}
_LABELS = {folder: label for label, folders in FOLDERS.items() for folder in folders}
_SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "publictest": "validation",
    "privatetest": "test",
}
_NAME = re.compile(rf"({'|'.join(USAGES)})_\d+", re.IGNORECASE)
_NUMBERED = re.compile(r"im(\d{1,9})")
# Of each label, the images in PublicTest and in PrivateTest. Where the names are mere numbers, the
# folder `test` has the first before the second.
TEST_COUNTS = {
    "anger": (467, 491),
    "disgust": (56, 55),
    "fear": (496, 528),
    "happy": (895, 879),
    "neutral": (607, 626),
    "sad": (653, 594),
    "surprise": (415, 416),
}
IMAGES = 200  # of a unit, in the folder forms


@dataclasses.dataclass(frozen=True)
class _Image:
    """One image of a folder form; `label` or `split` is None where a name says nothing known."""

    path: str
    name: str
    key: str
    label: str | None
    split: str | None


@dataclasses.dataclass(frozen=True)
class Fer2013(Source):
    """The csv (`fer2013.csv`, `icml_face_data.csv`) if there is one, else folders of images.

    A row of the csv that is broken is a drop and keeps its number, so FER+'s votes, which go by the
    number of the row, stay with their images.

    Attributes:
      path: the csv, a folder with it or with `train/angry/…`, or the zip or tar.gz with those.
      ferplus: FER+'s `fer2013new.csv`; needs the csv, since the folder forms do not say which row
        an image is.
      ferplus_labels: what the label is, given FER+'s votes: see `ferplus.chosen_label`. In each
        case the votes are in `Example.votes`.
      contempt: keep the images whose votes are for contempt, with that label.
    """

    name: ClassVar[str] = "fer2013"
    title: ClassVar[str] = "FER2013"
    licence: ClassVar[str] = (
        "made for a research contest from images found on the web; no licence of the images is "
        "known, so research use only. " + votes_of.LICENCE
    )
    citation: ClassVar[str] = (
        "I. J. Goodfellow et al.: Challenges in Representation Learning: A Report on Three Machine "
        "Learning Contests. ICONIP 2013. Votes: " + votes_of.CITATION
    )
    address: ClassVar[str] = (
        "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-"
        "recognition-challenge; votes: https://github.com/microsoft/FERPlus"
    )
    cropped: ClassVar[bool] = True

    path: str
    ferplus: str | None = None
    ferplus_labels: str = "none"
    contempt: bool = False

    def __post_init__(self) -> None:
        """Checks the options."""
        if self.ferplus_labels not in votes_of.LABELS:
            raise ValueError(
                f"ferplus_labels must be one of {', '.join(votes_of.LABELS)}; "
                f"got {self.ferplus_labels!r}"
            )
        if self.ferplus is None and self.ferplus_labels != "none":
            raise ValueError(f"ferplus_labels={self.ferplus_labels} needs ferplus, the file")

    def units(self) -> Iterator[Unit | Dropped]:
        """500 rows or 200 images at a time; see `Source.units`."""
        csv_files = find_members(self.path, _is_csv)
        if not csv_files:
            csv_files = _named_file(self.path)
        if csv_files:
            yield from self._csv_units(*_preferred(csv_files))
        else:
            yield from self._folder_units()

    def read(self, unit: Unit) -> Iterator[Example | Dropped]:
        """The unit's rows or images, in their order; see `Source.read`."""
        if isinstance(unit.place, Chunk):
            yield from self._read_rows(unit.place)
        else:
            for image in unit.place:
                yield _read_file(image)

    def _csv_units(self, archive: Archive, member: str) -> Iterator[Unit]:
        index = index_csv(archive, member)
        if self.ferplus is None:
            yield from map(chunk_unit, index.chunks)
            return
        votes = votes_of.read_ferplus(self.ferplus)
        _check_that_rows_match(votes, index.usages, archive.where(member))
        for chunk, after in zip(
            index.chunks,
            [*(chunk.first_row for chunk in index.chunks[1:]), len(index.usages)],
            strict=True,
        ):
            part = votes.votes[chunk.first_row : after]
            yield chunk_unit(dataclasses.replace(chunk, votes=part.tobytes()))

    def _read_rows(self, chunk: Chunk) -> Iterator[Example | Dropped]:
        columns = len(votes_of.COLUMNS)
        table = np.frombuffer(chunk.votes or b"", np.uint8).reshape(-1, columns)
        for number, where, row in read_chunk(chunk, CODES):
            if isinstance(row, Dropped):
                yield row
                continue
            usage, own = USAGES[row.usage], CODES[row.emotion]
            votes = votes_of.named_votes(table[number - chunk.first_row]) if len(table) else None
            key = row_key(number)
            label = votes_of.chosen_label(votes, self.ferplus_labels, own, key, where)
            if isinstance(label, Dropped):
                yield label
                continue
            if label == "contempt" and not self.contempt:
                detail = f"{where}: FER+'s votes are for contempt"
                yield Dropped(key, "contempt", detail, "contempt")
                continue
            provenance = {"file": chunk.member, "row": number, "usage": usage, "fer2013": own}
            if self.ferplus is not None:
                provenance["ferplus_labels"] = self.ferplus_labels
            yield Example(key, row.image, label, None, SPLITS[usage], provenance, votes)

    def _folder_units(self) -> Iterator[Unit | Dropped]:
        members = find_members(self.path, lambda name: is_image(name) and _split(name) is not None)
        if not any(_label(name) for _, name in members):
            raise nothing_found(self.path, self.title, ACCEPTED)
        if self.ferplus is not None:
            raise SourceError(
                f"{self.path} has images in folders, which do not say the rows that FER+'s votes "
                f"go by; give {' or '.join(CSV_NAMES)} with {self.ferplus}"
            )
        numbered = _numbered_tests(members)
        images: list[_Image] = []
        seen: set[str] = set()
        for archive, name in sorted(members, key=lambda member: (_key(member[1]), member[1])):
            key = _key(name)
            if key in seen:
                yield Dropped(name, "repeated_name", f"{archive.where(name)}: there is another")
                continue
            seen.add(key)
            split = _official_split(name, numbered)
            images.append(_Image(archive.path, name, key, _label(name), split))
        for start in range(0, len(images), IMAGES):
            part = tuple(images[start : start + IMAGES])
            yield Unit(part[0].key, part)


def _is_csv(name: str) -> bool:
    return name.rpartition("/")[2] in CSV_NAMES


def _named_file(path: str) -> Members:
    """A csv that the user named, whatever it is called."""
    members = find_members(path, lambda name: name.lower().endswith(".csv"))
    named = len(members) == 1 and members[0][0].path == path and path.lower().endswith(".csv")
    return members if named else []


def _preferred(members: Members) -> tuple[Archive, str]:
    """`fer2013.csv` before `icml_face_data.csv`, and the one nearest to the top."""

    def rank(member: tuple[Archive, str]) -> tuple[int, int, str, str]:
        archive, name = member
        base = name.rpartition("/")[2]
        preferred = CSV_NAMES.index(base) if base in CSV_NAMES else len(CSV_NAMES)
        return preferred, name.count("/"), name, archive.path

    return min(members, key=rank)


def _check_that_rows_match(
    votes: votes_of.FerPlus, usages: tuple[str | None, ...], where: str
) -> None:
    if len(votes.usages) != len(usages):
        raise SourceError(
            f"{votes.where} has {len(votes.usages)} rows and {where} has {len(usages)}; they must "
            "be the same, since votes belong to the image of the same row"
        )
    for row, (theirs, ours) in enumerate(zip(votes.usages, usages, strict=True)):
        if theirs and ours and theirs != ours:
            raise SourceError(
                f"row {row} is {theirs} in {votes.where} and {ours} in {where}; the two files do "
                "not belong together, and votes go by the row"
            )


def _split(name: str) -> str | None:
    """The split of the folder that `…/train/angry/x.jpg` is in."""
    parts = name.split("/")
    return _SPLIT_FOLDERS.get(parts[-3].lower()) if len(parts) >= 3 else None


def _label(name: str) -> str | None:
    return _LABELS.get(name.split("/")[-2].lower())


def _key(name: str) -> str:
    return "/".join(name.split("/")[-3:])


def _numbered_tests(members: Members) -> dict[str, int]:
    """The labels whose folder `test` has all official images by numbers: those of PublicTest.

    Then the first are PublicTest and the others PrivateTest; with any missing, nobody can tell.
    """
    numbers: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for _, name in members:
        match, label = _NUMBERED.fullmatch(_stem(name)), _label(name)
        if match and label and _split(name) == "test":
            numbers[label][int(match[1])] += 1
    return {
        label: public
        for label, (public, private) in TEST_COUNTS.items()
        if numbers[label] == Counter(range(public + private))
    }


def _official_split(name: str, numbered: dict[str, int]) -> str | None:
    """The split by the file's name where it says one; None if the folder's contradicts it."""
    folder, label = _split(name), _label(name)
    if match := _NAME.fullmatch(_stem(name)):
        said = next(SPLITS[usage] for usage in USAGES if usage.lower() == match[1].lower())
        # The folder `test` of this form has PublicTest and PrivateTest.
        return said if said == folder or (folder, said) == ("test", "validation") else None
    if (match := _NUMBERED.fullmatch(_stem(name))) and folder == "test" and label in numbered:
        return "validation" if int(match[1]) < numbered[label] else "test"
    return folder


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def _read_file(file: _Image) -> Example | Dropped:
    from datasets.emotionset.picture import grey  # Pillow: not for `--help`

    archive = Archive(file.path)
    where = archive.where(file.name)
    if file.label is None:
        detail = f"{where}: the folder is none of {', '.join(sorted(_LABELS))}"
        return Dropped(file.key, "unknown_label", detail)
    if file.split is None:
        detail = f"{where}: the file's name and its folder name different splits"
        return Dropped(file.key, "contradictory_split", detail, file.label)
    image = read_image(archive, file.name, file.key, file.label)
    if isinstance(image, Dropped):
        return image
    provenance = {"file": file.name}
    return Example(file.key, grey(image), file.label, None, file.split, provenance)
