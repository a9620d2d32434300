"""CK+: sequences of people who begin neutral and end with an expression; and its smaller copies."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator
from typing import ClassVar

from datasets.emotionset.archives import Archive
from datasets.emotionset.source import Dropped, Example, Source, SourceError, Unit
from datasets.emotionset.sources.ck_plus_labels import (
    Frame,
    by_sequence,
    frame_number,
    is_in_place,
    label_of,
)
from datasets.emotionset.sources.images import is_image
from datasets.emotionset.sources.members import (
    Members,
    find_members,
    nothing_found,
    read_image,
)
from datasets.emotionset.sources.pixel_csv import (
    Chunk,
    chunk_unit,
    index_csv,
    read_chunk,
    row_key,
)
from datasets.fer2013_csv import CODES as FER2013_CODES
from datasets.fer2013_csv import USAGES

ACCEPTED = (
    "cohn-kanade-images with Emotion (or their zips), the folders CK+48/anger and so on, or "
    "ckextended.csv"
)
CK48_FOLDERS = {
    "anger": "anger",
    "contempt": "contempt",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happy",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "sadness": "sad",
    "surprise": "surprise",
}
# The codes of ckextended.csv are FER2013's, with one more.
CKEXTENDED_CODES = (*FER2013_CODES, "contempt")
CKEXTENDED = "ckextended.csv"
NEUTRAL = ("labelled", "all", "none")
_FRAME = re.compile(r"(S\d{3,5})_(\d{3,5})_(\d{8})", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class _Sequence:
    """A sequence that has images: frames in their order, and its label if it has one."""

    subject: str
    frames: tuple[Frame, ...]
    label: str | None


@dataclasses.dataclass(frozen=True)
class _Still:
    """An image of the CK+48 folders."""

    subject: str
    frame: Frame
    label: str


@dataclasses.dataclass(frozen=True)
class CkPlus(Source):
    """CK+ as its makers give it away, or as CK+48, or as `ckextended.csv`, the first that is there.

    Only 327 of the 593 sequences have an emotion label. Of these, the last frames show the emotion
    and the first is neutral.

    Attributes:
      path: the folder with `cohn-kanade-images` and `Emotion` (or `Emotion_labels`), or with the
        two official zips; or the folder or zip of CK+48; or `ckextended.csv`.
      contempt: keep contempt, which is not one of the seven emotions.
      emotion_frames: how many of the last frames of a sequence show its emotion.
      neutral: whose first frames are taken as neutral: those of "labelled" sequences, of "all", or
        of "none".
    """

    name: ClassVar[str] = "ck_plus"
    title: ClassVar[str] = "CK+"
    licence: ClassVar[str] = (
        "for the research community, after signing the agreement; its exact terms are not known to "
        "us, and nothing is known that permits passing the images on"
    )
    citation: ClassVar[str] = (
        "P. Lucey, J. F. Cohn, T. Kanade, J. Saragih, Z. Ambadar, I. Matthews: The Extended "
        "Cohn-Kanade Dataset (CK+): A Complete Dataset for Action Unit and Emotion-Specified "
        "Expression. CVPR Workshops 2010"
    )
    address: ClassVar[str] = "https://www.jeffcohn.net/Resources"

    path: str
    contempt: bool = False
    emotion_frames: int = 3
    neutral: str = "labelled"

    def __post_init__(self) -> None:
        """Checks the options."""
        if self.emotion_frames < 1:
            raise ValueError(f"emotion_frames must be at least 1; got {self.emotion_frames}")
        if self.neutral not in NEUTRAL:
            raise ValueError(f"neutral must be one of {', '.join(NEUTRAL)}; got {self.neutral!r}")

    @property
    def cropped(self) -> bool:  # type: ignore[override]
        """CK+48 and `ckextended.csv` are crops of 48x48 pixels; the original is not."""
        return _form(self.path) != "original"

    def units(self) -> Iterator[Unit | Dropped]:
        """A sequence, an image or 500 rows at a time; see `Source.units`."""
        _form.cache_clear()  # the files may be others than when they were last looked at
        form = _form(self.path)
        if form == "original":
            yield from self._sequences()
        elif form == "ck48":
            yield from _stills(self.path)
        elif form == "csv":
            members = find_members(self.path, _is_csv)
            archive, name = min(members, key=lambda member: (member[1].count("/"), member[1]))
            yield from map(chunk_unit, index_csv(archive, name).chunks)
        else:
            raise nothing_found(self.path, self.title, ACCEPTED)

    def read(self, unit: Unit) -> Iterator[Example | Dropped]:
        """The unit's images; see `Source.read`."""
        place = unit.place
        if isinstance(place, Chunk):
            yield from self._read_rows(place)
        elif isinstance(place, _Still):
            yield self._read_frame(place.frame, place.label, place.subject, {"form": "CK+48"})
        else:
            yield from self._read_sequence(place)

    def _sequences(self) -> Iterator[Unit | Dropped]:
        images = find_members(self.path, _is_sequence_image)
        labels = by_sequence(find_members(self.path, _is_label))
        if not images:
            raise SourceError(
                f"{self.path} has labels of {self.title} but not the sequences: needed is "
                "cohn-kanade-images, or extended-cohn-kanade-images.zip"
            )
        if not labels:
            raise SourceError(
                f"{self.path} has sequences of {self.title} but not their labels: needed is "
                "Emotion, or Emotion_labels.zip"
            )
        sequences: dict[str, dict[str, Frame]] = {}
        for archive, name in images:
            match = _FRAME.fullmatch(_stem(name))
            if match is None:
                detail = f"{archive.where(name)}: the name is not like S005_001_00000011.png"
                yield Dropped(name, "unknown_name", detail)
                continue
            key = match[0].upper()
            sequence = f"{match[1].upper()}/{match[2]}"
            if not is_in_place(name, sequence):
                detail = f"{archive.where(name)}: it belongs into the folder {sequence}"
                yield Dropped(name, "misplaced", detail)
            elif key in sequences.setdefault(sequence, {}):
                detail = f"{archive.where(name)}: there is another of that name"
                yield Dropped(name, "repeated_name", detail)
            else:
                sequences[sequence][key] = (archive.path, name, key)
        for sequence in sorted(sequences | labels):
            found = sequences.get(sequence, {})
            frames = tuple(found[key] for key in sorted(found))
            yield from self._sequence(sequence, frames, labels.get(sequence, []))

    def _sequence(
        self, sequence: str, frames: tuple[Frame, ...], labels: list[tuple[Archive, str]]
    ) -> Iterator[Unit | Dropped]:
        subject = sequence.partition("/")[0]
        found = label_of(sequence, frames, labels)
        if not isinstance(found, Dropped):
            label, frames = found
            yield Unit(sequence, _Sequence(subject, frames, label))
            return
        yield found
        if self.neutral == "all" and frames:
            # The drop has the sequence's name already.
            yield Unit(f"{sequence}/first", _Sequence(subject, frames[:1], None))

    def _read_sequence(self, sequence: _Sequence) -> Iterator[Example | Dropped]:
        frames, label = sequence.frames, sequence.label
        peak = frame_number(frames[-1])
        # By the frames' numbers, so that missing frames do not make others the first or last ones.
        # The first never counts as the emotion, unless there can be no other.
        chosen = []
        if self.neutral != "none" and (peak > 1 or label is None):
            if frame_number(frames[0]) > 1:
                key = f"{frames[0][2].rpartition('_')[0]}_00000001"
                detail = f"{frames[0][1]} is the first frame there is: none is known to be neutral"
                yield Dropped(key, "no_first_frame", detail, "neutral")
            else:
                chosen = [(frames[0], "neutral")]
        if label is not None:
            least = max(peak - self.emotion_frames + 1, min(2, peak))
            chosen += [(frame, label) for frame in frames if frame_number(frame) >= least]
        for frame, of_frame in chosen:
            provenance = {
                "form": "CK+",
                "frame": frame_number(frame),
                "peak": peak,
                "sequence": label,
            }
            yield self._read_frame(frame, of_frame, sequence.subject, provenance)

    def _read_frame(
        self, frame: Frame, label: str, subject: str, provenance: dict[str, object]
    ) -> Example | Dropped:
        path, name, key = frame
        archive = Archive(path)
        if label == "contempt" and not self.contempt:
            return Dropped(key, "contempt", f"{archive.where(name)}: not one of the seven", label)
        image = read_image(archive, name, key, label)
        if isinstance(image, Dropped):
            return image
        provenance = {"file": name, **provenance}
        return Example(key, image, label, subject, None, provenance)

    def _read_rows(self, chunk: Chunk) -> Iterator[Example | Dropped]:
        for number, where, row in read_chunk(chunk, CKEXTENDED_CODES):
            if isinstance(row, Dropped):
                yield row
                continue
            key, label = row_key(number), CKEXTENDED_CODES[row.emotion]
            if label == "contempt" and not self.contempt:
                yield Dropped(key, "contempt", f"{where}: not one of the seven", label)
                continue
            # Its Usage is no official split: CK+ has none, and one person is in several.
            usage = USAGES[row.usage]
            provenance = {"file": chunk.member, "form": CKEXTENDED, "row": number, "usage": usage}
            yield Example(key, row.image, label, None, None, provenance)


