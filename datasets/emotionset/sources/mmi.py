"""MMI: clips of people who show an expression and return to neutral, in sessions with xml files."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from datasets.emotionset.archives import Archive, MemberError
from datasets.emotionset.source import Dropped, Example, Source, Unit
from datasets.emotionset.sources.images import is_image
from datasets.emotionset.sources.members import find_members, nothing_found, read_image
from datasets.emotionset.sources.mmi_views import how_to_show, show
from datasets.emotionset.sources.mmi_xml import MARKERS, XmlError, emotion_of, marked_apex, view_of
from datasets.emotionset.sources.video import (
    VideoError,
    moving_apex,
    pick_frames,
    small_frames,
)

ACCEPTED = "Sessions/<number>/ with session.xml, S001-002.xml and S001-002.avi (or a still)"
_CLIP = re.compile(r"(S\d{3,5})-(\d{3,5})", re.IGNORECASE)
_LEAST_FRAMES = 5


@dataclasses.dataclass(frozen=True)
class _Clip:
    """A clip or a still and the files beside it; each by its member's name, None if missing."""

    path: str
    name: str
    clip: str
    session_xml: str | None
    clip_xml: str | None
    markers: str | None


@dataclasses.dataclass(frozen=True)
class Mmi(Source):
    """Clips of the frontal view, alone or beside the profile, and stills.

    The expression is at its apex somewhere in the middle: where the markers of the action units say
    so, else where the picture differs most from the first frame. See `video.moving_apex`.

    Attributes:
      path: the folder that has `Sessions`, or is it, or lies above it; or a zip or tar with it.
      frames: how many frames are taken around the apex.
      neutral: take the first frame of each clip as neutral.
    """

    name: ClassVar[str] = "mmi"
    title: ClassVar[str] = "MMI"
    licence: ClassVar[str] = (
        "for the scientific community, with an account and a signed agreement (EULA), whose terms "
        "are not known to us; nothing is known that permits passing the clips on"
    )
    citation: ClassVar[str] = (
        "M. Pantic, M. Valstar, R. Rademaker, L. Maat: Web-Based Database for Facial Expression "
        "Analysis. ICME 2005"
    )
    address: ClassVar[str] = "https://mmifacedb.eu"

    path: str
    frames: int = 3
    neutral: bool = False

    def __post_init__(self) -> None:
        """Checks the options."""
        if self.frames < 1:
            raise ValueError(f"frames must be at least 1; got {self.frames}")

    def units(self) -> Iterator[Unit | Dropped]:
        """A clip or a still at a time, by session; see `Source.units`."""
        members = find_members(self.path, lambda name: _is_clip(name) or _is_xml(name))
        names: dict[str, set[str]] = {}
        for archive, name in members:
            names.setdefault(archive.path, set()).add(name)
        clips = [(archive, name) for archive, name in members if _is_clip(name)]
        if not any(_CLIP.fullmatch(Path(name).stem) for _, name in clips):
            raise nothing_found(self.path, self.title, ACCEPTED)
        seen: set[str] = set()
        for archive, name in sorted(clips, key=lambda member: (_order(member[1]), member[1])):
            stem, folder = Path(name).stem, name.rpartition("/")[0]
            key = f"{folder.rpartition('/')[2]}/{stem}"
            where = archive.where(name)
            if not _CLIP.fullmatch(stem):
                # Pictures may lie anywhere; in a session they are data.
                if f"{folder}/session.xml" in names[archive.path]:
                    yield Dropped(name, "unknown_name", f"{where}: not like S001-002.avi")
            elif key in seen:
                yield Dropped(name, "repeated_name", f"{where}: there is another of that name")
            else:
                seen.add(key)
                beside = [
                    candidate if candidate in names[archive.path] else None
                    for candidate in (
                        f"{folder}/session.xml".lstrip("/"),
                        f"{folder}/{stem}.xml".lstrip("/"),
                        f"{folder}/{stem}{MARKERS}.xml".lstrip("/"),
                    )
                ]
                yield Unit(key, _Clip(archive.path, name, stem, *beside))

    def read(self, unit: Unit) -> Iterator[Example | Dropped]:
        """The frames of the clip, or the still; see `Source.read`."""
        clip: _Clip = unit.place
        archive = Archive(clip.path)
        where = archive.where(clip.name)
        try:
            if clip.session_xml is None:
                raise XmlError("no_view", f"{where}: there is no session.xml beside it")
            if clip.clip_xml is None:
                raise XmlError("no_label", f"{where}: there is no {clip.clip}.xml beside it")
            view = view_of(archive, clip.session_xml, clip.clip)
            if view == "profile":
                raise XmlError("profile_view", f"{where}: it shows the profile alone")
            label = emotion_of(archive, clip.clip_xml)
        except XmlError as error:
            yield Dropped(unit.key, error.reason, _one_line(error))
            return
        except MemberError as error:
            yield Dropped(unit.key, "unreadable", _one_line(error))
            return
        subject = clip.clip.partition("-")[0].upper()
        if is_image(clip.name):
            yield _still(archive, clip, unit.key, label, subject, view)
            return
        try:
            yield from self._frames(archive, clip, unit.key, label, subject, view)
        except MemberError as error:
            yield Dropped(unit.key, "unreadable", _one_line(error), label)
        except VideoError as error:
            yield Dropped(unit.key, "unreadable", f"{where}: {_one_line(error)}", label)

    def _frames(
        self, archive: Archive, clip: _Clip, key: str, label: str, subject: str, view: str
    ) -> Iterator[Example | Dropped]:
        where = archive.where(clip.name)
        with archive.file(clip.name) as path:
            small = small_frames(path)
            count = len(small)
            if count < _LEAST_FRAMES:
                raise VideoError(f"{count} frames of it can be read; {_LEAST_FRAMES} are needed")
            apex, by = None, "markers"
            if clip.markers is not None:
                apex = marked_apex(archive, clip.markers, count)
            if apex is None:
                apex, by = moving_apex(small), "motion"
            if apex is None:
                yield Dropped(key, "no_motion", f"{where}: nothing moves in it", label)
                return
            # Never the first frame, which is neutral.
            start = max(1, min(apex - (self.frames - 1) // 2, count - self.frames))
            at_apex = set(range(start, min(start + self.frames, count)))
            picked = pick_frames(path, at_apex | {0})
            if len(picked) <= len(at_apex):
                raise VideoError("it gives other frames when it is read again")
        how = how_to_show(picked[0], view, subject, clip.markers is not None)
        if how is None:
            detail = f"{where}: it has two views, and which is frontal cannot be told"
            yield Dropped(key, "unknown_side", detail, label)
            return
        for number in sorted(picked):
            if number == 0 and not self.neutral:
                continue
            provenance: dict[str, Any] = {
                "file": clip.name,
                "frame": number,
                "frames": count,
                "apex": apex,
                "apex_by": by,
                "view": view,
                "shown": how,
            }
            of_frame = "neutral" if number == 0 else label
            image = show(picked[number], how)
            yield Example(f"{key}/{number:05d}", image, of_frame, subject, None, provenance)


def _still(
    archive: Archive, clip: _Clip, key: str, label: str, subject: str, view: str
) -> Example | Dropped:
    image = read_image(archive, clip.name, key, label)
    if isinstance(image, Dropped):
        return image
    if view == "dual":
        detail = f"{archive.where(clip.name)}: a still of two views"
        return Dropped(key, "unknown_side", detail, label)
    return Example(key, image, label, subject, None, {"file": clip.name, "view": view})


def _is_clip(name: str) -> bool:
    return name.lower().endswith(".avi") or is_image(name)


def _is_xml(name: str) -> bool:
    return name.lower().endswith(".xml")


def _order(name: str) -> tuple[int, str]:
    """Sessions by their numbers."""
    session = name.rpartition("/")[0].rpartition("/")[2]
    return (int(session) if re.fullmatch("[0-9]{1,9}", session) else -1), session


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
