"""CK+'s label files: a number each, in the folder of a sequence, named by the frame it is for."""

from __future__ import annotations

import re

from datasets.emotionset.archives import Archive
from datasets.emotionset.source import Dropped
from datasets.emotionset.sources.members import Members

CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")
_LABEL = re.compile(r"(S\d{3,5})_(\d{3,5})_(\d{8})_emotion\.txt", re.IGNORECASE)
# A number as in "   3.0000000e+00"; float() alone would also take "nan" and "1_0".
_NUMBER = re.compile(rb"\s*\+?\d{1,9}(\.\d{0,20})?([eE][+-]?\d{1,3})?\s*")

Frame = tuple[str, str, str]  # path of the archive, member, key


def by_sequence(members: Members) -> dict[str, list[tuple[Archive, str]]]:
    """The label files of each sequence."""
    labels: dict[str, list[tuple[Archive, str]]] = {}
    for archive, name in members:
        match = _LABEL.fullmatch(name.rpartition("/")[2])
        parts = name.split("/")
        if match:
            sequence = f"{match[1].upper()}/{match[2]}"
        elif len(parts) >= 3:
            sequence = f"{parts[-3].upper()}/{parts[-2]}"
        else:
            continue
        labels.setdefault(sequence, []).append((archive, name))
    return labels


def label_of(
    sequence: str, frames: tuple[Frame, ...], labels: list[tuple[Archive, str]]
) -> tuple[str, tuple[Frame, ...]] | Dropped:
    """The label of a sequence and its frames up to the labelled one; or why it has none."""
    if not labels:
        return Dropped(sequence, "no_label", f"{sequence} has no file {sequence}/…_emotion.txt")
    names = " and ".join(archive.where(name) for archive, name in labels)
    found: set[str] = set()
    peak = 0
    for archive, name in labels:
        match = _LABEL.fullmatch(name.rpartition("/")[2])
        if match is None or not is_in_place(name, sequence):
            detail = f"{archive.where(name)}: the name is not that of a frame of {sequence}"
            return Dropped(sequence, "misplaced", detail)
        try:
            found.add(parse_label(archive, name))
        except ValueError as error:
            return Dropped(sequence, "unknown_label", str(error))
        peak = max(peak, int(match[3]))
    if len(found) > 1:
        return Dropped(sequence, "ambiguous_label", f"{names}: {' and '.join(sorted(found))}")
    (label,) = found
    if not frames:
        return Dropped(sequence, "no_images", f"{names}: there are no images of it", label)
    until_peak = tuple(frame for frame in frames if frame_number(frame) <= peak)
    if not until_peak or frame_number(until_peak[-1]) != peak:
        # Without the labelled frame, the last ones need not show the emotion.
        detail = f"{names}: there is no image of the frame that has the label"
        return Dropped(sequence, "no_peak", detail, label)
    return label, until_peak


def frame_number(frame: Frame) -> int:
    """The number that a frame's name ends in, from 1."""
    return int(frame[2].rpartition("_")[2])


def parse_label(archive: Archive, name: str) -> str:
    """Reads a label file; raises ValueError, with its path, if it has no label."""
    content = archive.read(name, limit=1000)
    number = float(content) if _NUMBER.fullmatch(content) else -1.0
    if not number.is_integer() or not 0 <= number < len(CODES):
        known = ", ".join(f"{code} {label}" for code, label in enumerate(CODES))
        raise ValueError(f"{archive.where(name)}: {content[:20]!r} is no label; known are {known}")
    return CODES[int(number)]


def is_in_place(name: str, sequence: str) -> bool:
    """Whether a file lies in the folders of its sequence, as in `…/S005/001/`."""
    parts = name.upper().split("/")
    return "/".join(parts[-3:-1]) == sequence.upper()
