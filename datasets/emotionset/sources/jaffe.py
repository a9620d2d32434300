"""JAFFE: 213 photographs of ten Japanese women, posed, named by woman and expression."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import ClassVar

from datasets.emotionset.archives import Archive
from datasets.emotionset.source import Dropped, Example, Source, Unit
from datasets.emotionset.sources.members import find_members, nothing_found, read_image

CODES = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happy",
    "NE": "neutral",
    "SA": "sad",
    "SU": "surprise",
}
_NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})(\d{1,3})\.(\d{1,9})\.tiff?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Jaffe(Source):
    """Tiffs named `<woman>.<expression><take>.<number>.tiff`, such as `KA.AN1.39.tiff`.

    The name's expression is the label: the one that was posed. The ratings in the read-me file,
    which often disagree, are not used. Some of the files have three equal channels; all images
    come out as `[H, W]`.

    Attributes:
      path: the folder (`jaffe`, `jaffedbase` or one above it), or the zip or tar with it.
    """

    name: ClassVar[str] = "jaffe"
    title: ClassVar[str] = "JAFFE"
    licence: ClassVar[str] = (
        "non-commercial scientific research only, on terms that must be accepted; nothing is known "
        "to us that permits passing the images on"
    )
    citation: ClassVar[str] = (
        "M. Lyons, S. Akamatsu, M. Kamachi, J. Gyoba: Coding Facial Expressions with Gabor "
        "Wavelets. FG 1998"
    )
    address: ClassVar[str] = "https://zenodo.org/record/3451524"
    cropped: ClassVar[bool] = False

    path: str

    def units(self) -> Iterator[Unit | Dropped]:
        """One unit per image, by file name; see `Source.units`."""
        members = find_members(self.path, lambda name: name.lower().endswith((".tif", ".tiff")))
        if not any(_NAME.fullmatch(_base(name)) for _, name in members):
            raise nothing_found(self.path, self.title, "files like KA.AN1.39.tiff")
        seen: set[str] = set()
        for archive, name in sorted(members, key=lambda member: (_base(member[1]), member[1])):
            key = _base(name)
            if key in seen:
                yield Dropped(name, "repeated_name", f"{archive.where(name)}: there is another")
            else:
                seen.add(key)
                yield Unit(key, (archive.path, name))

    def read(self, unit: Unit) -> Iterator[Example | Dropped]:
        """The image; see `Source.read`."""
        from datasets.emotionset.picture import grey  # Pillow: not for `--help`

        path, name = unit.place
        archive = Archive(path)
        match = _NAME.fullmatch(unit.key)
        if match is None:
            detail = f"{archive.where(name)}: the name is not like KA.AN1.39.tiff"
            yield Dropped(unit.key, "unknown_name", detail)
            return
        subject, code, take, number = match.groups()
        label = CODES.get(code.upper())
        if label is None:
            detail = (
                f"{archive.where(name)}: unknown expression {code}, not one of {', '.join(CODES)}"
            )
            yield Dropped(unit.key, "unknown_label", detail)
            return
        image = read_image(archive, name, unit.key, label)
        if isinstance(image, Dropped):
            yield image
            return
        provenance = {
            "file": name,
            "take": int(take),
            "number": int(number),
            "channels": 1 if image.ndim == 2 else 3,
        }
        yield Example(unit.key, grey(image), label, subject.upper(), None, provenance)


def _base(name: str) -> str:
    return name.rpartition("/")[2]