@functools.lru_cache(maxsize=8)
def _form(path: str) -> str:
    """Which of the forms lies at a path: "original", "ck48", "csv", or "" for none."""
    if find_members(path, lambda name: _is_sequence_image(name) or _is_label(name)):
        return "original"
    if any(_FRAME.fullmatch(_stem(name)) for _, name in find_members(path, _is_ck48_image)):
        return "ck48"
    return "csv" if find_members(path, _is_csv) else ""


def _is_sequence_image(name: str) -> bool:
    """An image in `…/S005/001/`, or in `cohn-kanade-images` with any name."""
    parts = name.split("/")
    in_sequence = len(parts) >= 3 and bool(_FRAME.fullmatch(_stem(name)))
    in_sequence = in_sequence and bool(re.fullmatch(r"S\d{3,5}", parts[-3], re.IGNORECASE))
    return is_image(name) and (in_sequence or "cohn-kanade-images" in parts)


def _is_label(name: str) -> bool:
    return name.lower().endswith("_emotion.txt")


def _is_ck48_image(name: str) -> bool:
    """An image in a folder, one beside others that have the names of expressions."""
    return is_image(name) and "/" in name


def _is_csv(name: str) -> bool:
    return name.rpartition("/")[2].lower() == CKEXTENDED


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def _stills(path: str) -> Iterator[Unit | Dropped]:
    """The images of the CK+48 folders, by their names."""
    found: dict[str, Members] = {}
    for archive, name in find_members(path, _is_ck48_image):
        folder = name.split("/")[-2].lower()
        match = _FRAME.fullmatch(_stem(name))
        key = "/".join(name.split("/")[-2:])
        if folder not in CK48_FOLDERS:
            detail = f"{archive.where(name)}: the folder is none of {', '.join(CK48_FOLDERS)}"
            yield Dropped(key, "unknown_label", detail)
        elif match is None:
            detail = f"{archive.where(name)}: the name is not like S010_004_00000017.png"
            yield Dropped(key, "unknown_name", detail)
        else:
            found.setdefault(match[0].upper(), []).append((archive, name))
    for key, members in sorted(found.items()):
        names = " and ".join(archive.where(name) for archive, name in members)
        labels = {CK48_FOLDERS[name.split("/")[-2].lower()] for _, name in members}
        if len(labels) > 1:
            detail = f"{names}: one frame, {' and '.join(sorted(labels))}"
            yield Dropped(key, "ambiguous_label", detail)
            continue
        # A zip in use has the folders twice, once within another.
        (archive, name), *copies = sorted(members, key=lambda member: member[1].count("/"))
        for _, copy in copies:
            yield Dropped(copy, "repeated_name", f"{names}: the first is taken")
        (label,) = labels
        yield Unit(key, _Still(key.partition("_")[0], (archive.path, name, key), label))
