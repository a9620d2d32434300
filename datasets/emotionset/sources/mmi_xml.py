"""The xml files beside MMI's clips: view, emotion, and the course of the action units."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from datasets.emotionset.archives import Archive

# The values of the Metatag "Emotion"; those above are mixtures and others.
EMOTIONS = {
    1: "anger",
    2: "disgust",
    3: "fear",
    4: "happy",
    5: "sad",
    6: "surprise",
}
VIEWS = {"0": "frontal", "1": "profile", "2": "dual"}
MARKERS = "-oao_aucs"  # what follows a clip's name in that of the file of its action units
XML_LIMIT = 4 * 2**20
_APEX = "2"  # of the types of a Marker


class XmlError(ValueError):
    """A file does not say what is wanted of it; `reason` is for `Dropped`."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


def parse(archive: Archive, name: str) -> ElementTree.Element:
    """The root of an xml file.

    Raises:
      ValueError: it cannot be read, with its path.
    """
    content = archive.read(name, XML_LIMIT)
    try:
        # Entities can grow without bounds and name other files; these files have none.
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise ValueError("it declares a document type")
        return ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"{archive.where(name)} is no readable xml: {error}") from error


def view_of(archive: Archive, name: str, clip: str) -> str:
    """How a clip was filmed, by its session's `session.xml`: a value of `VIEWS`.

    Raises:
      XmlError: the file is broken, or does not say it of this clip.
    """
    where = archive.where(name)
    try:
        tracks = _all(parse(archive, name), "track")
    except ValueError as error:
        raise XmlError("no_view", str(error)) from error
    named = [track for track in tracks if clip in _clips_of(track)]
    # Where no track names the clip, it is enough that all of the session's have one view.
    views = {track.get("view", "").strip() for track in named or tracks}
    if len(views) != 1:
        raise XmlError("no_view", f"{where}: it does not say which of its views {clip} has")
    (view,) = views
    if view not in VIEWS:
        raise XmlError("no_view", f"{where}: unknown view {view[:20]!r}; known are 0, 1 and 2")
    return VIEWS[view]


def emotion_of(archive: Archive, name: str) -> str:
    """The label of a clip, by the `Metatag` of its own xml file that is named "Emotion".

    Raises:
      XmlError: the file is broken, has no such tag, or a code that is none of the six emotions.
    """
    where = archive.where(name)
    try:
        tags = _all(parse(archive, name), "Metatag")
    except ValueError as error:
        raise XmlError("no_label", str(error)) from error
    values = {tag.get("Value", "").strip() for tag in tags if tag.get("Name") == "Emotion"}
    if not values:
        raise XmlError("no_label", f"{where} has no Metatag Emotion")
    if len(values) > 1:
        raise XmlError("ambiguous_label", f"{where}: Emotion is {' and '.join(sorted(values))}")
    (value,) = values
    if not re.fullmatch("0?[1-6]", value):
        known = ", ".join(f"{code} {label}" for code, label in EMOTIONS.items())
        raise XmlError("unknown_label", f"{where}: Emotion {value[:20]!r}; used are {known}")
    return EMOTIONS[int(value)]


def marked_apex(archive: Archive, name: str, frames: int) -> int | None:
    """The frame, from 0, in the middle of the time when most action units are at their apex.

    A unit's `Marker`s say from which frame (from 1) on it is in which phase: 1 onset, 2 apex, 3
    offset, 0 neutral. Where no marker has a type, each names a frame in which the unit is active.

    Args:
      archive: that has the file.
      name: the `-oao_aucs.xml`.
      frames: of the clip.

    Returns:
      The frame; None if the file cannot be read, or nothing in it is an apex within the clip.
    """
    try:
        units = _all(parse(archive, name), "ActionUnit")
    except ValueError:
        return None
    active = [0] * frames
    for unit in units:
        for frame in _at_apex(unit, frames):
            active[frame] += 1
    most = max(active, default=0)
    if most == 0:
        return None
    start, length = _longest_run([count == most for count in active])
    return start + length // 2


def _at_apex(unit: ElementTree.Element, frames: int) -> set[int]:
    """The frames, from 0, in which a unit is at its apex."""
    marks = []
    for marker in _all(unit, "Marker"):
        frame = marker.get("Frame", "").strip()
        if re.fullmatch("[0-9]{1,7}", frame) and 1 <= int(frame) <= frames:
            marks.append((int(frame) - 1, marker.get("Type", "").strip()))
    if not any(kind for _, kind in marks):
        return {frame for frame, _ in marks}
    marks.sort()
    ends = [frame for frame, _ in marks[1:]] + [frames]
    return {
        frame
        for (start, kind), end in zip(marks, ends, strict=True)
        if kind == _APEX
        for frame in range(start, end)
    }


def _longest_run(flags: list[bool]) -> tuple[int, int]:
    """Start and length of the first of the longest runs of True."""
    best, start = (0, 0), 0
    for position, flag in enumerate([*flags, False]):
        if not flag:
            if position - start > best[1]:
                best = start, position - start
            start = position + 1
    return best


def _all(root: ElementTree.Element, tag: str) -> list[ElementTree.Element]:
    """Elements by their names, whatever their namespace."""
    return [
        element
        for element in root.iter()
        if isinstance(element.tag, str) and element.tag.rpartition("}")[2] == tag
    ]


def _clips_of(track: ElementTree.Element) -> set[str]:
    """The clips that a track names: by its own file, and by those of its annotations."""
    files = [track, *_all(track, "annotation")]
    return {_stem(file.get("filename")).removesuffix(MARKERS) for file in files}


def _stem(filename: str | None) -> str:
    return re.split(r"[/\\]", filename or "")[-1].rpartition(".")[0]
